//! Processor sharing (PS), as any server that starts a thread for each request.
//!
//! All that may be started run at once, and the system shares its cores among them; beyond that,
//! rank = number of arrival.

use super::order::Order;
use super::ticket::Ticket;

/// See the module.
#[derive(Debug)]
pub(super) struct Ps;

impl Order for Ps {
    fn name(&self) -> &'static str {
        "ps"
    }

    fn rank(&self, ticket: &Ticket) -> f64 {
        ticket.number as f64
    }

    fn preempts(&self) -> bool {
        false
    }

    fn at_once(&self, _: usize, started_max: usize) -> usize {
        started_max
    }
}
