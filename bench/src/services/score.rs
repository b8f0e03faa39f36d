//! How good estimates of a service were.

use serde::Serialize;

use weighbridge_core::statistics::{median, quantile};

use super::run::Line;

/// Of the requests of one service that were judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceScore {
    /// How many.
    pub held_out: usize,
    /// Median absolute percentage error, as a fraction of the time that was taken.
    pub mdape: f64,
    /// Fraction that stayed below the estimated p90.
    pub p90_coverage: f64,
    /// The median error of the mean of all requests before.
    pub running_mean_mdape: f64,
    /// Least, median and most time, in seconds.
    pub work_seconds: [f64; 3],
}

/// One request: what was estimated, mean and p90, and what it took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ToldLine {
    pub(super) mean: f64,
    pub(super) p90: f64,
    pub(super) work: f64,
}

/// The requests of a route that have both an estimate and a time.
pub(super) fn told(lines: &[Line]) -> Vec<ToldLine> {
    let told = lines.iter().filter(|line| line.route.is_some()).filter_map(|line| {
        let (mean, p90, work) = (line.estimate_mean?, line.estimate_p90?, line.work?);
        (0.0 < work).then_some(ToldLine { mean, p90, work })
    });
    told.collect()
}

/// Median absolute percentage error, as a fraction.
pub(super) fn mdape(told: &[ToldLine]) -> f64 {
    let errors: Vec<f64> = told.iter().map(|one| (one.mean / one.work - 1.0).abs()).collect();
    median(&errors).unwrap_or(f64::NAN)
}

impl ServiceScore {
    /// Judges all but the first `n_before` requests.
    pub(super) fn of(told: &[ToldLine], n_before: usize) -> ServiceScore {
        let judged = &told[n_before.min(told.len())..];
        let works: Vec<f64> = judged.iter().map(|one| one.work).collect();
        let n_held = judged.iter().filter(|one| one.work <= one.p90).count();
        ServiceScore {
            held_out: judged.len(),
            mdape: mdape(judged),
            p90_coverage: n_held as f64 / judged.len().max(1) as f64,
            running_mean_mdape: running_mean(told, n_before),
            work_seconds: [0.0, 0.5, 1.0].map(|share| quantile(&works, share).unwrap_or(f64::NAN)),
        }
    }
}

/// The median error of the mean of all requests before each that is judged.
fn running_mean(told: &[ToldLine], n_before: usize) -> f64 {
    let mut sum = 0.0;
    let mut errors = Vec::new();
    for (index, one) in told.iter().enumerate() {
        if n_before <= index && 0 < index {
            errors.push((sum / index as f64 / one.work - 1.0).abs());
        }
        sum += one.work;
    }
    median(&errors).unwrap_or(f64::NAN)
}
