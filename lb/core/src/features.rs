//! The route's feature vector: named, finite, of fixed length.
//!
//! A route declares its features as text, and each is a sum of products of numbers and extractors:
//!
//! ```text
//! expression = product { "+" product }
//! product    = factor { "*" factor }
//! factor     = number | extractor
//! extractor  = query.NAME     number; true and false are 1 and 0; the last duplicate counts
//!            | header.NAME    the same
//!            | body.bytes     length of the body
//!            | body.image.    see `image::Field`
//!            | body.json      /POINTER, or .length of what is there (RFC 6901)
//!            | scene.         see `scene::Field`
//! ```
//!
//! `2.5 * query.width * query.height + body.bytes`. A pointer may hold neither white space nor `*`
//! or `+`; numbers carry no `+` in their exponent. Whatever a request does not say is 0.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::request::RequestSpec;

use expression::Expression;
use extract::Extraction;

mod expression;
mod extract;
mod image;
mod json;
mod peek;
mod sample;
mod scene;
mod solids;
mod trace;

#[cfg(test)]
mod tests;

/// What a model sees of one request: one finite number per feature of the route's [`FeatureSet`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Features(pub SmallVec<[f64; 8]>);

/// The features that a route declares, parsed.
#[derive(Debug, Clone, Default)]
pub struct FeatureSet {
    names: Vec<String>,
    expressions: Vec<Expression>,
}

/// How much of a request's body its features need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyNeed {
    /// None of it.
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

/// Why the features of a route cannot be used. The configuration's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// A factor is missing.
    #[error("feature `{0}` has an empty factor, expected a number or an extractor")]
    Empty(String),
    /// A factor is neither a number nor an extractor.
    #[error(
        "feature `{feature}` has the factor `{factor}`, expected a finite number, `query.NAME`, \
         `header.NAME`, `body.bytes`, `body.image.{{{}}}`, `body.json/POINTER` or `scene.{{{}}}`",
        image::Field::names().join(","),
        scene::Field::names().join(",")
    )]
    Unknown {
        /// The whole expression.
        feature: String,
        /// What is wrong with it.
        factor: String,
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
    /// Parses one feature per expression. All mistakes are reported at once.
    pub fn parse(expressions: &[String]) -> Result<FeatureSet, Vec<FeatureError>> {
        let mut mistakes = Vec::new();
        if FEATURES_MAX < expressions.len() {
            mistakes.push(FeatureError::TooMany(expressions.len()));
        }
        let mut set = FeatureSet::default();
        for text in expressions {
            if set.names.contains(text) {
                mistakes.push(FeatureError::Duplicate(text.clone()));
            }
            set.names.push(text.clone());
            match Expression::parse(text) {
                Ok(expression) => set.expressions.push(expression),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(set) } else { Err(mistakes) }
    }

    /// The expressions as written, in the order of [`Features`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How much of the body has to be read before [`FeatureSet::extract`].
    pub fn body_need(&self) -> BodyNeed {
        self.expressions.iter().map(Expression::body_need).max().unwrap_or(BodyNeed::Nothing)
    }

    /// The features of one request: always finite and as many as there are names.
    ///
    /// Cost: linear in the length of what was read of the request, whatever is in it, and a bounded
    /// number of ray tests where a `scene` feature asks for them.
    pub fn extract(&self, spec: &RequestSpec<'_>) -> Features {
        let mut extraction = Extraction::new(spec);
        Features(self.expressions.iter().map(|one| one.value(&mut extraction)).collect())
    }
}
