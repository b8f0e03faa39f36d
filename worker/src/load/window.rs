//! Rates over the last second, from totals that only grow.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the window looks back on.
const SPAN: Duration = Duration::from_secs(1);
/// Rates over less than this would be noise.
const SPAN_MIN: Duration = Duration::from_millis(100);

/// Totals at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    pub(super) at: Instant,
    /// CPU time of the process.
    pub(super) cpu: Duration,
    /// Operations answered.
    pub(super) answered: u64,
    /// Of those, the ones that failed by our fault.
    pub(super) failed: u64,
}

/// Change per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Cores in use.
    pub(super) cpu: f64,
    pub(super) answered: f64,
    pub(super) failed: f64,
}

/// The totals of the last [`SPAN`], and the last ones before it: never empty.
#[derive(Debug)]
pub(super) struct Window {
    oldest: Totals,
    later: VecDeque<Totals>,
}

impl Window {
    /// A window that looks back on `first`.
    pub(super) fn new(first: Totals) -> Window {
        Window { oldest: first, later: VecDeque::new() }
    }

    /// Adds `totals`, later than all before, and forgets what is not needed any more.
    pub(super) fn push(&mut self, totals: Totals) {
        self.later.push_back(totals);
        while let Some(next) = self.later.front()
            && SPAN <= totals.at.saturating_duration_since(next.at)
        {
            self.oldest = *next;
            self.later.pop_front();
        }
    }

    /// Rates from the oldest totals to `now`.
    pub(super) fn rates(&self, now: &Totals) -> Rates {
        let span = now.at.saturating_duration_since(self.oldest.at).max(SPAN_MIN).as_secs_f64();
        Rates {
            cpu: now.cpu.saturating_sub(self.oldest.cpu).as_secs_f64() / span,
            answered: now.answered.saturating_sub(self.oldest.answered) as f64 / span,
            failed: now.failed.saturating_sub(self.oldest.failed) as f64 / span,
        }
    }
}

#[cfg(test)]
mod tests;
