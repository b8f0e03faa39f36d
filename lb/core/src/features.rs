//! The route's feature vector: named, finite, of fixed length.
//!
//! A route declares its features as text, and each is a sum of products:
//!
//! ```text
//! expression = product { "+" product }
//! product    = factor { "*" factor }
//! factor     = number | what one of the extractors reads
//! ```
//!
//! `2.5 * query.width * query.height + body.bytes`. The core's extractors are in
//! [`extractors::ALL`]; others are registered by naming them to [`FeatureSet::parse`]. No factor
//! holds white space, `*` or `+`; numbers carry no `+` in their exponent. What a request does not
//! say is 0.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use crate::request::RequestSpec;

use expression::Expression;
use extractors::{Extractor, Reader};

pub mod auto;
pub mod extractors;
pub mod json;
mod expression;
mod image;
mod peek;

#[cfg(test)]
mod tests;

/// What a model sees of one request: one finite number per feature of the route's [`FeatureSet`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Features(pub SmallVec<[f64; 8]>);

/// The features that a route declares, parsed.
#[derive(Debug, Clone, Default)]
pub struct FeatureSet {
    names: Vec<String>,
    /// Their factors are places in the numbers that the readers read.
    expressions: Vec<Expression<usize>>,
    /// What reads the numbers, one reader for each extractor that is used, and how many it reads.
    readers: Vec<(Arc<dyn Reader>, usize)>,
    n_numbers: usize,
    body_need: BodyNeed,
    /// Whether further features are found by themselves, see [`auto`].
    is_auto: bool,
    /// Which of them is the route's prior, in CPU-seconds.
    prior: Option<usize>,
}

/// How much of a request's body its features need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyNeed {
    /// None of it.
    #[default]
    Nothing,
    /// Its beginning, of [`PREFIX_BYTES`]; more does no harm.
    Prefix,
    /// All of it.
    Whole,
}

/// How much of a body [`BodyNeed::Prefix`] asks for.
pub const PREFIX_BYTES: usize = 512 * 1024;

/// The most features of one route: training grows with their square.
pub const FEATURES_MAX: usize = 16;

/// A feature's magnitude is at most this, so that squares and sums of features stay finite.
pub const FEATURE_MAX: f64 = 1e18;

/// Numbers of a request that need no memory of their own.
const NUMBERS_INLINE: usize = 32;

/// Why the features of a route cannot be used. The configuration's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// A factor is missing.
    #[error("feature `{0}` has an empty factor, expected a number or what an extractor reads")]
    Empty(String),
    /// A factor is neither a finite number nor what an extractor reads.
    #[error("feature `{feature}` has the factor `{factor}`, expected a finite number, {expected}")]
    Unknown {
        /// The whole expression.
        feature: String,
        /// What is wrong with it.
        factor: String,
        /// What the registered extractors read.
        expected: String,
    },
    /// An expression has more factors than can be evaluated at a bounded cost.
    #[error(
        "feature `{feature}` has {factors} factors, expected at most {}",
        expression::FACTORS_MAX
    )]
    Long {
        /// The whole expression.
        feature: String,
        /// How many it has.
        factors: usize,
    },
    /// The same expression twice.
    #[error("feature `{0}` is there twice")]
    Duplicate(String),
    /// More features than a model takes.
    #[error("{0} features, expected at most {FEATURES_MAX}")]
    TooMany(usize),
}

impl FeatureSet {
    /// Parses one feature per expression, whose factors `extractors` read. All mistakes are
    /// reported at once.
    pub fn parse(
        expressions: &[String],
        extractors: &[&'static dyn Extractor],
    ) -> Result<FeatureSet, Vec<FeatureError>> {
        let parsed = FeatureSet::parse_all(expressions, extractors);
        if FEATURES_MAX < expressions.len() {
            let mut mistakes = parsed.err().unwrap_or_default();
            mistakes.insert(0, FeatureError::TooMany(expressions.len()));
            return Err(mistakes);
        }
        parsed
    }

    fn parse_all(
        expressions: &[String],
        extractors: &[&'static dyn Extractor],
    ) -> Result<FeatureSet, Vec<FeatureError>> {
        let mut mistakes = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut parsed = Vec::new();
        let mut factors = Factors::new(extractors);
        for text in expressions {
            if names.contains(text) {
                mistakes.push(FeatureError::Duplicate(text.clone()));
            }
            names.push(text.clone());
            match Expression::parse(text, |factor| factors.place(factor)) {
                Ok(expression) => parsed.push(expression),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(factors.finish(names, parsed)) } else { Err(mistakes) }
    }

    /// Features that nobody writes: they are found by themselves.
    pub fn auto() -> FeatureSet {
        FeatureSet { is_auto: true, ..FeatureSet::default() }
    }

    /// The same set with one more feature: `expression` is what a request is taken to cost before
    /// anything is known, in CPU-seconds.
    pub fn with_prior(
        &self,
        expression: &str,
        extractors: &[&'static dyn Extractor],
    ) -> Result<FeatureSet, Vec<FeatureError>> {
        let mut names = self.names.clone();
        if names.iter().all(|name| name != expression) {
            names.push(expression.to_owned());
        }
        let prior = names.iter().position(|name| name == expression);
        let set = FeatureSet::parse_all(&names, extractors)?;
        Ok(FeatureSet { is_auto: self.is_auto, prior, ..set })
    }

    /// Whether the same is looked at in a request as by `other`.
    pub fn is_like(&self, other: &FeatureSet) -> bool {
        self.names == other.names && self.is_auto == other.is_auto && self.prior == other.prior
    }

    /// Whether further features are found by themselves.
    pub fn is_auto(&self) -> bool {
        self.is_auto
    }

    /// Which feature is the prior, in CPU-seconds.
    pub fn prior(&self) -> Option<usize> {
        self.prior
    }

    /// The expressions as written, in the order of [`Features`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How much of the body has to be read before [`FeatureSet::extract`].
    pub fn body_need(&self) -> BodyNeed {
        self.body_need
    }

    /// The features of one request: always finite and as many as there are names.
    ///
    /// Cost: that of the extractors which are used, each at most linear in the length of what was
    /// read of the request, whatever is in it.
    pub fn extract(&self, spec: &RequestSpec<'_>) -> Features {
        let mut numbers: SmallVec<[f64; NUMBERS_INLINE]> = smallvec![0.0; self.n_numbers];
        let mut rest = &mut numbers[..];
        for (reader, n_numbers) in &self.readers {
            let (own, others) = rest.split_at_mut(*n_numbers);
            reader.read(spec, own);
            rest = others;
        }
        Features(self.expressions.iter().map(|one| one.value(&numbers)).collect())
    }
}

/// Where the number of a factor will be: of which extractor, and which of its numbers.
type Place = (usize, usize);

/// The factors of a set while it is parsed, each once.
struct Factors<'a> {
    extractors: &'a [&'static dyn Extractor],
    /// Of each extractor.
    readers: Vec<(Box<dyn Reader>, usize)>,
    places: BTreeMap<String, Place>,
}

// === impl Factors ===

impl<'a> Factors<'a> {
    fn new(extractors: &'a [&'static dyn Extractor]) -> Factors<'a> {
        let readers = extractors.iter().map(|extractor| (extractor.reader(), 0)).collect();
        Factors { extractors, readers, places: BTreeMap::new() }
    }

    /// The place of the number that the first extractor which knows `factor` reads, or what the
    /// extractors would read.
    fn place(&mut self, factor: &str) -> Result<Place, String> {
        if let Some(place) = self.places.get(factor) {
            return Ok(*place);
        }
        for (index, (reader, n_numbers)) in self.readers.iter_mut().enumerate() {
            if reader.add(factor) {
                let place = (index, *n_numbers);
                *n_numbers += 1;
                self.places.insert(factor.to_owned(), place);
                return Ok(place);
            }
        }
        Err(extractors::syntax(self.extractors))
    }

    fn finish(self, names: Vec<String>, expressions: Vec<Expression<Place>>) -> FeatureSet {
        let mut begins = Vec::new();
        let mut n_numbers = 0;
        for (_, own) in &self.readers {
            begins.push(n_numbers);
            n_numbers += own;
        }
        let expressions =
            expressions.into_iter().map(|one| one.map(|(index, nth)| begins[index] + nth));
        let used = self.extractors.iter().zip(&self.readers).filter(|(_, (_, n))| 0 < *n);
        FeatureSet {
            names,
            expressions: expressions.collect(),
            body_need: used.map(|(one, _)| one.body_need()).max().unwrap_or_default(),
            readers: self
                .readers
                .into_iter()
                .filter(|(_, n_numbers)| 0 < *n_numbers)
                .map(|(reader, n_numbers)| (Arc::from(reader), n_numbers))
                .collect(),
            n_numbers,
            is_auto: false,
            prior: None,
        }
    }
}
