//! Forward selection: of many terms the few that explain the work, one after the other.
//!
//! Each step takes the term that explains most of what is left (orthogonal forward selection: Chen,
//! Cowan and Grant, 1991), until none explains as much as chance might among so many (extended
//! Bayesian information criterion: Chen and Chen, 2008). What was taken is multiplied by further
//! factors for the next steps. In the end terms go that the others have made needless.
//!
//! Work has a long tail, and times of hosts that tell no costs have outliers upwards: errors are
//! relative, and rows that a first fit misses by far count less in the second (Huber, 1964).

use smallvec::SmallVec;

use super::formula::{FACTORS_MAX, Factor, Formula, Term};
use super::regress::{Design, Solver};
use super::vectors::{dot, leave, square};
use super::{Table, factors};
use crate::statistics::median;

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The work, with the least relative errors.
    Work,
    /// Its logarithm.
    LogWork,
}

/// The most terms, the constant included.
const TERMS_MAX: usize = 12;

/// The most terms that are tried at once.
const POOL_MAX: usize = 1200;

/// The newest rows that terms are selected by; all rows are fitted to.
const ROWS_MAX: usize = 500;

/// A term whose own part of its length is below this is a combination of those selected.
const OWN_MIN: f64 = 0.02;

/// Nothing is left to explain below this part of the whole.
const LEFT_MIN: f64 = 1e-10;

/// Rows that are off by more than so many typical errors count less.
const TYPICAL: f64 = 2.5;

/// An error of so much is always typical.
const TYPICAL_MIN: f64 = 1e-3;

/// Fits, each with the weights that the last one asks for.
const PASSES: usize = 2;

/// A target below this part of the median weighs as much as one at it.
const TARGET_FLOOR: f64 = 1e-3;

/// The formula of few terms; `None` where there is no finite one.
pub(crate) fn select(table: &Table, target: Target) -> Option<Formula> {
    let targets: Vec<f64> = match target {
        Target::Work => table.cpu_secs.clone(),
        Target::LogWork => table.cpu_secs.iter().map(|cpu_secs| cpu_secs.ln()).collect(),
    };
    let floor = median(&table.cpu_secs)? * TARGET_FLOOR;
    let mut weights: Vec<f64> = match target {
        Target::Work => table.cpu_secs.iter().map(|secs| 1.0 / secs.max(floor)).collect(),
        Target::LogWork => vec![1.0; targets.len()],
    };
    let mut formula = None;
    for _ in 0..PASSES {
        let terms = terms(table, &targets, &weights, target);
        let Some(fitted) = fit(table, &terms, &targets, &weights, target) else { break };
        weights = reweighted(table, &fitted, target, floor)?;
        // With the terms known, once more: the weights are those of a better fit.
        let again = fit(table, &terms, &targets, &weights, target);
        formula = again.or(Some(fitted));
    }
    formula
}

/// Coefficients of `terms` from all rows.
fn fit(
    table: &Table,
    terms: &[Term],
    targets: &[f64],
    weights: &[f64],
    target: Target,
) -> Option<Formula> {
    let row = |features: &Vec<f64>| terms.iter().map(|term| term.value(features)).collect();
    let design = Design::new(table.features.iter().map(row));
    let coefficients = design.weighted(targets, weights, Solver::LeastSquares)?;
    let used = terms.iter().copied().zip(coefficients).filter(|(_, one)| *one != 0.0);
    Some(Formula { terms: used.collect(), is_log: target == Target::LogWork })
}

/// Weights by what `formula` expects, and less for rows that it misses by far.
fn reweighted(table: &Table, formula: &Formula, target: Target, floor: f64) -> Option<Vec<f64>> {
    let rows = || table.features.iter().zip(&table.cpu_secs);
    let expected = rows().map(|(row, secs)| {
        let fitted = formula.cpu_secs(row);
        if fitted.is_finite() { fitted.clamp(secs / 4.0, secs * 4.0).max(floor) } else { *secs }
    });
    let expected: Vec<f64> = expected.collect();
    let errors: Vec<f64> = expected
        .iter()
        .zip(&table.cpu_secs)
        .map(|(fitted, secs)| (secs / fitted).ln().abs())
        .collect();
    let typical = (median(&errors)? * 1.5).max(TYPICAL_MIN);
    let weights = expected.iter().zip(&errors).map(|(fitted, error)| {
        let part = (TYPICAL * typical / error.max(1e-12)).min(1.0).sqrt();
        match target {
            Target::Work => part / fitted,
            Target::LogWork => part,
        }
    });
    Some(weights.collect())
}

/// The terms that explain `targets`, the constant first.
fn terms(table: &Table, targets: &[f64], weights: &[f64], target: Target) -> Vec<Term> {
    let from = table.len().saturating_sub(ROWS_MAX);
    let newest = table.select(from..table.len());
    let (targets, weights) = (&targets[from..], &weights[from..]);
    let mut search = Search::new(&newest, targets, weights);
    search.run(target);
    search.pruned()
}

/// A term, and its value in each row, times the row's weight.
#[derive(Debug, Clone)]
struct Column {
    factors: Vec<Factor>,
    /// The part that the selected terms leave.
    own: Vec<f64>,
    /// Its squared length at first.
    whole: f64,
}

/// A selection that goes on.
#[derive(Debug)]
struct Search<'a> {
    table: &'a Table,
    targets: &'a [f64],
    weights: &'a [f64],
    /// What terms are made of.
    factors: Vec<Factor>,
    pool: Vec<Column>,
    /// Of length 1, at right angles to each other: one for each selected term.
    axes: Vec<Vec<f64>>,
    selected: Vec<Term>,
    /// What is left of the targets.
    left: Vec<f64>,
}

impl<'a> Search<'a> {
    fn new(table: &'a Table, targets: &'a [f64], weights: &'a [f64]) -> Search<'a> {
        let left = targets.iter().zip(weights).map(|(target, weight)| target * weight).collect();
        let mut search = Search {
            table,
            targets,
            weights,
            factors: Vec::new(),
            pool: Vec::new(),
            axes: Vec::new(),
            selected: Vec::new(),
            left,
        };
        search.take(&Column { factors: Vec::new(), own: weights.to_vec(), whole: 1.0 });
        search
    }

    /// Selects terms as long as they explain enough.
    fn run(&mut self, target: Target) {
        let mut singles = factors::all(self.table);
        match target {
            Target::Work => {}
            Target::LogWork => singles = factors::of_powers(&singles),
        }
        for factor in &singles {
            self.offer(vec![*factor]);
        }
        // Products are made of the factors of features that explain most.
        let scores: Vec<f64> = self.pool.iter().map(|column| self.score(column)).collect();
        let scored = self.pool.iter().map(|column| column.factors[0]).zip(scores);
        self.factors = factors::best(scored.collect());
        for pair in factors::pairs(&self.factors, target) {
            self.offer(pair);
        }
        let whole = square(&self.left);
        let mut now = whole;
        while self.selected.len() < TERMS_MAX && LEFT_MIN * whole < now {
            let Some(index) = self.best(now) else { break };
            let column = self.pool.swap_remove(index);
            self.take(&column);
            now = square(&self.left);
            if column.factors.len() < FACTORS_MAX {
                for factor in self.factors.clone() {
                    let mut factors = column.factors.clone();
                    factors.push(factor);
                    if factors::may_multiply(&factors, &self.factors) {
                        self.offer(factors);
                    }
                }
            }
        }
    }

    /// By how much a term explains more than chance might, where the loss goes from `before` to
    /// `after`: above 0, or it is not taken. What is a selected term but for the value of an
    /// enumeration is no surprise.
    fn gain(&self, factors: &[Factor], before: f64, after: f64) -> f64 {
        let n_rows = self.left.len() as f64;
        let gain = n_rows * (before / after.max(f64::MIN_POSITIVE)).ln();
        let n_tried = if self.has_sibling(factors) { 1 } else { self.pool.len().max(1) };
        gain - n_rows.ln() - (n_tried as f64).ln()
    }

    /// Whether a selected term has the same factors but for the value of one.
    fn has_sibling(&self, factors: &[Factor]) -> bool {
        let is_other_value = |one: &Factor, other: &Factor| match (one, other) {
            (Factor::Is(of, value), Factor::Is(and, another)) => {
                of == and && value.total_cmp(another).is_ne()
            }
            (Factor::Is(..) | Factor::Raw(_) | Factor::Log(_) | Factor::Less(..), _) => false,
        };
        self.selected.iter().any(|term| {
            let known: SmallVec<[Factor; FACTORS_MAX]> = term.factors().collect();
            let others = || known.iter().zip(factors).filter(|(one, other)| one != other);
            known.len() == factors.len()
                && others().count() == 1
                && others().all(|(one, other)| is_other_value(one, other))
        })
    }

    /// The term in the pool that explains most beyond chance, where so much is left.
    fn best(&self, now: f64) -> Option<usize> {
        let gains = self.pool.iter().map(|column| {
            let score = self.score(column);
            if score.is_finite() { self.gain(&column.factors, now, now - score) } else { 0.0 }
        });
        let best = gains.enumerate().fold((None, 0.0), |best, (index, gain)| {
            if best.1 < gain { (Some(index), gain) } else { best }
        });
        best.0
    }

    /// How much of what is left a term explains.
    fn score(&self, column: &Column) -> f64 {
        let length = square(&column.own);
        if length <= OWN_MIN * OWN_MIN * column.whole {
            return 0.0;
        }
        let along = dot(&column.own, &self.left);
        along * along / length
    }

    /// Puts a product into the pool, unless it is there or nowhere.
    fn offer(&mut self, mut factors: Vec<Factor>) {
        factors.sort_by(factors::order);
        if POOL_MAX <= self.pool.len() || self.pool.iter().any(|known| known.factors == factors) {
            return;
        }
        let values = self.table.features.iter().zip(self.weights).map(|(row, weight)| {
            factors.iter().map(|factor| factor.value(row)).product::<f64>() * weight
        });
        let mut own: Vec<f64> = values.collect();
        let whole = square(&own);
        if whole == 0.0 || !whole.is_finite() {
            return;
        }
        for axis in &self.axes {
            leave(&mut own, axis);
        }
        self.pool.push(Column { factors, own, whole });
    }

    /// Selects a term.
    fn take(&mut self, column: &Column) {
        let length = square(&column.own).sqrt();
        let axis: Vec<f64> = column.own.iter().map(|value| value / length).collect();
        leave(&mut self.left, &axis);
        for other in &mut self.pool {
            leave(&mut other.own, &axis);
        }
        self.axes.push(axis);
        self.selected.push(term(&column.factors));
    }

    /// The selected terms without those that the others have made needless.
    fn pruned(mut self) -> Vec<Term> {
        loop {
            let before = self.loss(&self.selected);
            let without = (1..self.selected.len()).map(|index| {
                let mut terms = self.selected.clone();
                terms.remove(index);
                let factors: Vec<Factor> = self.selected[index].factors().collect();
                (index, self.gain(&factors, self.loss(&terms), before))
            });
            let least = without.min_by(|one, other| one.1.total_cmp(&other.1));
            match least {
                Some((index, gain)) if gain <= 0.0 => {
                    self.selected.remove(index);
                }
                Some(_) | None => return self.selected,
            }
        }
    }

    /// What `terms` leave of the targets.
    fn loss(&self, terms: &[Term]) -> f64 {
        let mut axes: Vec<Vec<f64>> = Vec::new();
        let mut left: Vec<f64> =
            self.targets.iter().zip(self.weights).map(|(one, weight)| one * weight).collect();
        for term in terms {
            let values = self.table.features.iter().zip(self.weights);
            let mut own: Vec<f64> = values.map(|(row, weight)| term.value(row) * weight).collect();
            let whole = square(&own);
            for axis in &axes {
                leave(&mut own, axis);
            }
            let length = square(&own);
            if length <= OWN_MIN * OWN_MIN * whole {
                continue;
            }
            let length = length.sqrt();
            for value in &mut own {
                *value /= length;
            }
            leave(&mut left, &own);
            axes.push(own);
        }
        square(&left)
    }
}

fn term(factors: &[Factor]) -> Term {
    if factors.is_empty() {
        return Term::One;
    }
    Term::Times(std::array::from_fn(|index| factors.get(index).copied()))
}
