//! First come, first served.
//!
//! order = number of arrival, ascending.

use std::cmp::Ordering;

use super::{Order, Ticket};

/// See the module.
#[derive(Debug)]
pub(super) struct Fcfs;

impl Order for Fcfs {
    fn name(&self) -> &'static str {
        "fcfs"
    }

    fn compare(&self, one: &Ticket, other: &Ticket) -> Ordering {
        one.number.cmp(&other.number)
    }
}
