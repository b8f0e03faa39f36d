//! Ordinary least squares on the features and their products, with the least relative errors.
//!
//! work = c + Σ a x + Σ b x y

use super::Estimator;
use crate::estimate::Table;
use crate::estimate::formula::{Formula, Term};
use crate::estimate::regress::Solver;

/// See the module.
#[derive(Debug)]
pub(super) struct Pairwise;

/// Rows for each term, at the least: fewer would fit the noise.
const ROWS_PER_TERM: usize = 3;

impl Estimator for Pairwise {
    fn name(&self) -> &'static str {
        "pairwise"
    }

    fn fit(&self, table: &Table) -> Option<Formula> {
        let n_features = table.n_features();
        let mut terms = vec![Term::One];
        terms.extend((0..n_features).map(Term::Raw));
        terms.extend(products(n_features));
        let is_enough = terms.len() * ROWS_PER_TERM <= table.len();
        if is_enough { table.fit(&terms, Solver::LeastSquares) } else { None }
    }
}

/// Every product of two features, squares included.
pub(super) fn products(n_features: usize) -> impl Iterator<Item = Term> {
    (0..n_features)
        .flat_map(move |one| (one..n_features).map(move |other| Term::Product(one, other)))
}
