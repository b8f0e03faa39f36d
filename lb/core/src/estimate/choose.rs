//! Chooses the estimator of a route by k-fold cross-validation.

use super::estimators::Estimator;
use super::{Formula, Table};
use crate::random::Random;
use crate::statistics::{median, quantile};

/// The best estimator, fitted to all rows, and how it did on rows held back.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) estimator: &'static str,
    pub(crate) formula: Formula,
    /// Nine of ten requests cost less than this multiple of their estimate; at least 1.
    pub(crate) p90_ratio: f64,
    /// Median absolute percentage error on rows held back, as a fraction.
    pub(crate) mdape: f64,
    /// Fraction of rows held back that stayed below a p90 found without them.
    pub(crate) p90_coverage: f64,
}

/// Parts of the table; each is held back once.
const FOLDS: usize = 5;

/// An estimator that is no better than the best so far in so many folds is not tried in the others.
const FOLDS_FIRST: usize = 2;

/// The fewest rows to choose by.
pub(crate) const ROWS_MIN: usize = 10;

/// A less simple estimator has to be so much better: this part of the error, less this much.
const BETTER_FACTOR: f64 = 0.95;
const BETTER_MARGIN: f64 = 1e-4;

/// An estimate is at least this part of the least work seen. Far from the rows that it was fitted
/// to a formula may give tiny or negative numbers.
pub(crate) const LEAST_PART: f64 = 0.2;

/// The best of `estimators`, the simpler of which come first; ties go to the simpler. The seed
/// decides which rows are held back together.
pub(crate) fn choose(
    table: &Table,
    estimators: &[&'static dyn Estimator],
    seed: u64,
) -> Option<Chosen> {
    if table.len() < ROWS_MIN {
        return None;
    }
    let folds = folds(table.len(), seed);
    let mut best: Option<(&'static str, Formula, f64, Vec<f64>)> = None;
    for estimator in estimators {
        let rival = best.as_ref().map(|(_, _, _, ratios)| &ratios[..]);
        let Some(ratios) = held_back_ratios(*estimator, table, &folds, rival) else { continue };
        let Some(error) = error(ratios.iter()) else { continue };
        let is_better = best
            .as_ref()
            .is_none_or(|(_, _, least, _)| error < least * BETTER_FACTOR - BETTER_MARGIN);
        // One that fits every part need not fit the whole.
        if is_better && let Some(formula) = estimator.fit(table) {
            best = Some((estimator.name(), formula, error, ratios));
        }
    }
    let (estimator, formula, mdape, ratios) = best?;
    Some(Chosen {
        estimator,
        formula,
        p90_ratio: p90(&ratios)?,
        mdape,
        p90_coverage: coverage(&ratios, &folds)?,
    })
}

/// The median absolute percentage error, as a fraction, of estimates whose requests cost so many
/// times as much.
fn error<'a>(ratios: impl Iterator<Item = &'a f64>) -> Option<f64> {
    median(&ratios.map(|ratio| (1.0 / ratio - 1.0).abs()).collect::<Vec<f64>>())
}

/// What each row cost over what was estimated for it by a fit to the other folds. `None` where a
/// fit has no solution, or the first folds show that it is no better than those of the `rival`.
fn held_back_ratios(
    estimator: &dyn Estimator,
    table: &Table,
    folds: &[usize],
    rival: Option<&[f64]>,
) -> Option<Vec<f64>> {
    let mut ratios = vec![1.0; table.len()];
    for fold in 0..FOLDS {
        if fold == FOLDS_FIRST && rival.is_some_and(|rival| !is_better(&ratios, rival, folds)) {
            return None;
        }
        let rows = 0..table.len();
        let others = table.select(rows.clone().filter(|row| folds[*row] != fold));
        let formula = estimator.fit(&others)?;
        let least = least(&others);
        for row in rows.filter(|row| folds[*row] == fold) {
            let estimate = formula.cpu_secs(&table.features[row]);
            let estimate = if estimate.is_finite() { estimate.max(least) } else { least };
            ratios[row] = table.cpu_secs[row] / estimate;
        }
    }
    Some(ratios)
}

/// Whether the errors in the first folds are less than the `rival`'s.
fn is_better(ratios: &[f64], rival: &[f64], folds: &[usize]) -> bool {
    let first = |ratios: &[f64]| {
        let rows = ratios.iter().zip(folds).filter(|(_, fold)| **fold < FOLDS_FIRST);
        error(rows.map(|(ratio, _)| ratio))
    };
    first(ratios) < first(rival)
}

/// No estimate of a formula fitted to this table is below this.
pub(crate) fn least(table: &Table) -> f64 {
    table.cpu_secs.iter().copied().fold(f64::INFINITY, f64::min) * LEAST_PART
}

fn p90(ratios: &[f64]) -> Option<f64> {
    quantile(ratios, 0.9).map(|ratio| ratio.clamp(1.0, 1e3))
}

/// Each fold judged by the p90 of the others.
fn coverage(ratios: &[f64], folds: &[usize]) -> Option<f64> {
    let mut covered = 0;
    for fold in 0..FOLDS {
        let pick = |same: bool| {
            let rows = ratios.iter().zip(folds);
            rows.filter(move |(_, of)| (**of == fold) == same).map(|(ratio, _)| *ratio)
        };
        let bound = p90(&pick(false).collect::<Vec<_>>())?;
        covered += pick(true).filter(|ratio| *ratio <= bound).count();
    }
    Some(covered as f64 / ratios.len() as f64)
}

/// The fold of each row: equal parts, shuffled (Fisher and Yates).
fn folds(n_rows: usize, seed: u64) -> Vec<usize> {
    let mut folds: Vec<usize> = (0..n_rows).map(|row| row % FOLDS).collect();
    let mut random = Random::new(seed);
    for last in (1..n_rows).rev() {
        folds.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
    folds
}
