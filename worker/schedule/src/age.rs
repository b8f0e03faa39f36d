//! The age guard: no request waits for shorter ones forever.
//!
//! A request may wait `factor * size + floor`, where its size is what it is believed to cost on
//! this worker, with what its client had attained before, where it says so. One that has waited
//! longer is overdue. Overdue requests run before all others, the one with the earliest deadline
//! first, and park only for each other.
//!
//! # Decision: what is overdue has a share of the slots
//!
//! Where more large requests come than the worker can run, all of them are overdue before long, and
//! would keep short ones waiting for as long as they come. So the guard has half of the slots: of
//! more overdue requests, the rest stands where the order has it. Where there is only one slot, the
//! guard rests after each request of its own for as long as that had the slot. Cost: among many, an
//! overdue request may wait twice as long. Look again when one client needs a bound of its own.

use std::time::Duration;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgeGuard {
    /// Finite and not negative.
    pub factor: f64,
    /// Time that a request may wait however small it is.
    pub floor: Duration,
}

impl AgeGuard {
    /// No request is ever overdue.
    pub const NONE: AgeGuard = AgeGuard { factor: 0.0, floor: Duration::MAX };

    /// How long a request may wait that takes `size_secs` on this worker, in seconds.
    pub(crate) fn patience_secs(&self, size_secs: f64) -> f64 {
        debug_assert!(0.0 <= self.factor, "a factor is not negative");
        self.factor * size_secs + self.floor.as_secs_f64()
    }
}
