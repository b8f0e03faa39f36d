//! Predicts the work of a request from its features.
//!
//! Several regressions compete for each route ([`estimators`]); the one that cross-validation finds
//! best is used (`choose.rs`). All of them end as one `Formula`, which is all that the path of a
//! request sees.

use serde::{Deserialize, Serialize};

use crate::units::Work;

pub(crate) use choose::{ROWS_MIN, choose, least};
pub(crate) use estimators::{ALL, AUTO};
pub(crate) use formula::Formula;
pub(crate) use table::Table;

mod choose;
pub mod estimators;
mod factors;
mod formula;
mod forward;
mod table;
mod vectors;
mod words;
pub(crate) mod regress;

#[cfg(test)]
mod tests;

/// Predicted work of one request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Expected work.
    pub mean: Work,
    /// Work that nine of ten such requests stay below.
    pub p90: Work,
    /// Where it comes from.
    pub source: Source,
    /// Whether it says something of the size that may be believed: no prior, and nothing that the
    /// drift gate holds back. Where it does not, all sizes count as equal.
    pub trusted: bool,
}

// === impl Estimate ===

impl Estimate {
    /// What requests are compared by; `None` where the estimate is not trusted.
    pub fn trusted_mean(&self) -> Option<Work> {
        self.trusted.then_some(self.mean)
    }

    /// Whether it is of this request, not only of its route.
    pub fn is_individual(&self) -> bool {
        match self.source {
            Source::Prior | Source::RunningMean => false,
            Source::Declared | Source::Model | Source::Repeat => true,
        }
    }
}

/// Where an estimate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The route's configured prior: nothing has been observed.
    Prior,
    /// The route's prior, where it is an expression, times what requests cost more than it says.
    Declared,
    /// The running mean of the route.
    RunningMean,
    /// The route's regression model.
    Model,
    /// The measured cost of an exact repeat.
    Repeat,
}
