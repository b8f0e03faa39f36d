//! What the terms of a forward selection are made of.

use std::cmp::Ordering;

use super::Table;
use super::formula::Factor;
use super::forward::Target;

/// A number of at most so many values may be an enumeration.
const VALUES_MAX: usize = 10;

/// A value counts as one of an enumeration in so many rows.
const VALUE_ROWS_MIN: usize = 4;

/// Products are made of the factors of so many features.
const FEATURES_MAX: usize = 14;

/// The most differences of two features.
const DIFFERENCES_MAX: usize = 8;

/// The factors that the features of `table` have. What is the same in all rows has none, and
/// neither has a feature that is a multiple of an earlier one. Where one of two features is never
/// below the other and they go along with each other, their difference is one: the length of what
/// goes from one to the other.
pub(super) fn all(table: &Table) -> Vec<Factor> {
    let columns: Vec<Vec<f64>> = (0..table.n_features())
        .map(|index| table.features.iter().map(|row| row[index]).collect())
        .collect();
    let mut kept: Vec<usize> = Vec::new();
    let mut numbers: Vec<usize> = Vec::new();
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
        numbers.push(index);
        if values.len() <= VALUES_MAX {
            let often = values.iter().filter(|(_, n_rows)| VALUE_ROWS_MIN <= *n_rows);
            factors.extend(often.map(|(value, _)| Factor::Is(index, *value)));
        }
    }
    let pairs = numbers.iter().flat_map(|one| numbers.iter().map(move |other| (*one, *other)));
    let ranges = pairs.filter(|(one, other)| is_range(&columns[*other], &columns[*one]));
    factors.extend(ranges.take(DIFFERENCES_MAX).map(|(one, other)| Factor::Less(one, other)));
    factors
}

/// Those of `factors` that a product of powers is made of: logarithms, and what is either 1 or 0.
pub(super) fn of_powers(factors: &[Factor]) -> Vec<Factor> {
    let has_log = |index: usize| factors.contains(&Factor::Log(index));
    let is_of_powers = |factor: &Factor| match *factor {
        Factor::Log(_) | Factor::Is(..) => true,
        Factor::Raw(index) => !has_log(index),
        Factor::Less(..) => false,
    };
    factors.iter().copied().filter(is_of_powers).collect()
}

/// Whether `from` and `to` seem to be the ends of a range: the one is never above the other, and
/// most of what it is, the other is, too.
fn is_range(from: &[f64], to: &[f64]) -> bool {
    let is_ordered = from.iter().zip(to).all(|(from, to)| 0.0 <= *from && from <= to);
    let (below, above): (f64, f64) = (from.iter().sum(), to.iter().sum());
    let is_apart = from.iter().zip(to).any(|(from, to)| from < to);
    is_ordered && is_apart && above / 2.0 < below
}

/// The factors of the features whose best factor scores highest, in the order of the features.
pub(super) fn best(scored: Vec<(Factor, f64)>) -> Vec<Factor> {
    let mut features: Vec<(usize, f64)> = Vec::new();
    for (factor, score) in &scored {
        for of_factor in factor.features() {
            match features.iter_mut().find(|(feature, _)| *feature == of_factor) {
                Some((_, best)) => *best = best.max(*score),
                None => features.push((of_factor, *score)),
            }
        }
    }
    features.sort_by(|one, other| other.1.total_cmp(&one.1));
    features.truncate(FEATURES_MAX);
    let is_best =
        |factor: &Factor| factor.features().all(|of| features.iter().any(|(one, _)| *one == of));
    scored.into_iter().map(|(factor, _)| factor).filter(is_best).collect()
}

/// Products of two that are tried from the start: for a sum, of features with each other and with
/// the values of others.
pub(super) fn pairs(factors: &[Factor], target: Target) -> Vec<Vec<Factor>> {
    let is_log = |factor: Factor| matches!(factor, Factor::Log(_));
    let is_value = |factor: Factor| matches!(factor, Factor::Is(..));
    let mut pairs = Vec::new();
    match target {
        Target::LogWork => return pairs,
        Target::Work => {}
    }
    for (index, one) in factors.iter().enumerate() {
        let others = factors[index..].iter().filter(|other| {
            let both_values = is_value(*one) && is_value(**other);
            !(is_log(*one) || is_log(**other) || both_values)
        });
        let products = others.map(|other| vec![*one, *other]);
        pairs.extend(products.filter(|product| may_multiply(product, factors)));
    }
    pairs
}

/// Whether a product of these says something: a logarithm goes with what is either 1 or 0, and with
/// its own feature (`n ln n`); of the values of a feature there is one.
pub(super) fn may_multiply(product: &[Factor], factors: &[Factor]) -> bool {
    let is_switch = |factor: Factor| match factor {
        Factor::Raw(index) => !factors.contains(&Factor::Log(index)),
        Factor::Is(..) => true,
        Factor::Log(_) | Factor::Less(..) => false,
    };
    let goes_with = |one: Factor, other: Factor| match (one, other) {
        (Factor::Log(of), _) if !is_switch(other) => other.features().any(|index| index == of),
        (Factor::Is(of, _), _) => other.features().all(|index| index != of),
        (Factor::Raw(of), Factor::Raw(and)) if is_switch(one) => of != and,
        (Factor::Log(_) | Factor::Raw(_) | Factor::Less(..), _) => true,
    };
    product.iter().enumerate().all(|(nth, one)| {
        let others = product.iter().enumerate().filter(|(other, _)| *other != nth);
        others.map(|(_, other)| *other).all(|other| goes_with(*one, other))
    })
}

/// A total order, so that a product is the same whatever order its factors came in.
pub(super) fn order(one: &Factor, other: &Factor) -> Ordering {
    let key = |factor: &Factor| match *factor {
        Factor::Raw(index) => (index, 0, 0.0),
        Factor::Log(index) => (index, 1, 0.0),
        Factor::Is(index, value) => (index, 2, value),
        Factor::Less(index, other) => (index, 3, other as f64),
    };
    let (one, other) = (key(one), key(other));
    (one.0, one.1).cmp(&(other.0, other.1)).then(one.2.total_cmp(&other.2))
}

/// The values of a column with the number of their rows, up to one more than [`VALUES_MAX`].
fn values(column: &[f64]) -> Vec<(f64, usize)> {
    let mut values: Vec<(f64, usize)> = Vec::new();
    for value in column {
        let known = values.iter().position(|(known, _)| known.total_cmp(value).is_eq());
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
