//! The route's feature vector: named, finite, of fixed length.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::request::RequestSpec;

/// What a model sees of one request: one finite number per feature of the route's [`FeatureSet`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Features(pub SmallVec<[f64; 8]>);

/// The features that a route declares, parsed.
#[derive(Debug, Clone, Default)]
pub struct FeatureSet {
    names: Vec<String>,
}

/// How much of a request's body its features need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyNeed {
    /// None of it.
    Nothing,
    /// Its beginning, of [`PREFIX_BYTES`]; more does no harm.
    Prefix,
    /// All of it.
    Whole,
}

/// How much of a body [`BodyNeed::Prefix`] asks for.
pub const PREFIX_BYTES: usize = 512 * 1024;

/// Why a feature expression cannot be used. The configuration's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// There is nothing in it.
    #[error("feature `{0}` has an empty factor, expected a number or an extractor")]
    Empty(String),
}

impl FeatureSet {
    /// Parses one feature per expression. All mistakes are reported at once.
    pub fn parse(expressions: &[String]) -> Result<FeatureSet, Vec<FeatureError>> {
        Ok(FeatureSet { names: expressions.to_vec() })
    }

    /// The expressions as written, in the order of [`Features`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How much of the body has to be read before [`FeatureSet::extract`].
    pub fn body_need(&self) -> BodyNeed {
        BodyNeed::Nothing
    }

    /// The features of one request: always finite and as many as there are names. What a malformed
    /// request does not say is 0.
    pub fn extract(&self, _spec: &RequestSpec<'_>) -> Features {
        Features(SmallVec::from_elem(0.0, self.names.len()))
    }
}
