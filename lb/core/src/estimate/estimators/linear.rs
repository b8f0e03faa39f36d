//! Ordinary least squares on the features, with the least relative errors.
//!
//! work = c + Σ a x

use super::Estimator;
use crate::estimate::Table;
use crate::estimate::formula::{Formula, Term};
use crate::estimate::regress::Solver;

/// See the module.
#[derive(Debug)]
pub(super) struct Linear;

impl Estimator for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn fit(&self, table: &Table) -> Option<Formula> {
        let raw = (0..table.n_features()).map(Term::Raw);
        let terms: Vec<Term> = std::iter::once(Term::One).chain(raw).collect();
        table.fit(&terms, Solver::LeastSquares)
    }
}
