//! Windows over time: the mean of what was seen, the most that was desired.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Time;

/// The most values that are kept; older ones go first.
const VALUES_MAX: usize = 256;

/// The mean over a sliding window.
#[derive(Debug, Clone)]
pub(super) struct Mean {
    window: Duration,
    values: VecDeque<(Time, f64)>,
}

/// The most that was desired over a sliding window: fewer hosts are wanted only when nothing within
/// it wanted more.
#[derive(Debug, Clone)]
pub(super) struct Stabilizer {
    window: Duration,
    /// When the first desire was seen.
    begun: Option<Time>,
    /// Descending: each is the most since it was seen.
    values: VecDeque<(Time, usize)>,
}

// === impl Mean ===

impl Mean {
    pub(super) fn new(window: Duration) -> Mean {
        Mean { window, values: VecDeque::new() }
    }

    /// The mean with `value`.
    pub(super) fn add(&mut self, now: Time, value: f64) -> f64 {
        self.values.push_back((now, value));
        while self.values.front().is_some_and(|(at, _)| self.window < now.since(*at))
            || VALUES_MAX < self.values.len()
        {
            self.values.pop_front();
        }
        let sum: f64 = self.values.iter().map(|(_, value)| value).sum();
        sum / self.values.len().max(1) as f64
    }
}

// === impl Stabilizer ===

impl Stabilizer {
    pub(super) fn new(window: Duration) -> Stabilizer {
        Stabilizer { window, begun: None, values: VecDeque::new() }
    }

    /// Takes a desire that came otherwise as seen.
    pub(super) fn hold(&mut self, now: Time, desired: usize) {
        while self.values.back().is_some_and(|(_, value)| *value <= desired) {
            self.values.pop_back();
        }
        self.values.push_back((now, desired));
        self.begun.get_or_insert(now);
    }

    /// The most desired within the window, `desired` included; `usize::MAX` until the window has
    /// passed once.
    pub(super) fn add(&mut self, now: Time, desired: usize) -> usize {
        self.hold(now, desired);
        while self.values.len() != 1
            && self.values.front().is_some_and(|(at, _)| self.window < now.since(*at))
            || VALUES_MAX < self.values.len()
        {
            self.values.pop_front();
        }
        let whole = self.begun.is_some_and(|begun| self.window <= now.since(begun));
        match self.values.front() {
            Some((_, most)) if whole => *most,
            Some(_) | None => usize::MAX,
        }
    }
}
