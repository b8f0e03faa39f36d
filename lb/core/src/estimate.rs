//! Predicts the work of a request from its features.

use serde::{Deserialize, Serialize};

use crate::units::Work;

/// Predicted work of one request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Expected work.
    pub mean: Work,
    /// Work that nine of ten such requests stay below.
    pub p90: Work,
    /// Where it comes from.
    pub source: Source,
}

/// Where an estimate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The route's configured prior: nothing has been observed.
    Prior,
    /// The running mean of the route.
    RunningMean,
    /// The route's regression model.
    Model,
    /// The measured cost of an exact repeat.
    Repeat,
}
