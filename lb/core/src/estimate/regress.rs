//! Regressions that cannot fail: unusable columns are left out, and no solution is `None`.
//!
//! To find the unusable ones, the columns are written as sums of axes at right angles (`X = Q R`).
//! The solver then gets `R`, and what the targets have along the axes, instead of the rows: as many
//! rows as there are columns, with the same solution.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_elasticnet::ElasticNet;
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};

use super::vectors::{dot, leave, square};
use crate::statistics::median;

/// How the coefficients are found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Solver {
    /// Ordinary least squares.
    LeastSquares,
    /// Least squares without negative coefficients: of those that would be, one after the other is
    /// left out.
    NotNegative,
    /// Elastic net with this penalty, on columns and targets of about 1.
    ElasticNet {
        /// linfa's penalty.
        penalty: f64,
    },
}

/// A matrix of terms, one row a request. No column for a constant is added.
#[derive(Debug)]
pub(crate) struct Design {
    rows: Vec<Vec<f64>>,
}

/// A column counts as a combination of others where less than this part of its length is its own.
const OWN_MIN: f64 = 1e-6;

/// A target below this part of the median weighs as much as one at it: what is so small is noise.
const TARGET_FLOOR: f64 = 1e-3;

impl Design {
    pub(crate) fn new(rows: impl Iterator<Item = Vec<f64>>) -> Design {
        Design { rows: rows.collect() }
    }

    /// Coefficients with the least squares of `fitted - target`.
    pub(crate) fn absolute(&self, targets: &[f64], solver: Solver) -> Option<Vec<f64>> {
        self.weighted(targets, &vec![1.0; targets.len()], solver)
    }

    /// Coefficients with the least squares of `(fitted - target) / expected`: first with the target
    /// for what is expected, then with what that fitted, so that noise does not draw the fit
    /// towards the rows that came out low.
    pub(crate) fn relative(&self, targets: &[f64], solver: Solver) -> Option<Vec<f64>> {
        let floor = median(targets)? * TARGET_FLOOR;
        let weights: Vec<f64> = targets.iter().map(|target| 1.0 / target.max(floor)).collect();
        let first = self.weighted(targets, &weights, solver)?;
        let fitted = self.rows.iter().map(|row| dot(row, &first));
        let weights = fitted
            .zip(targets)
            .map(|(fitted, target)| 1.0 / fitted.clamp(target / 2.0, target * 2.0).max(floor));
        self.weighted(targets, &weights.collect::<Vec<_>>(), solver).or(Some(first))
    }

    /// Coefficients with the least squares of `(fitted - target) x weight`.
    pub(crate) fn weighted(
        &self,
        targets: &[f64],
        weights: &[f64],
        solver: Solver,
    ) -> Option<Vec<f64>> {
        let n_columns = self.rows.first()?.len();
        let column = |column: usize| {
            let rows = self.rows.iter().zip(weights);
            rows.map(|(row, weight)| row[column] * weight).collect()
        };
        let factored = Factored::new((0..n_columns).map(column))?;
        let targets: Vec<f64> =
            targets.iter().zip(weights).map(|(target, weight)| target * weight).collect();
        let targets = factored.along_axes(targets);
        let all: Vec<usize> = (0..factored.kept.len()).collect();
        let coefficients = match solver {
            Solver::LeastSquares => factored.solve(&all, &targets, least_squares)?,
            Solver::NotNegative => factored.not_negative(all, &targets)?,
            Solver::ElasticNet { penalty } => {
                // The penalty is for each row.
                let penalty = penalty * self.rows.len() as f64 / all.len() as f64;
                factored.solve(&all, &targets, |x, y| elastic_net(x, y, penalty))?
            }
        };
        coefficients.iter().all(|coefficient| coefficient.is_finite()).then_some(coefficients)
    }
}

/// Columns with a mean square of 1, as sums of axes of length 1 at right angles to each other.
struct Factored {
    /// What each column was divided by; 0 where it is all zeros.
    scales: Vec<f64>,
    /// Columns that are no combination of those before them: as many as there are axes.
    kept: Vec<usize>,
    /// What each of those has along the axes up to its own.
    along: Vec<Vec<f64>>,
    axes: Vec<Vec<f64>>,
}

impl Factored {
    /// `None` where a number is not finite or there are fewer rows than columns to fit.
    fn new(columns: impl Iterator<Item = Vec<f64>>) -> Option<Factored> {
        let (scales, kept, along, axes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut factored = Factored { scales, kept, along, axes };
        let mut n_rows = 0;
        for mut column in columns {
            n_rows = column.len();
            let scale = (square(&column) / n_rows as f64).sqrt();
            if !scale.is_finite() {
                return None;
            }
            factored.scales.push(scale);
            if scale != 0.0 {
                for value in &mut column {
                    *value /= scale;
                }
                factored.add(column);
            }
        }
        let n_kept = factored.kept.len();
        (0 < n_kept && n_kept <= n_rows).then_some(factored)
    }

    /// Adds the column that was scaled last, by Gram and Schmidt, unless it is a combination of
    /// those before it.
    fn add(&mut self, mut own: Vec<f64>) {
        let whole = square(&own).sqrt();
        let mut along: Vec<f64> = self.axes.iter().map(|axis| leave(&mut own, axis)).collect();
        let length = square(&own).sqrt();
        if whole * OWN_MIN < length {
            along.push(length);
            for value in &mut own {
                *value /= length;
            }
            self.axes.push(own);
            self.along.push(along);
            self.kept.push(self.scales.len() - 1);
        }
    }

    /// What `targets` have along each axis.
    fn along_axes(&self, mut targets: Vec<f64>) -> Vec<f64> {
        self.axes.iter().map(|axis| leave(&mut targets, axis)).collect()
    }

    /// Coefficients of all columns, 0 for those not in `chosen`, which are places in `kept`.
    fn solve(
        &self,
        chosen: &[usize],
        targets: &[f64],
        solver: impl Fn(Array2<f64>, Array1<f64>) -> Option<Array1<f64>>,
    ) -> Option<Vec<f64>> {
        let matrix = Array2::from_shape_fn((self.axes.len(), chosen.len()), |(axis, place)| {
            self.along[chosen[place]].get(axis).copied().unwrap_or(0.0)
        });
        let solution = solver(matrix, Array1::from(targets.to_vec()))?;
        let mut coefficients = vec![0.0; self.scales.len()];
        for (place, coefficient) in chosen.iter().zip(solution) {
            let column = self.kept[*place];
            coefficients[column] = coefficient / self.scales[column];
        }
        Some(coefficients)
    }

    fn not_negative(&self, mut chosen: Vec<usize>, targets: &[f64]) -> Option<Vec<f64>> {
        loop {
            let coefficients = self.solve(&chosen, targets, least_squares)?;
            let share = |place: usize| {
                let column = self.kept[place];
                coefficients[column] * self.scales[column]
            };
            let least =
                *chosen.iter().min_by(|one, other| share(**one).total_cmp(&share(**other)))?;
            if 0.0 <= coefficients[self.kept[least]] {
                return Some(coefficients);
            }
            chosen.retain(|place| *place != least);
        }
    }
}

fn least_squares(matrix: Array2<f64>, targets: Array1<f64>) -> Option<Array1<f64>> {
    let dataset = DatasetBase::new(matrix, targets);
    let fitted = LinearRegression::new().with_intercept(false).fit(&dataset).ok()?;
    Some(fitted.params().clone())
}

fn elastic_net(matrix: Array2<f64>, targets: Array1<f64>, penalty: f64) -> Option<Array1<f64>> {
    let dataset = DatasetBase::new(matrix, targets);
    let fitted = ElasticNet::params()
        .with_intercept(false)
        .penalty(penalty)
        .l1_ratio(0.5)
        .tolerance(1e-5)
        .max_iterations(300)
        .fit(&dataset)
        .ok()?;
    Some(fitted.hyperplane().clone())
}
