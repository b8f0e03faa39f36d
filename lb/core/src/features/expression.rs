//! The grammar of features: sums of products, parsed once and evaluated per request.

use super::{FEATURE_MAX, FeatureError};

/// The most factors of one expression.
pub(super) const FACTORS_MAX: usize = 32;

/// A sum of products. `F` says where the number of a factor is.
#[derive(Debug, Clone)]
pub(super) struct Expression<F> {
    products: Vec<Product<F>>,
}

/// A number times what the extractors read.
#[derive(Debug, Clone)]
struct Product<F> {
    number: f64,
    factors: Vec<F>,
}

impl<F> Expression<F> {
    /// Parses `text`. `place` says where the number of a factor is, or what was expected of it.
    pub(super) fn parse(
        text: &str,
        mut place: impl FnMut(&str) -> Result<F, String>,
    ) -> Result<Expression<F>, FeatureError> {
        let factors = text.split(['+', '*']).count();
        if FACTORS_MAX < factors {
            return Err(FeatureError::Long { feature: text.to_owned(), factors });
        }
        let products = text.split('+').map(|product| Product::parse(product, text, &mut place));
        Ok(Expression { products: products.collect::<Result<_, _>>()? })
    }

    /// The same expression, with other places.
    pub(super) fn map<G>(self, place: impl Fn(F) -> G) -> Expression<G> {
        let products = self.products.into_iter().map(|product| Product {
            number: product.number,
            factors: product.factors.into_iter().map(&place).collect(),
        });
        Expression { products: products.collect() }
    }
}

impl Expression<usize> {
    /// Its value, within ±[`FEATURE_MAX`]; 0 where it is not a number.
    pub(super) fn value(&self, numbers: &[f64]) -> f64 {
        let product = |one: &Product<usize>| {
            one.factors.iter().map(|place| numbers[*place]).product::<f64>() * one.number
        };
        let sum: f64 = self.products.iter().map(product).sum();
        if sum.is_nan() { 0.0 } else { sum.clamp(-FEATURE_MAX, FEATURE_MAX) }
    }
}

impl<F> Product<F> {
    fn parse(
        text: &str,
        feature: &str,
        place: &mut impl FnMut(&str) -> Result<F, String>,
    ) -> Result<Product<F>, FeatureError> {
        let mut product = Product { number: 1.0, factors: Vec::new() };
        for factor in text.split('*').map(str::trim) {
            if factor.is_empty() {
                return Err(FeatureError::Empty(feature.to_owned()));
            }
            match factor.parse::<f64>() {
                Ok(number) if number.is_finite() => product.number *= number,
                // An infinite number is no factor either: the extractors say what would be.
                Ok(_) | Err(_) => product.factors.push(place(factor).map_err(|expected| {
                    let (feature, factor) = (feature.to_owned(), factor.to_owned());
                    FeatureError::Unknown { feature, factor, expected }
                })?),
            }
        }
        Ok(product)
    }
}
