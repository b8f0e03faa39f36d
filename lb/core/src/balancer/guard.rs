//! How much the age guard may let pass before others.
//!
//! # Decision: what is overdue has a share of the slots
//!
//! A request that has waited too long for its size goes first, and to a host that is busy already.
//! Were there no limit to it, one client that asks for more than the fleet can do would have all of
//! its requests overdue before long: they would fill every host, and nobody else would be served.
//! So of the requests that run, those that the guard let go first are at most as many as half of
//! the cores of the fleet, and after a start of its own others have their turn. The rest goes by
//! the order of the waiting room. Cost: a giant among many waits longer than its allowance.
//! Where clients are told apart, what one has attained makes it wait longer before it is overdue.
//! Look again when one client needs a bound of its own.

use std::collections::BTreeSet;

use super::Balancer;
use crate::host::Phase;
use crate::request::RequestId;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// Requests that it let go first and that have not ended.
    runs: BTreeSet<RequestId>,
    /// The last start was its own.
    was_last: bool,
}

// === impl Guard ===

impl Guard {
    /// A request starts that waited, by the guard or not.
    pub(super) fn started(&mut self, id: RequestId, by_guard: bool) {
        self.was_last = by_guard;
        if by_guard {
            self.runs.insert(id);
        }
    }

    /// A request has given back what it had.
    pub(super) fn ended(&mut self, id: RequestId) {
        self.runs.remove(&id);
    }
}

// === impl Balancer ===

impl Balancer {
    /// Whether a request that is overdue may go before others now.
    pub(super) fn is_turn_of_guard(&self) -> bool {
        !self.guard.was_last && self.has_guard_a_share()
    }

    /// Whose turn it is, the guard's or not; and whose next where none of those may start.
    pub(super) fn turns(&self) -> &'static [bool] {
        match (self.has_guard_a_share(), self.guard.was_last) {
            (false, _) => &[false],
            (true, false) => &[true],
            (true, true) => &[false, true],
        }
    }

    /// Whether there is a request that is overdue, and a slot for it to be had before others.
    fn has_guard_a_share(&self) -> bool {
        self.queue.has_overdue(self.now) && {
            let active = self.hosts().filter(|host| host.phase == Phase::Active);
            let cores: usize = active.map(|host| host.cores as usize).sum();
            self.guard.runs.len() < (cores / 2).max(1)
        }
    }
}
