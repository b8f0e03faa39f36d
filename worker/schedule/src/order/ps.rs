//! Processor sharing (PS), as any server that starts a thread for each request.
//!
//! All that may be started run at once, and the system shares its cores among them; beyond that,
//! rank = number of arrival.

use super::Order;
use crate::progress::Progress;

/// See the module.
#[derive(Debug)]
pub(super) struct Ps;

impl Order for Ps {
    fn name(&self) -> &'static str {
        "ps"
    }

    fn about(&self) -> &'static str {
        "all at once"
    }

    fn rank(&self, progress: &Progress) -> f64 {
        progress.number() as f64
    }

    fn preempts(&self) -> bool {
        false
    }

    fn at_once(&self, _: usize, started_max: usize) -> usize {
        started_max
    }
}
