//! Ordinary least squares between logarithms: powers of the features.
//!
//! ln work = c + Σ a ln(1 + x)

use super::Estimator;
use crate::estimate::Table;
use crate::estimate::formula::{Formula, Term};
use crate::estimate::regress::Solver;

/// See the module.
#[derive(Debug)]
pub(super) struct LogLog;

impl Estimator for LogLog {
    fn name(&self) -> &'static str {
        "log_log"
    }

    fn fit(&self, table: &Table) -> Option<Formula> {
        let logs = (0..table.n_features()).map(Term::Log);
        let terms: Vec<Term> = std::iter::once(Term::One).chain(logs).collect();
        table.fit_log(&terms, Solver::LeastSquares)
    }
}
