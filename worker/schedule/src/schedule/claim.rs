//! What a decision compares.

use std::cmp::Ordering;
use std::time::Duration;

/// A request's claim to a slot: the lowest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) standing: Standing,
    /// Of equals, the one that is in a slot stays there.
    pub(super) out_of_slot: bool,
    pub(super) number: u64,
}

/// What counts before the order does, and then the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// In a slot that no other request takes from it.
    Settled,
    /// Has waited for longer than the age guard allows, which was until then, and is within the
    /// guard's share.
    Overdue(Duration),
    /// As the order has it.
    Ordered(Rank),
    /// Abandoned: in a slot only until its next checkpoint.
    Unwanted,
}

/// The deadline and the number of the last overdue request that the age guard lets go first; `None`
/// where it lets none.
pub(super) type Line = Option<(Duration, u64)>;

/// The priority of a request's client, and what an order says of the request: the lowest is the
/// best.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rank(pub(super) u8, pub(super) f64);

// === impl Rank ===

impl Ord for Rank {
    fn cmp(&self, other: &Rank) -> Ordering {
        self.0.cmp(&other.0).then(self.1.total_cmp(&other.1))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Rank) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Rank) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rank {}
