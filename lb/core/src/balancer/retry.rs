//! How many failed requests may be tried again: a token bucket, so that retries do not multiply the
//! load of a fleet that fails because of its load.

use crate::policy::RetryPolicy;
use crate::units::Time;

/// Requests whose share of tokens may be saved up.
const REQUESTS_SAVED: f64 = 1000.0;

/// Tokens: each request brings `budget_fraction`, each second `budget_floor`; a retry takes one.
#[derive(Debug, Clone)]
pub(super) struct RetryBudget {
    fraction: f64,
    floor: f64,
    tokens: f64,
    as_of: Time,
}

// === impl RetryBudget ===

impl RetryBudget {
    /// Full of what the floor brings.
    pub(super) fn new(policy: &RetryPolicy) -> RetryBudget {
        let fraction = policy.budget_fraction.clamp(0.0, 1.0);
        let floor = f64::from(policy.budget_floor);
        RetryBudget { fraction, floor, tokens: floor, as_of: Time::ZERO }
    }

    /// Goes on by `policy`, with the tokens that are left.
    pub(super) fn reconfigure(&mut self, policy: &RetryPolicy) {
        let new = RetryBudget::new(policy);
        (self.fraction, self.floor) = (new.fraction, new.floor);
        self.add(0.0);
    }

    /// A request has arrived.
    pub(super) fn deposit(&mut self) {
        self.add(self.fraction);
    }

    /// Whether one more retry may be made; takes a token then.
    pub(super) fn withdraw(&mut self, now: Time) -> bool {
        // The floor's tokens come over time, and no more of them are saved than a second brings.
        let since = now.since(self.as_of).as_secs_f64();
        self.as_of = self.as_of.max(now);
        if self.tokens < self.floor {
            self.tokens = (self.tokens + since * self.floor).min(self.floor);
        }
        let may = 1.0 <= self.tokens;
        if may {
            self.tokens -= 1.0;
        }
        may
    }

    fn add(&mut self, tokens: f64) {
        let most = (self.fraction * REQUESTS_SAVED).max(self.floor);
        self.tokens = (self.tokens + tokens).min(most);
    }
}
