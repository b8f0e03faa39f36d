//! How good estimates were.

use serde::Serialize;

use weighbridge_core::statistics::quantile;

use crate::client::Told;

/// Of the requests of one route that were judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// How many.
    pub held_out: usize,
    /// How many of them were estimated by a model, and not by a prior, a mean or a repeat.
    pub by_model: usize,
    /// Median absolute percentage error, as a fraction of the measured work.
    pub mdape: f64,
    /// Nine of ten estimates were off by less.
    pub p90_error: f64,
    /// Fraction that stayed below the estimated p90.
    pub p90_coverage: f64,
    /// Least, median and most measured work, in CPU-seconds of the reference core.
    pub work_seconds: [f64; 3],
}

impl Score {
    /// Judges what was told.
    pub(super) fn of(told: &[&Told]) -> Score {
        let part = |n: usize| n as f64 / told.len().max(1) as f64;
        let errors: Vec<f64> = told.iter().map(|one| (one.mean / one.work - 1.0).abs()).collect();
        let works: Vec<f64> = told.iter().map(|one| one.work).collect();
        let of = |values: &[f64], share| quantile(values, share).unwrap_or(f64::NAN);
        Score {
            held_out: told.len(),
            by_model: told.iter().filter(|one| one.source == "model").count(),
            mdape: of(&errors, 0.5),
            p90_error: of(&errors, 0.9),
            p90_coverage: part(told.iter().filter(|one| one.work <= one.p90).count()),
            work_seconds: [0.0, 0.5, 1.0].map(|share| of(&works, share)),
        }
    }
}
