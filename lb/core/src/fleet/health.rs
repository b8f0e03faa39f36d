//! Failures of hosts, ejection and return.
//!
//! After `eject_failures` failures in a row a host is ejected for `eject_base`, twice as long each
//! further time, at most `eject_max`, unless the others fail about as often (Envoy: success rate).
//! What counts as a failure of its own is in `blame.rs`. A host that does not even answer when it
//! is asked how it is (`probed`) is out until it does; if it was ejected before that, the ejection
//! ends with the answer: what was wrong was that it was not there.
//!
//! # Decision: a host that does not answer is out, and a host that returns is on probation
//!
//! A host that refuses the connection when it is asked for its load is out at once, and one that
//! hangs after three asks: requests need not fail first to find out. Its ejection ends when it
//! answers. A host that was there all the time stays ejected for its full term. A host that returns
//! gets at most one request for each core until it has answered one well; one more failure ejects
//! it again. Its earlier failures no longer count. Once it has been well for as long as it had been
//! ejected, its past is forgotten. Cost: a restarted host is used fully one request later. Look
//! again when hosts return broken more often than well.

use std::time::Duration;

use super::Fleet;
use crate::host::{HostId, HostState, Phase};
use crate::policy::HostPolicy;
use crate::statistics::median;
use crate::units::Time;

/// The gain of the failure rate's moving average.
const GAIN: f64 = 0.1;

/// After so many, nothing is left of the failure rate.
const FORGIVEN_MAX: u32 = 100;

/// A host is ejected where it fails more than so many times as often as the middle one of the
/// others.
const PEERS_FACTOR: f64 = 2.0;

impl Fleet {
    /// A host has failed a request, and is to blame. Returns whether it is ejected for that.
    pub(super) fn count_failure(&mut self, now: Time, id: HostId) -> bool {
        let others = self.failure_rate_of_others(now, id);
        let may_eject = self.may_eject(now);
        let policy = self.policy.clone();
        let ejected = self.write(id, |host| {
            let rate = host.failure_rate_at(now, policy.eject_base);
            host.failure_rate = rate + GAIN * (1.0 - rate);
            host.failed_at = host.failed_at.max(now);
            host.failures_in_row = host.failures_in_row.saturating_add(1);
            let over = policy.eject_failures.max(1) <= host.failures_in_row;
            let stands_out = host.is_on_probation || others * PEERS_FACTOR < host.failure_rate;
            if !over || !stands_out || !may_eject || host.is_ejected(now) {
                return false;
            }
            host.ejections = host.ejections.saturating_add(1);
            host.ejection_length = ejection(&policy, host.ejections);
            host.ejected_until = now + host.ejection_length;
            put_on_probation(host, &policy);
            true
        });
        ejected.unwrap_or(false)
    }

    /// `n` failures that were counted were not the host's own. Where it was `ejected` for one of
    /// them, it is back.
    pub(super) fn forgive(&mut self, now: Time, id: HostId, (n, ejected): (u32, bool)) {
        let eject_failures = self.policy.eject_failures;
        self.write(id, |host| {
            for _ in 0..n.min(FORGIVEN_MAX) {
                host.failure_rate = ((host.failure_rate - GAIN) / (1.0 - GAIN)).max(0.0);
            }
            host.failures_in_row = host.failures_in_row.saturating_sub(n);
            if ejected && now < host.ejected_until {
                host.ejected_until = now;
                host.ejections = host.ejections.saturating_sub(1);
                host.is_on_probation = false;
                // It had as many as were needed, these included.
                host.failures_in_row = eject_failures.saturating_sub(n);
            }
        });
    }

    /// Whether there are others in use beside a host.
    pub(crate) fn has_peers(&self, id: HostId) -> bool {
        self.hosts.iter().any(|host| host.id != id && host.phase == Phase::Active)
    }

    /// What the middle one of the other hosts that are in use fails.
    fn failure_rate_of_others(&self, now: Time, id: HostId) -> f64 {
        let half_life = self.policy.eject_base;
        let others = self.hosts.iter().filter(|host| host.id != id && host.phase == Phase::Active);
        let rates: Vec<f64> = others.map(|host| host.failure_rate_at(now, half_life)).collect();
        median(&rates).unwrap_or(0.0)
    }

    /// A host was asked how it is: whether it answered. What it answered is told by
    /// [`Fleet::report`].
    ///
    /// Returns whether it is out for that from now on.
    pub fn probed(&mut self, now: Time, id: HostId, answered: bool) -> bool {
        let policy = self.policy.clone();
        let mut came = false;
        let out = self.write(id, |host| match (host.phase, answered) {
            (Phase::Active, false) => {
                let is_news = !host.is_down();
                host.down_since.get_or_insert(now);
                is_news
            }
            (Phase::Active | Phase::Draining, true) if host.is_down() => {
                host.down_since = None;
                host.ejected_until = now;
                put_on_probation(host, &policy);
                came = true;
                false
            }
            (Phase::Starting | Phase::Active | Phase::Draining | Phase::Gone, true | false) => {
                false
            }
        });
        self.n_came += u64::from(came);
        out.unwrap_or(false)
    }

    /// Whether one more host may be ejected: the first always, more up to the fraction.
    fn may_eject(&self, now: Time) -> bool {
        let active = self.hosts.iter().filter(|host| host.phase == Phase::Active);
        let (mut n_active, mut n_ejected) = (0_usize, 0_usize);
        for host in active {
            n_active += 1;
            n_ejected += usize::from(host.is_ejected(now));
        }
        let most = (self.policy.eject_fraction_max * n_active as f64) as usize;
        n_ejected < most.max(1)
    }
}

impl HostState {
    /// Smoothed fraction of its requests that failed, as it counts at `now`: half as much with
    /// every `half_life` since the last failure. A host that is given nothing because of it cannot
    /// show that it is well again.
    pub fn failure_rate_at(&self, now: Time, half_life: Duration) -> f64 {
        let since = now.since(self.failed_at).as_secs_f64();
        self.failure_rate * 0.5_f64.powf(since / half_life.as_secs_f64().max(1e-3))
    }

    /// It has answered well.
    pub(super) fn succeed(&mut self, now: Time) {
        self.failure_rate -= GAIN * self.failure_rate;
        if self.is_ejected(now) {
            return;
        }
        self.failures_in_row = 0;
        self.is_on_probation = false;
        if self.ejections != 0 && self.ejection_length <= now.since(self.ejected_until) {
            self.ejections = 0;
        }
    }
}

/// What is to be seen of a host when it returns.
fn put_on_probation(host: &mut HostState, policy: &HostPolicy) {
    host.is_on_probation = true;
    host.failure_rate = 0.0;
    host.failures_in_row = policy.eject_failures.saturating_sub(1);
}

/// How long the `n`-th ejection lasts.
fn ejection(policy: &HostPolicy, n: u32) -> Duration {
    let factor = 1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX);
    policy.eject_base.saturating_mul(factor).min(policy.eject_max)
}
