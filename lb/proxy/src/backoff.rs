//! Waits between tries: exponential, with equal jitter ("Exponential Backoff And Jitter", AWS
//! Architecture Blog), so that those which failed together do not come back together.

use std::time::Duration;

/// How long the waits of one kind are.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The first wait, at most; each further one is twice as long.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// The wait after the `failures`th failure in a row: between half of and the whole exponential.
    pub fn wait(&self, failures: u64) -> Duration {
        self.jittered(failures, fastrand::f64())
    }

    /// The same with `jitter` from 0 to 1.
    fn jittered(&self, failures: u64, jitter: f64) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let exponential = self.base.saturating_mul(2_u32.saturating_pow(doublings));
        exponential.min(self.max).mul_f64(0.5 + 0.5 * jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit_and_half_of_it_is_chance() {
        let base = Duration::from_millis(100);
        let backoff = Backoff { base, max: Duration::from_secs(30) };
        let waits = [0, 1, 2, 3, 9, 10, u64::MAX].map(|n| backoff.jittered(n, 1.0).as_millis());
        assert_eq!(waits, [100, 100, 200, 400, 25_600, 30_000, 30_000]);
        assert_eq!(backoff.jittered(1, 0.0), Duration::from_millis(50));
        assert!((50..=100).contains(&backoff.wait(1).as_millis()));
    }
}
