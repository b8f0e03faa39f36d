//! Forward selection of few terms among features, their logarithms, values and products, with the
//! least relative errors.
//!
//! work = Σ a (factor x factor x factor), of at most 12 terms

use super::Estimator;
use crate::estimate::forward::{Target, select};
use crate::estimate::{Formula, Table};

/// See the module.
#[derive(Debug)]
pub(super) struct Stepwise;

impl Estimator for Stepwise {
    fn name(&self) -> &'static str {
        "stepwise"
    }

    fn fit(&self, table: &Table) -> Option<Formula> {
        select(table, Target::Work)
    }
}
