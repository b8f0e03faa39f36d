//! Shortest remaining processing time first, preemptive (SRPT).
//!
//! rank = remaining work = estimate − attained, in CPU-seconds of the reference core; an estimate
//! that is outlived doubles. With true estimates no order has a lower mean response time (Schrage
//! 1968).

use super::order::Order;
use super::ticket::Ticket;

/// See the module.
#[derive(Debug)]
pub(super) struct Srpt;

impl Order for Srpt {
    fn name(&self) -> &'static str {
        "srpt"
    }

    fn rank(&self, ticket: &Ticket) -> f64 {
        ticket.remaining_secs()
    }

    fn preempts(&self) -> bool {
        true
    }

    fn at_once(&self, slots: usize, _: usize) -> usize {
        slots
    }
}
