//! Forward selection of few terms between logarithms: powers of features, and factors by value.
//!
//! ln work = Σ a (factor x factor x factor), of at most 12 terms

use super::Estimator;
use crate::estimate::forward::{Target, select};
use crate::estimate::{Formula, Table};

/// See the module.
#[derive(Debug)]
pub(super) struct StepwiseLog;

impl Estimator for StepwiseLog {
    fn name(&self) -> &'static str {
        "stepwise_log"
    }

    fn fit(&self, table: &Table) -> Option<Formula> {
        select(table, Target::LogWork)
    }
}
