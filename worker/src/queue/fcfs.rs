//! First come, first served (FCFS).
//!
//! rank = number of arrival.

use super::order::Order;
use super::ticket::Ticket;

/// See the module.
#[derive(Debug)]
pub(super) struct Fcfs;

impl Order for Fcfs {
    fn name(&self) -> &'static str {
        "fcfs"
    }

    fn rank(&self, ticket: &Ticket) -> f64 {
        ticket.number as f64
    }

    fn preempts(&self) -> bool {
        false
    }

    fn at_once(&self, slots: usize, _: usize) -> usize {
        slots
    }
}
