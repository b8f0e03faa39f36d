//! The grammar of features: sums of products, parsed once and evaluated per request.

use super::extract::{Extraction, Extractor};
use super::{BodyNeed, FEATURE_MAX, FeatureError};

/// The most factors of one expression.
pub(super) const FACTORS_MAX: usize = 32;

/// A sum of products.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    products: Vec<Product>,
}

/// A number times what the extractors give.
#[derive(Debug, Clone)]
struct Product {
    number: f64,
    extractors: Vec<Extractor>,
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Expression, FeatureError> {
        let factors = text.split(['+', '*']).count();
        if FACTORS_MAX < factors {
            return Err(FeatureError::Long { feature: text.to_owned(), factors });
        }
        let products = text.split('+').map(|product| Product::parse(product, text));
        Ok(Expression { products: products.collect::<Result<_, _>>()? })
    }

    /// The most that any of its extractors needs.
    pub(super) fn body_need(&self) -> BodyNeed {
        let extractors = self.products.iter().flat_map(|product| &product.extractors);
        extractors.map(Extractor::body_need).max().unwrap_or(BodyNeed::Nothing)
    }

    /// Its value, within ±[`FEATURE_MAX`]; 0 where it is not a number.
    pub(super) fn value(&self, extraction: &mut Extraction<'_>) -> f64 {
        let sum: f64 = self.products.iter().map(|product| product.value(extraction)).sum();
        if sum.is_nan() { 0.0 } else { sum.clamp(-FEATURE_MAX, FEATURE_MAX) }
    }
}

impl Product {
    fn parse(text: &str, feature: &str) -> Result<Product, FeatureError> {
        let mut product = Product { number: 1.0, extractors: Vec::new() };
        for factor in text.split('*').map(str::trim) {
            if factor.is_empty() {
                return Err(FeatureError::Empty(feature.to_owned()));
            }
            let unknown =
                || FeatureError::Unknown { feature: feature.to_owned(), factor: factor.to_owned() };
            match factor.parse::<f64>() {
                Ok(number) if number.is_finite() => product.number *= number,
                Ok(_) => return Err(unknown()),
                Err(_) => {
                    product.extractors.push(Extractor::parse(factor).ok_or_else(unknown)?);
                }
            }
        }
        Ok(product)
    }

    fn value(&self, extraction: &mut Extraction<'_>) -> f64 {
        self.extractors.iter().map(|extractor| extraction.value(extractor)).product::<f64>()
            * self.number
    }
}
