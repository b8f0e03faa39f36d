//! The route's feature vector: named, finite, of fixed length.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// What a model sees of one request: one finite number per feature of the route's [`FeatureSet`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Features(pub SmallVec<[f64; 8]>);

/// The features that a route declares, parsed.
#[derive(Debug, Clone, Default)]
pub struct FeatureSet;
