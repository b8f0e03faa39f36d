//! Windows over time: the mean of what was seen, the most that was desired.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Time;

/// Instants that are told apart within a window; what is seen between two of them counts as one.
const STEPS: u32 = 128;

/// The most values that are kept; of more, those after the first go.
const VALUES_MAX: usize = 256;

/// The mean over a sliding window.
#[derive(Debug, Clone)]
pub(super) struct Mean {
    window: Duration,
    /// When each step began, what was seen in it, summed, and how often.
    steps: VecDeque<(Time, f64, f64)>,
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
        Mean { window, steps: VecDeque::new() }
    }

    /// Looks over another `window` from now on.
    pub(super) fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// The mean with `value`.
    pub(super) fn add(&mut self, now: Time, value: f64) -> f64 {
        match self.steps.back_mut() {
            Some((at, sum, n)) if now.since(*at) < self.window / STEPS => {
                *sum += value;
                *n += 1.0;
            }
            Some(_) | None => self.steps.push_back((now, value, 1.0)),
        }
        while self.steps.front().is_some_and(|(at, ..)| self.window < now.since(*at)) {
            self.steps.pop_front();
        }
        let (sum, n) =
            self.steps.iter().fold((0.0, 0.0), |(sum, n), step| (sum + step.1, n + step.2));
        sum / f64::max(n, 1.0)
    }
}

// === impl Stabilizer ===

impl Stabilizer {
    pub(super) fn new(window: Duration) -> Stabilizer {
        Stabilizer { window, begun: None, values: VecDeque::new() }
    }

    /// Looks over another `window` from now on.
    pub(super) fn set_window(&mut self, window: Duration) {
        self.window = window;
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
        {
            self.values.pop_front();
        }
        if VALUES_MAX < self.values.len() {
            self.values.remove(1);
        }
        let whole = self.begun.is_some_and(|begun| self.window <= now.since(begun));
        match self.values.front() {
            Some((_, most)) if whole => *most,
            Some(_) | None => usize::MAX,
        }
    }
}
