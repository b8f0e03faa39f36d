//! How long what comes or goes in pieces may take: a least rate, with some patience.

use std::time::{Duration, Instant};

/// A leaky bucket of patience: it drains with time, and what moves fills it again. So a transfer
/// may pause for as long as the patience is, once, and is otherwise at least as fast as the least
/// rate, whatever it has moved before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    patience: Duration,
    /// Bytes per second; at least 1.
    rate_min: u64,
    /// When the bucket is empty.
    by: Instant,
}

impl Pace {
    /// A transfer that begins now.
    pub(crate) fn new(patience: Duration, rate_min: u64) -> Pace {
        Pace { patience, rate_min: rate_min.max(1), by: Instant::now() + patience }
    }

    /// How long may pass until the next bytes.
    pub(crate) fn left(&self) -> Duration {
        self.by.saturating_duration_since(Instant::now())
    }

    /// So many bytes have moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.forgive(Duration::from_secs_f64(bytes as f64 / self.rate_min as f64));
    }

    /// Time passed in which nothing could move.
    pub(crate) fn forgive(&mut self, span: Duration) {
        let most = Instant::now() + self.patience;
        self.by = self.by.checked_add(span).map_or(most, |by| by.min(most));
    }
}

/// How long it may take to move all of `bytes`.
pub(crate) fn time_for(bytes: usize, patience: Duration, rate_min: u64) -> Duration {
    let moving = Duration::from_secs_f64(bytes as f64 / rate_min.max(1) as f64);
    patience.saturating_add(moving)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_transfer_at_the_least_rate_goes_on() {
        let mut pace = Pace::new(10 * SECOND, 1000);
        assert!(9 * SECOND < pace.left());
        pace.by -= 5 * SECOND;
        pace.moved(3000);
        assert!(7 * SECOND < pace.left() && pace.left() <= 8 * SECOND);
    }

    #[test]
    fn what_has_moved_before_buys_no_more_than_the_patience() {
        let mut pace = Pace::new(10 * SECOND, 1000);
        pace.moved(32 << 20);
        assert!(pace.left() <= 10 * SECOND);
        pace.by -= 10 * SECOND;
        assert_eq!(pace.left(), Duration::ZERO);
        pace.moved(1);
        assert!(pace.left() <= SECOND / 1000);
    }

    #[test]
    fn a_long_answer_has_more_time() {
        assert_eq!(time_for(0, SECOND, 1000), SECOND);
        assert_eq!(time_for(2000, SECOND, 1000), 3 * SECOND);
    }
}
