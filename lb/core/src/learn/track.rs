//! How good recent estimates were.
//!
//! # Decision: the drift gate asks by which factor an estimate is off
//!
//! As a percentage, an underestimate is never off by more than 100 %, however wrong it is. So the
//! gate judges `max(estimate / truth, truth / estimate) - 1`. Estimates that it holds back rank
//! hosts by `x (1 + 2 n / cores) / speed`, which is least connections with the cost to those that
//! are there. Cost: two measures of error, for `/models` shows the percentage. Look again when a
//! route's estimates are good for most requests and wrong for a few large ones.

use std::collections::VecDeque;

use super::SizeQuality;
use crate::statistics::{Newest, median};

/// The errors of the most recent estimates, each made before its outcome was known.
#[derive(Debug, Clone, Default)]
pub(super) struct Track {
    recent: Recent,
    /// The same by size: of those that were predicted to cost up to each of [`SIZES`], and of those
    /// beyond.
    by_size: [Recent; SIZES.len() + 1],
}

/// Of each the absolute percentage error as a fraction, and whether the p90 held.
#[derive(Debug, Clone, Default)]
struct Recent(VecDeque<(f64, bool)>);

/// Between two classes of size, in CPU-seconds of the reference core.
const SIZES: [f64; 4] = [0.01, 0.1, 1.0, 10.0];

/// Trust in an estimator, with hysteresis: lost above a limit, won back well below it.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    /// The errors of those judged.
    judged: Newest,
    /// Whether the p90 of recent ones held.
    held: VecDeque<bool>,
    is_open: bool,
    /// Closes above this median error: the factor between estimate and truth, less one.
    error_max: f64,
}

/// How many estimates are recent.
const RECENT: usize = 100;

/// The gate judges this many of the most recent, and nothing before it has as many.
const JUDGED: usize = 50;
const JUDGED_MIN: usize = 20;

/// Recent estimates are clearly worse above this multiple of the error that was expected, and this
/// much more; or where fewer than this part stayed below their p90.
const OFF_FACTOR: f64 = 2.0;
const OFF_MARGIN: f64 = 0.02;
const OFF_COVERAGE: f64 = 0.7;

/// Trust is won back below this part of the limit.
const REOPEN: f64 = 0.8;

impl Track {
    /// A request that cost `actual` CPU-seconds, above zero, was estimated so: mean and p90.
    pub(super) fn push(&mut self, (mean, p90): (f64, f64), actual: f64) {
        let of = ((mean / actual - 1.0).abs(), actual <= p90);
        let class = SIZES.iter().position(|size| mean <= *size).unwrap_or(SIZES.len());
        self.recent.push(of);
        self.by_size[class].push(of);
    }

    /// Median absolute percentage error, as a fraction.
    pub(super) fn mdape(&self) -> Option<f64> {
        self.recent.mdape()
    }

    /// Fraction of requests that stayed below their p90.
    pub(super) fn p90_coverage(&self) -> Option<f64> {
        self.recent.p90_coverage()
    }

    /// The same by size, the smallest first, of those of which there were any.
    pub(super) fn by_size(&self) -> Vec<SizeQuality> {
        let classes = self.by_size.iter().enumerate();
        let shown = classes.filter_map(|(nth, recent)| {
            Some(SizeQuality {
                up_to_seconds: SIZES.get(nth).copied(),
                requests: recent.0.len(),
                mdape: recent.mdape()?,
                p90_coverage: recent.p90_coverage()?,
            })
        });
        shown.collect()
    }
}

impl Recent {
    fn push(&mut self, of: (f64, bool)) {
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back(of);
    }

    fn mdape(&self) -> Option<f64> {
        median(&self.0.iter().map(|(error, _)| *error).collect::<Vec<_>>())
    }

    fn p90_coverage(&self) -> Option<f64> {
        share(self.0.iter().map(|(_, held)| *held))
    }
}

impl Gate {
    /// Open until something is known.
    pub(super) fn new(error_max: f64) -> Gate {
        Gate { judged: Newest::of(JUDGED), held: VecDeque::new(), is_open: true, error_max }
    }

    /// Judges by another limit from now on.
    pub(super) fn set_error_max(&mut self, error_max: f64) {
        self.error_max = error_max;
    }

    /// Open or closed by an error found elsewhere, on observations held back.
    pub(super) fn judged_by(error_max: f64, error: f64) -> Gate {
        Gate { is_open: error <= error_max, ..Gate::new(error_max) }
    }

    /// Whether it closed just now.
    pub(super) fn push(&mut self, error: f64, p90_held: bool) -> bool {
        self.judged.push(error);
        if self.held.len() == RECENT {
            self.held.pop_front();
        }
        self.held.push_back(p90_held);
        if self.judged.len() < JUDGED_MIN {
            return false;
        }
        let was_open = self.is_open;
        let limit = if self.is_open { self.error_max } else { self.error_max * REOPEN };
        self.is_open = self.judged.median().is_some_and(|error| error <= limit);
        was_open && !self.is_open
    }

    /// Whether recent estimates were clearly worse than those that its model was judged by, which
    /// had a median error of `expected`: more than twice that, or their p90 seldom held.
    pub(super) fn is_off(&self, expected: f64) -> bool {
        if self.judged.len() < JUDGED {
            return false;
        }
        let limit = expected * OFF_FACTOR + OFF_MARGIN;
        let is_far = self.judged.median().is_some_and(|error| limit < error);
        is_far || share(self.held.iter().copied()).is_some_and(|held| held < OFF_COVERAGE)
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// How many of those judged are above the limit.
    pub(super) fn n_missed(&self) -> usize {
        self.judged.n_above(self.error_max)
    }
}

/// The share of those that are true; `None` where there are none.
fn share(of: impl ExactSizeIterator<Item = bool>) -> Option<f64> {
    let n = of.len();
    let n_true = of.filter(|is_true| *is_true).count();
    (0 < n).then(|| n_true as f64 / n as f64)
}
