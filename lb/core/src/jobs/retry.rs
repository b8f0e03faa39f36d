//! When an attempt is made again: full jitter, the delay is anything between zero and a bound that
//! doubles.
//!
//! The jitter comes from the job and its attempt, so a history can be played again, and two
//! balancers agree.

use std::time::Duration;

use super::{Job, Limits};
use crate::random::Random;

/// The bound doubles at most this often: 2^20 seconds are more than anybody waits.
const DOUBLINGS_MAX: u32 = 20;

/// The first bound where no host could be reached. That a host is gone is noticed by the first that
/// meets with it, so the next place is most likely a good one.
const UNPLACED: Duration = Duration::from_millis(100);

// === impl Job ===

impl Job {
    /// How long it waits before its next attempt, `backoff_max` at most.
    pub fn backoff(&self, limits: &Limits) -> Duration {
        let tried = self.attempts.saturating_sub(self.excused).max(1);
        let bound = limits.backoff_min.saturating_mul(1 << (tried - 1).min(DOUBLINGS_MAX));
        bound.min(limits.backoff_max).mul_f64(self.jitter())
    }

    /// How long it waits after a host had no room for it: what the host said, within bounds; with
    /// jitter on top, so that those that were refused together do not come back together.
    pub(super) fn backoff_refused(&self, said: Option<Duration>, limits: &Limits) -> Duration {
        let (least, most) = (limits.backoff_min, limits.backoff_max);
        let said = said.unwrap_or(least).max(least);
        said.saturating_add(least.mul_f64(self.jitter())).min(most.max(least))
    }

    /// How long it waits after no host could be reached: the bound doubles with each attempt that
    /// was excused, up to `backoff_min`.
    pub(super) fn backoff_unplaced(&self, limits: &Limits) -> Duration {
        let bound = UNPLACED.saturating_mul(1 << self.excused.min(DOUBLINGS_MAX));
        bound.min(limits.backoff_min).mul_f64(self.jitter())
    }

    /// In `[0, 1)`, the same for one attempt of one job.
    fn jitter(&self) -> f64 {
        let bits = self.id.to_bits();
        let seed = (bits >> 64) as u64 ^ bits as u64;
        let attempt = u64::from(self.generation) << 32 | u64::from(self.attempts);
        Random::new(seed ^ attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unit()
    }
}
