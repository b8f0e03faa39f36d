//! What the terms of a forward selection are made of.

use std::cmp::Ordering;

use super::Table;
use super::formula::Factor;

/// A number of at most so many values may be an enumeration.
const VALUES_MAX: usize = 10;

/// A value counts as one of an enumeration in so many rows.
const VALUE_ROWS_MIN: usize = 4;

/// Products are made of the factors of so many features.
const FEATURES_MAX: usize = 14;

/// The factors that the features of `table` have. What is the same in all rows has none, and
/// neither has a feature that is a multiple of an earlier one.
pub(super) fn all(table: &Table) -> Vec<Factor> {
    let columns: Vec<Vec<f64>> = (0..table.n_features())
        .map(|index| table.features.iter().map(|row| row[index]).collect())
        .collect();
    let mut kept: Vec<usize> = Vec::new();
    let mut factors = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let values = values(column);
        if values.len() < 2 || kept.iter().any(|known| is_multiple(&columns[*known], column)) {
            continue;
        }
        kept.push(index);
        factors.push(Factor::Raw(index));
        let is_yes_or_no = values.len() == 2 && values.iter().any(|(value, _)| *value == 0.0);
        if is_yes_or_no {
            continue;
        }
        factors.push(Factor::Log(index));
        if values.len() <= VALUES_MAX {
            let often = values.iter().filter(|(_, n_rows)| VALUE_ROWS_MIN <= *n_rows);
            factors.extend(often.map(|(value, _)| Factor::Is(index, *value)));
        }
    }
    factors
}

/// The factors of the features whose best factor scores highest, in the order of the features.
pub(super) fn best(scored: Vec<(Factor, f64)>) -> Vec<Factor> {
    let mut features: Vec<(usize, f64)> = Vec::new();
    for (factor, score) in &scored {
        match features.iter_mut().find(|(feature, _)| *feature == factor.feature()) {
            Some((_, best)) => *best = best.max(*score),
            None => features.push((factor.feature(), *score)),
        }
    }
    features.sort_by(|one, other| other.1.total_cmp(&one.1));
    features.truncate(FEATURES_MAX);
    let is_best = |factor: &Factor| features.iter().any(|(one, _)| *one == factor.feature());
    scored.into_iter().map(|(factor, _)| factor).filter(is_best).collect()
}

/// Products of two: of features with each other, and of a feature with the values of another.
pub(super) fn pairs(factors: &[Factor]) -> Vec<Vec<Factor>> {
    let is_pair = |one: Factor, other: Factor| match (one, other) {
        (Factor::Raw(_), Factor::Raw(_)) => true,
        (Factor::Raw(a), Factor::Is(b, _)) | (Factor::Is(a, _), Factor::Raw(b)) => a != b,
        (Factor::Log(_), _) | (_, Factor::Log(_)) | (Factor::Is(..), Factor::Is(..)) => false,
    };
    let mut pairs = Vec::new();
    for (index, one) in factors.iter().enumerate() {
        let others = factors[index..].iter().filter(|other| is_pair(*one, **other));
        pairs.extend(others.map(|other| vec![*one, *other]));
    }
    pairs
}

/// A total order, so that a product is the same whatever order its factors came in.
pub(super) fn order(one: &Factor, other: &Factor) -> Ordering {
    let key = |factor: &Factor| match *factor {
        Factor::Raw(index) => (index, 0, 0.0),
        Factor::Log(index) => (index, 1, 0.0),
        Factor::Is(index, value) => (index, 2, value),
    };
    let (one, other) = (key(one), key(other));
    (one.0, one.1).cmp(&(other.0, other.1)).then(one.2.total_cmp(&other.2))
}

/// The values of a column with the number of their rows, up to one more than [`VALUES_MAX`].
fn values(column: &[f64]) -> Vec<(f64, usize)> {
    let mut values: Vec<(f64, usize)> = Vec::new();
    for value in column {
        let known = values.iter().position(|(known, _)| known == value);
        match known {
            Some(known) => values[known].1 += 1,
            None if values.len() <= VALUES_MAX => values.push((*value, 1)),
            None => break,
        }
    }
    values.sort_by(|one, other| one.0.total_cmp(&other.0));
    values
}

/// Whether `other` is `one` times some number, in every row.
fn is_multiple(one: &[f64], other: &[f64]) -> bool {
    let first = one.iter().zip(other).find(|(one, other)| **one != 0.0 || **other != 0.0);
    let Some((first_one, first_other)) = first else { return true };
    let factor = first_other / first_one;
    factor.is_finite()
        && one.iter().zip(other).all(|(one, other)| {
            let off = (one * factor - other).abs();
            off <= 1e-9 * other.abs()
        })
}
