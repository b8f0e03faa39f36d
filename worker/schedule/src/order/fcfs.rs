//! First come, first served (FCFS).
//!
//! rank = number of arrival.

use super::Order;
use crate::progress::Progress;

/// See the module.
#[derive(Debug)]
pub(super) struct Fcfs;

impl Order for Fcfs {
    fn name(&self) -> &'static str {
        "fcfs"
    }

    fn about(&self) -> &'static str {
        "as they came"
    }

    fn rank(&self, progress: &Progress) -> f64 {
        progress.number() as f64
    }

    fn preempts(&self) -> bool {
        false
    }

    fn at_once(&self, slots: usize, _: usize) -> usize {
        slots
    }
}
