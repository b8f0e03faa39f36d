//! Shortest remaining processing time first, preemptive (SRPT).
//!
//! rank = remaining work = estimate − attained, in CPU-seconds of the reference core; an estimate
//! that is outlived doubles. With true estimates no order has a lower mean response time (Schrage
//! 1968).
//!
//! Where requests say what their clients had attained, that is added: the rank is what the client
//! will have attained once the request has run. So a client that has sent a flood waits behind the
//! first requests of others, and of clients that have had as much the shortest goes first.

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
        progress.owner().attained_secs + progress.remaining_secs()
    }

    fn preempts(&self) -> bool {
        true
    }

    fn at_once(&self, slots: usize, _: usize) -> usize {
        slots
    }
}
