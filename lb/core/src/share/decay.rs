//! What clients have attained, and what of it is excess: amounts that decay alike.

use std::time::Duration;

use super::{AccountId, Shares, Standing};
use crate::units::{Time, Work};

/// The most half-lives since the origin, so that amounts stay far from what `f64` holds.
const HALF_LIVES_MAX: f64 = 256.0;

/// Service below this, in CPU seconds, is forgotten.
pub(super) const FORGOTTEN: f64 = 1e-3;

// === impl Shares ===

impl Shares {
    /// By how much amounts at the origin have to be multiplied, where it is moved to `now`. Called
    /// before any that are kept elsewhere are compared with new ones.
    pub fn is_far(&self, now: Time) -> bool {
        self.policy.is_some() && HALF_LIVES_MAX < self.half_lives(now)
    }

    /// Moves the origin to `now`. Returns what amounts at the old one are to be multiplied by.
    pub fn move_origin(&mut self, now: Time) -> f64 {
        let factor = 1.0 / self.worth(now);
        for account in self.accounts.values_mut() {
            account.attained *= factor;
        }
        self.origin = self.origin.max(now);
        self.sum_recent();
        factor
    }

    pub(super) fn keep_origin(&self, now: Time) {
        debug_assert!(!self.is_far(now), "the origin is moved before amounts are made");
    }

    /// What a CPU second of `at` is worth at the origin.
    pub(super) fn worth(&self, at: Time) -> f64 {
        self.half_lives(at).exp2()
    }

    /// Half-lives from the origin to `at`, negative before it.
    pub(super) fn half_lives(&self, at: Time) -> f64 {
        let Some(policy) = &self.policy else { return 0.0 };
        let secs = at.as_secs_f64() - self.origin.as_secs_f64();
        secs / policy.half_life.as_secs_f64().max(1e-9)
    }

    /// When what the account has attained is forgotten.
    pub(super) fn forgotten_at(&self, account: AccountId) -> Time {
        let Some(policy) = &self.policy else { return Time::ZERO };
        let attained = self.accounts.get(&account).map_or(0.0, |account| account.attained);
        let half_lives = (attained / FORGOTTEN).log2();
        if half_lives <= 0.0 || !half_lives.is_finite() {
            return self.origin;
        }
        let secs = (half_lives * policy.half_life.as_secs_f64()).min(1e9);
        self.origin + Duration::from_secs_f64(secs)
    }

    /// The excess of an account by now, at the origin.
    pub fn excess(&self, account: AccountId) -> f64 {
        let attained = self.accounts.get(&account).map_or(0.0, |account| account.attained);
        (attained - self.level()).max(0.0)
    }

    /// From there on what is attained is excess: see the module.
    pub(super) fn level(&self) -> f64 {
        let slack = self.policy.as_ref().map_or(0.0, |policy| policy.slack.max(0.0));
        let others = self.recent.len().saturating_sub(1) as f64;
        if slack <= 0.0 { 0.0 } else { slack * self.recent_sum / (others + slack) }
    }

    /// The excess of an account now, in CPU seconds over weight.
    pub fn excess_secs(&self, now: Time, account: AccountId) -> f64 {
        self.excess(account) / self.worth(now)
    }

    /// What a request of `work` that came at `arrived` adds to what its client has attained, at the
    /// origin. It counts for less the longer it waits, as everything does.
    pub fn size(&self, standing: Standing, arrived: Time, work: Work) -> f64 {
        if self.policy.is_none() {
            return 0.0;
        }
        work.as_cpu_secs() / standing.weight * self.worth(arrived)
    }

    /// The client asks now. Those are dropped that have not for a half-life.
    pub(super) fn see(&mut self, now: Time, id: AccountId) {
        let half_life = self.policy.as_ref().map_or(Duration::ZERO, |policy| policy.half_life);
        self.note_seen(id, Some(now));
        while let Some((seen, first)) = self.recent.first().copied()
            && half_life < now.since(seen)
        {
            let is_here = self.accounts.get(&first).is_some_and(|account| 0 < account.here);
            self.note_seen(first, is_here.then_some(now));
        }
    }

    /// Notes when a client last asked; `None`: that is too long ago.
    pub(super) fn note_seen(&mut self, id: AccountId, now: Option<Time>) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        let before = std::mem::replace(&mut account.seen, now);
        let attained = account.attained;
        if let Some(before) = before {
            self.recent.remove(&(before, id));
            self.recent_sum -= attained;
        }
        if let Some(now) = now {
            self.recent.insert((now, id));
            self.recent_sum += attained;
        }
        if self.recent.is_empty() {
            // What is left by rounding goes with the last.
            self.recent_sum = 0.0;
        }
    }

    pub(super) fn sum_recent(&mut self) {
        let attained = self.recent.iter().filter_map(|(_, id)| self.accounts.get(id));
        self.recent_sum = attained.map(|account| account.attained).sum();
    }

    /// A client has attained `worth` more, or less.
    pub(super) fn attain(&mut self, id: AccountId, worth: f64) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        let before = account.attained;
        account.attained = (before + worth).max(0.0);
        if account.seen.is_some() {
            self.recent_sum = (self.recent_sum + account.attained - before).max(0.0);
        }
    }
}
