//! The age guard: nobody waits for shorter requests forever.
//!
//! A request may wait `factor * size + floor`, where its size is what it is believed to cost on
//! this worker. One that has waited longer is overdue. Overdue requests run before all others, the
//! one with the earliest deadline first, and park for nobody but each other.

use std::time::Duration;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AgeGuard {
    /// Finite and not negative.
    pub(crate) factor: f64,
    pub(crate) floor: Duration,
}

impl AgeGuard {
    /// How long a request may wait that takes `size_secs` on this worker, in seconds.
    pub(super) fn patience_secs(&self, size_secs: f64) -> f64 {
        debug_assert!(0.0 <= self.factor, "a factor is not negative");
        self.factor * size_secs + self.floor.as_secs_f64()
    }
}
