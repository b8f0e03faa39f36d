//! Shortest remaining processing time first, preemptive (SRPT).
//!
//! rank = remaining work = estimate − attained, in CPU-seconds of the reference core; an estimate
//! that is outlived doubles. With true estimates no order has a lower mean response time (Schrage
//! 1968).

use super::Order;
use crate::progress::Progress;

/// See the module.
#[derive(Debug)]
pub(super) struct Srpt;

impl Order for Srpt {
    fn name(&self) -> &'static str {
        "srpt"
    }

    fn about(&self) -> &'static str {
        "the shortest remaining first"
    }

    fn rank(&self, progress: &Progress) -> f64 {
        progress.remaining_secs()
    }

    fn preempts(&self) -> bool {
        true
    }

    fn at_once(&self, slots: usize, _: usize) -> usize {
        slots
    }
}
