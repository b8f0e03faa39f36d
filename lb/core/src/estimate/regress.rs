//! Regressions that cannot fail: unusable columns are left out, and no solution is `None`.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_elasticnet::ElasticNet;
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};

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
        let rows = self.rows.iter().zip(weights);
        let rows = rows.map(|(row, weight)| row.iter().map(|value| value * weight).collect());
        let scaled = Scaled::new(rows.collect())?;
        let targets: Vec<f64> =
            targets.iter().zip(weights).map(|(target, weight)| target * weight).collect();
        let coefficients = match solver {
            Solver::LeastSquares => scaled.solve(&scaled.kept, &targets, least_squares)?,
            Solver::NotNegative => scaled.not_negative(&targets)?,
            Solver::ElasticNet { penalty } => {
                scaled.solve(&scaled.kept, &targets, |x, y| elastic_net(x, y, penalty))?
            }
        };
        coefficients.iter().all(|coefficient| coefficient.is_finite()).then_some(coefficients)
    }
}

/// Rows whose columns have a mean square of 1.
struct Scaled {
    rows: Vec<Vec<f64>>,
    /// What each column was divided by; 0 where it is all zeros.
    scales: Vec<f64>,
    /// Columns that are no combination of those before them.
    kept: Vec<usize>,
}

impl Scaled {
    /// `None` where a number is not finite or there are fewer rows than columns to fit.
    fn new(mut rows: Vec<Vec<f64>>) -> Option<Scaled> {
        let n_columns = rows.first()?.len();
        let n_rows = rows.len() as f64;
        let square = |column: usize| rows.iter().map(|row| row[column].powi(2)).sum::<f64>();
        let scales: Vec<f64> =
            (0..n_columns).map(|column| (square(column) / n_rows).sqrt()).collect();
        if !scales.iter().all(|scale| scale.is_finite()) {
            return None;
        }
        for row in &mut rows {
            for (value, scale) in row.iter_mut().zip(&scales) {
                *value /= if *scale == 0.0 { 1.0 } else { *scale };
            }
        }
        let kept = independent(&rows, n_columns);
        (!kept.is_empty() && kept.len() <= rows.len()).then_some(Scaled { rows, scales, kept })
    }

    /// Coefficients of all columns, 0 for those not in `columns`.
    fn solve(
        &self,
        columns: &[usize],
        targets: &[f64],
        solver: impl Fn(Array2<f64>, Array1<f64>) -> Option<Array1<f64>>,
    ) -> Option<Vec<f64>> {
        let matrix = Array2::from_shape_fn((self.rows.len(), columns.len()), |(row, column)| {
            self.rows[row][columns[column]]
        });
        let solution = solver(matrix, Array1::from(targets.to_vec()))?;
        let mut coefficients = vec![0.0; self.scales.len()];
        for (column, coefficient) in columns.iter().zip(solution) {
            coefficients[*column] = coefficient / self.scales[*column];
        }
        Some(coefficients)
    }

    fn not_negative(&self, targets: &[f64]) -> Option<Vec<f64>> {
        let mut columns = self.kept.clone();
        loop {
            let coefficients = self.solve(&columns, targets, least_squares)?;
            let share = |column: usize| coefficients[column] * self.scales[column];
            let least =
                *columns.iter().min_by(|one, other| share(**one).total_cmp(&share(**other)))?;
            if 0.0 <= coefficients[least] {
                return Some(coefficients);
            }
            columns.retain(|column| *column != least);
        }
    }
}

/// Columns that are no combination of those before them, by Gram and Schmidt.
fn independent(rows: &[Vec<f64>], n_columns: usize) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for column in 0..n_columns {
        let mut own: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        let whole = dot(&own, &own).sqrt();
        for axis in &basis {
            let along = dot(&own, axis);
            for (value, axis) in own.iter_mut().zip(axis) {
                *value -= along * axis;
            }
        }
        let length = dot(&own, &own).sqrt();
        if whole * OWN_MIN < length {
            basis.push(own.iter().map(|value| value / length).collect());
            kept.push(column);
        }
    }
    kept
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

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
