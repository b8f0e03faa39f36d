//! The regressions that compete for a route. One file an estimator.

mod mean;
mod linear;
mod log_log;
mod pairwise;
mod elastic_net;
mod stepwise;
mod stepwise_log;

use std::fmt::Debug;

use super::{Formula, Table};

/// Those for declared features, the simpler first. To add one: a file beside the others, and a line
/// here.
pub(crate) const ALL: &[&dyn Estimator] = &[
    &mean::Mean,
    &linear::Linear,
    &log_log::LogLog,
    &pairwise::Pairwise,
    &elastic_net::ElasticNet,
];

/// Those for features that were found, of which most say nothing: these leave out what does not.
pub(crate) const AUTO: &[&dyn Estimator] =
    &[&mean::Mean, &stepwise::Stepwise, &stepwise_log::StepwiseLog];

/// Fits a formula to a table of past requests.
pub(crate) trait Estimator: Debug + Sync {
    /// Its name, as in metrics: that of its file.
    fn name(&self) -> &'static str;

    /// The fitted formula; `None` where there are too few rows for it, or no finite solution.
    fn fit(&self, table: &Table) -> Option<Formula>;
}

/// The name of every estimator.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().chain(&AUTO[1..]).map(|estimator| estimator.name())
}
