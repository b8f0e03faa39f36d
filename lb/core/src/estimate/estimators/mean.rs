//! The mean: where the features tell nothing.

use super::Estimator;
use crate::estimate::Table;
use crate::estimate::formula::{Formula, Term};

/// See the module.
#[derive(Debug)]
pub(super) struct Mean;

impl Estimator for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn fit(&self, table: &Table) -> Option<Formula> {
        let mean = table.cpu_secs.iter().sum::<f64>() / table.len() as f64;
        mean.is_finite().then(|| Formula { terms: vec![(Term::One, mean)], is_log: false })
    }
}
