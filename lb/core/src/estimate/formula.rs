//! What every estimator comes to: a weighted sum of terms, or its exponential.

use serde::{Deserialize, Serialize};

/// One number made from the features.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// The product of some factors.
    Times([Option<Factor>; FACTORS_MAX]),
}

/// What is multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Factor {
    /// The feature.
    Raw(usize),
    /// `ln(1 + x)`, odd in x.
    Log(usize),
    /// 1 where the feature has this value, else 0.
    Is(usize, f64),
    /// The feature less another: the length of what goes from one to the other.
    Less(usize, usize),
}

/// The most factors of a term.
pub(crate) const FACTORS_MAX: usize = 3;

/// Work from features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Formula {
    /// The terms and the coefficient of each.
    pub(crate) terms: Vec<(Term, f64)>,
    /// Whether the sum is the logarithm of the work.
    pub(crate) is_log: bool,
}

impl Factor {
    /// Its value; that of a feature which is not there is 0.
    pub(crate) fn value(self, features: &[f64]) -> f64 {
        let feature = |index: usize| features.get(index).copied().unwrap_or(0.0);
        match self {
            Factor::Raw(index) => feature(index),
            Factor::Log(index) => {
                let value = feature(index);
                value.abs().ln_1p().copysign(value)
            }
            Factor::Is(index, value) => {
                f64::from(u8::from(feature(index).total_cmp(&value).is_eq()))
            }
            Factor::Less(index, other) => feature(index) - feature(other),
        }
    }

    /// The features that it reads.
    pub(crate) fn features(self) -> impl Iterator<Item = usize> {
        let (one, other) = match self {
            Factor::Raw(index) | Factor::Log(index) | Factor::Is(index, _) => (index, None),
            Factor::Less(index, other) => (index, Some(other)),
        };
        std::iter::once(one).chain(other)
    }

    fn moved(self, place: impl Fn(usize) -> usize) -> Factor {
        match self {
            Factor::Raw(index) => Factor::Raw(place(index)),
            Factor::Log(index) => Factor::Log(place(index)),
            Factor::Is(index, value) => Factor::Is(place(index), value),
            Factor::Less(index, other) => Factor::Less(place(index), place(other)),
        }
    }
}

impl Term {
    /// Its value; that of a feature which is not there is 0.
    pub(crate) fn value(self, features: &[f64]) -> f64 {
        self.factors().map(|factor| factor.value(features)).product()
    }

    /// What it is the product of.
    pub(crate) fn factors(self) -> impl Iterator<Item = Factor> {
        let factors = match self {
            Term::One => [None; FACTORS_MAX],
            Term::Raw(index) => [Some(Factor::Raw(index)), None, None],
            Term::Log(index) => [Some(Factor::Log(index)), None, None],
            Term::Product(one, other) => [Some(Factor::Raw(one)), Some(Factor::Raw(other)), None],
            Term::Times(factors) => factors,
        };
        factors.into_iter().flatten()
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
            let mut features = term.factors().flat_map(Factor::features);
            coefficient.is_finite() && features.all(|feature| feature < n_features)
        })
    }

    /// The features that it reads, each once, in their order.
    pub(crate) fn features(&self) -> Vec<usize> {
        let factors = self.terms.iter().flat_map(|(term, _)| term.factors());
        let mut features: Vec<usize> = factors.flat_map(Factor::features).collect();
        features.sort_unstable();
        features.dedup();
        features
    }

    /// The same formula, of features that are only those of `features`, in their order.
    pub(crate) fn of_only(&self, features: &[usize]) -> Formula {
        let place = |index: usize| features.binary_search(&index).unwrap_or(usize::MAX);
        let moved = |term: Term| {
            let mut factors = [None; FACTORS_MAX];
            for (to, factor) in factors.iter_mut().zip(term.factors()) {
                *to = Some(factor.moved(place));
            }
            if factors == [None; FACTORS_MAX] { Term::One } else { Term::Times(factors) }
        };
        let terms = self.terms.iter().map(|(term, coefficient)| (moved(*term), *coefficient));
        Formula { terms: terms.collect(), is_log: self.is_log }
    }
}
