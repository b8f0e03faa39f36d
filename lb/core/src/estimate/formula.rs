//! What every estimator comes to: a weighted sum of terms, or its exponential.

use serde::{Deserialize, Serialize};

/// One number made from the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Term {
    /// 1.
    One,
    /// The feature.
    Raw(usize),
    /// `ln(1 + x)`, odd in x.
    Log(usize),
    /// The product of two features, or the square of one.
    Product(usize, usize),
}

/// Work from features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Formula {
    /// The terms and the coefficient of each.
    pub(crate) terms: Vec<(Term, f64)>,
    /// Whether the sum is the logarithm of the work.
    pub(crate) is_log: bool,
}

impl Term {
    /// Its value; 0 where the feature is not there.
    pub(crate) fn value(self, features: &[f64]) -> f64 {
        let feature = |index: usize| features.get(index).copied().unwrap_or(0.0);
        match self {
            Term::One => 1.0,
            Term::Raw(index) => feature(index),
            Term::Log(index) => {
                let value = feature(index);
                value.abs().ln_1p().copysign(value)
            }
            Term::Product(one, other) => feature(one) * feature(other),
        }
    }
}

impl Formula {
    /// CPU-seconds of the reference core; may be negative or not finite far from what was seen.
    /// Allocates nothing.
    pub(crate) fn cpu_secs(&self, features: &[f64]) -> f64 {
        let sum: f64 =
            self.terms.iter().map(|(term, coefficient)| term.value(features) * coefficient).sum();
        if self.is_log { sum.exp() } else { sum }
    }

    /// Whether it reads no feature past the first `n_features` and holds finite numbers only.
    pub(crate) fn is_sound(&self, n_features: usize) -> bool {
        self.terms.iter().all(|(term, coefficient)| {
            let reads = match *term {
                Term::One => 0,
                Term::Raw(index) | Term::Log(index) => index.saturating_add(1),
                Term::Product(one, other) => one.max(other).saturating_add(1),
            };
            reads <= n_features && coefficient.is_finite()
        })
    }
}
