//! Elastic net on the features, their logarithms and their products, with the least relative
//! errors: it leaves out most terms by itself.
//!
//! work = c + Σ a x + Σ b ln(1 + x) + Σ d x y

use super::Estimator;
use super::pairwise::products;
use crate::estimate::Table;
use crate::estimate::formula::{Formula, Term};
use crate::estimate::regress::Solver;

/// See the module.
#[derive(Debug)]
pub(super) struct ElasticNet;

/// Relative to targets and columns of about 1.
const PENALTY: f64 = 1e-4;

/// With more features than this their products are left out: their number grows with the square.
const PRODUCTS_OF_MAX: usize = 8;

impl Estimator for ElasticNet {
    fn name(&self) -> &'static str {
        "elastic_net"
    }

    fn fit(&self, table: &Table) -> Option<Formula> {
        let n_features = table.n_features();
        let mut terms = vec![Term::One];
        terms.extend((0..n_features).map(Term::Raw));
        terms.extend((0..n_features).map(Term::Log));
        if n_features <= PRODUCTS_OF_MAX {
            terms.extend(products(n_features));
        }
        table.fit(&terms, Solver::ElasticNet { penalty: PENALTY })
    }
}
