//! All host states, and the only code that writes them.
//!
//! A claim is made when a request is sent to a host and released exactly once: when it completes,
//! fails or is abandoned, or when its host leaves. Between events claims age as the host is
//! believed to work (`aging.rs`).

mod aging;
pub(crate) mod blame;
mod glance;
mod health;
pub(crate) mod learning;
mod reports;

use std::time::Duration;

use crate::host::{Claim, Discipline, HostId, HostSpec, HostState, Phase};
use crate::host::{PREFERENCE_MAX, PREFERENCE_MIN};
use crate::policy::HostPolicy;
use crate::request::RequestId;
use crate::share::{AccountId, HostOrder};
use crate::units::{Seconds, Time, Work};

use blame::Blame;
pub use blame::Path;
pub use glance::Glance;
pub(crate) use glance::{BLOCK, Glances};
pub use learning::{Completion, SpeedSeen};

/// The least that is believed of a claim: what is free would never be outlived.
const WORK_MIN: f64 = 1e-6;

/// The mean of claimed work is that of about so many of the newest claims.
const CLAIMS_RECENT: u32 = 100;

/// All host states, by ascending [`HostId`].
#[derive(Debug, Clone)]
pub struct Fleet {
    hosts: Vec<HostState>,
    /// One a host, in the same order.
    glances: Glances,
    policy: HostPolicy,
    next_id: u32,
    /// Mean work of recent claims, in CPU-seconds, and how many there have been, up to
    /// [`CLAIMS_RECENT`].
    claimed_mean: (f64, u32),
    /// Σ of what the speeds that were learned are off those that were told, in natural logarithms.
    deviations: f64,
    blame: Blame,
    n_came: u64,
}

// === impl Fleet ===

impl Fleet {
    /// A fleet of no host.
    pub fn new(policy: HostPolicy) -> Fleet {
        Fleet {
            hosts: Vec::new(),
            glances: Glances::default(),
            policy,
            next_id: 0,
            claimed_mean: (0.0, 0),
            deviations: 0.0,
            blame: Blame::default(),
            n_came: 0,
        }
    }

    /// All hosts, by ascending id. Those that left are not among them.
    pub fn hosts(&self) -> &[HostState] {
        &self.hosts
    }

    /// What can be told of each host without looking at it, in the order of [`Fleet::hosts`].
    pub(crate) fn glances(&mut self) -> &mut Glances {
        &mut self.glances
    }

    /// How often a host has become ready, or has answered again.
    pub fn n_came(&self) -> u64 {
        self.n_came
    }

    /// What is believed of hosts.
    pub fn policy(&self) -> &HostPolicy {
        &self.policy
    }

    /// One host, or `None` where it is not in the fleet.
    pub fn get(&self, id: HostId) -> Option<&HostState> {
        self.position(id).and_then(|position| self.hosts.get(position))
    }

    /// The first host to join gets the id `first`, instead of 0.
    pub(crate) fn number_from(&mut self, first: u32) {
        self.next_id = self.next_id.max(first);
    }

    /// A host joins, in phase Starting.
    pub fn join(&mut self, now: Time, spec: HostSpec) -> HostId {
        let id = HostId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        self.hosts.push(HostState {
            id,
            phase: Phase::Starting,
            discipline: spec.discipline.unwrap_or(Discipline::Ps),
            cores: spec.cores.max(1),
            in_flight: 0,
            foreign: 0,
            speed: spec.speed,
            work_left: Work::ZERO,
            claims: Vec::new(),
            reserved_for: None,
            as_of: now,
            since: now,
            ejected_until: Time::ZERO,
            ejection_length: Duration::ZERO,
            down_since: None,
            is_on_probation: false,
            crowded_at: Time::ZERO,
            round_trip: Seconds::ZERO,
            failure_rate: 0.0,
            failed_at: Time::ZERO,
            failures_in_row: 0,
            ejections: 0,
            report: None,
            cpu_told: None,
            speeds_seen: 0,
            speed_variance: learning::VARIANCE_TOLD,
            tells_costs: false,
            shared_secs: 0.0,
            preference: 1.0,
            spec,
        });
        if let Some(host) = self.hosts.last() {
            self.glances.push(Glance::of(host));
        }
        id
    }

    /// The name of a host has become known.
    pub fn name(&mut self, id: HostId, name: String) {
        self.write(id, |host| host.spec.name = name);
    }

    /// A host is ready for requests. Returns how long it took to boot, where it was starting.
    pub fn ready(&mut self, now: Time, id: HostId) -> Option<Seconds> {
        let boot = self.write(id, |host| match host.phase {
            Phase::Starting => {
                let boot = Seconds::from(now.since(host.since));
                (host.phase, host.since) = (Phase::Active, now);
                Some(boot)
            }
            Phase::Active | Phase::Draining | Phase::Gone => None,
        })?;
        self.n_came += u64::from(boot.is_some());
        boot
    }

    /// A host takes nothing new from now on.
    pub fn drain(&mut self, now: Time, id: HostId) {
        self.write(id, |host| match host.phase {
            Phase::Starting | Phase::Active => {
                (host.phase, host.since) = (Phase::Draining, now);
            }
            Phase::Draining | Phase::Gone => {}
        });
    }

    /// A host that drains is wanted again: as if it had just joined, but for its claims and what is
    /// known of it.
    pub fn undrain(&mut self, now: Time, id: HostId) {
        self.write(id, |host| match host.phase {
            Phase::Draining => (host.phase, host.since) = (Phase::Starting, now),
            Phase::Starting | Phase::Active | Phase::Gone => {}
        });
    }

    /// An operator prefers a host by that much; see [`HostState::preference`]. Numbers beyond its
    /// bounds count as the bounds do. False where the host is not in the fleet.
    pub fn prefer(&mut self, id: HostId, preference: f64) -> bool {
        let preference = preference.clamp(PREFERENCE_MIN, PREFERENCE_MAX);
        self.write(id, |host| host.preference = preference).is_some()
    }

    /// Another policy holds from now on. What is believed of hosts stays.
    pub fn reconfigure(&mut self, policy: HostPolicy) {
        self.policy = policy;
    }

    /// A host is gone. Returns it as it was, with its claims, or `None` where it is not in the
    /// fleet.
    pub fn leave(&mut self, id: HostId) -> Option<HostState> {
        let position = self.position(id)?;
        let mut host = self.hosts.remove(position);
        self.deviations -= learning::deviation(&host);
        self.glances.remove(position);
        host.phase = Phase::Gone;
        Some(host)
    }

    /// Reserves `work` on a host for a request. False where the host is not in the fleet.
    pub fn claim(&mut self, now: Time, id: HostId, request: RequestId, work: Work) -> bool {
        let expected = work.max(Work::saturating(WORK_MIN));
        let request = Some(request);
        let (mean, n) = self.claimed_mean;
        let n = (n + 1).min(CLAIMS_RECENT);
        self.claimed_mean = (mean + (expected.as_cpu_secs() - mean) / f64::from(n), n);
        let claimed = self.write(id, |host| {
            aging::advance(host, now);
            let shared_from = host.shared_secs;
            let remaining = expected;
            let claimed_at = now;
            insert(
                host,
                Claim { request, expected, remaining, claimed_at, shared_from, owner: None },
            );
            host.in_flight += 1;
            note_crowd(host, now);
        });
        claimed.is_some()
    }

    /// Notes whose a claim is, and where it stands on its host.
    pub fn own(&mut self, id: HostId, request: RequestId, owner: (AccountId, HostOrder)) {
        self.write(id, |host| {
            let claim = host.claims.iter_mut().find(|claim| claim.request == Some(request));
            if let Some(claim) = claim {
                claim.owner = Some(owner);
            }
        });
    }

    /// The host takes nothing but this request until its claim is released.
    pub fn reserve(&mut self, id: HostId, request: RequestId) {
        self.write(id, |host| host.reserved_for = Some(request));
    }

    /// Gives a claim back. `None` where there is none: it has been released before.
    pub fn release(&mut self, now: Time, id: HostId, request: RequestId) -> Option<Claim> {
        self.write(id, |host| {
            aging::advance(host, now);
            note_crowd(host, now);
            let position = host.claims.iter().position(|claim| claim.request == Some(request))?;
            let claim = host.claims.remove(position);
            host.in_flight -= 1;
            host.reserved_for = host.reserved_for.filter(|one| *one != request);
            aging::sum(host);
            Some(claim)
        })?
    }

    /// A host has said what a request cost.
    pub(crate) fn tells_costs(&mut self, id: HostId) {
        if self.get(id).is_some_and(|host| !host.tells_costs) {
            self.write(id, |host| host.tells_costs = true);
        }
    }

    /// Brings the claims of every host to `now`.
    pub fn advance(&mut self, now: Time) {
        self.sum_deviations();
        for position in 0..self.hosts.len() {
            self.advance_at(now, position);
        }
    }

    /// Brings the claims of the host at `position` in [`Fleet::hosts`] to `now`.
    pub(crate) fn advance_at(&mut self, now: Time, position: usize) {
        let host = self.hosts.get_mut(position).filter(|host| !host.claims.is_empty());
        if let Some(host) = host {
            aging::advance(host, now);
            self.glances.set(position, Glance::of(host));
        }
    }

    /// Panics in debug builds where an invariant does not hold.
    pub fn check_invariants(&self) {
        debug_assert!(self.hosts.is_sorted_by_key(|host| host.id), "hosts are in order of id");
        let glances: Vec<Glance> = self.hosts.iter().map(Glance::of).collect();
        debug_assert!(glances == self.glances.hosts(), "a glance shows what is there");
        self.glances.check_invariants();
        for host in &self.hosts {
            debug_assert!(host.phase != Phase::Gone, "a gone host has left the fleet");
            let own = host.claims.iter().filter(|claim| claim.request.is_some()).count();
            debug_assert!(own == host.in_flight as usize, "in flight = claims");
            debug_assert!(
                host.reserved_for
                    .is_none_or(|id| { host.claims.iter().any(|claim| claim.request == Some(id)) }),
                "a host is reserved for what it has"
            );
            debug_assert!(
                own + host.foreign as usize == host.claims.len(),
                "each claim has an owner"
            );
            let sum: f64 = host.claims.iter().map(|claim| claim.remaining.as_cpu_secs()).sum();
            let left = host.work_left.as_cpu_secs();
            debug_assert!((sum - left).abs() <= 1e-6 * (1.0 + sum), "Σ claims = work left");
            debug_assert!(
                host.discipline == Discipline::Fcfs
                    || host.claims.is_sorted_by(|a, b| a.remaining <= b.remaining),
                "claims are in order of service"
            );
            let beliefs = [host.speed_variance, host.shared_secs, host.preference];
            let numbers = [left, host.round_trip.0, host.failure_rate, host.utilization()];
            let numbers = [&numbers[..], &beliefs[..]].concat();
            debug_assert!(
                numbers.iter().all(|number| number.is_finite()),
                "every number is finite"
            );
            debug_assert!(
                host.claims.iter().all(|claim| Work::ZERO < claim.remaining),
                "an outlived estimate has doubled"
            );
        }
    }

    fn position(&self, id: HostId) -> Option<usize> {
        self.hosts.binary_search_by_key(&id, |host| host.id).ok()
    }

    /// The one way to change a host: what is told of it at a glance changes with it.
    fn write<R>(&mut self, id: HostId, change: impl FnOnce(&mut HostState) -> R) -> Option<R> {
        let position = self.position(id)?;
        let host = self.hosts.get_mut(position)?;
        let result = change(host);
        self.glances.set(position, Glance::of(host));
        Some(result)
    }
}

/// Puts a claim where the host's discipline has it.
fn insert(host: &mut HostState, claim: Claim) {
    let position = match host.discipline {
        Discipline::Fcfs => host.claims.len(),
        Discipline::Srpt | Discipline::Ps => {
            host.claims.partition_point(|other| other.remaining <= claim.remaining)
        }
    };
    host.claims.insert(position, claim);
    aging::sum(host);
}

/// To be called after each claim and before each release: then none that is crowded is missed.
fn note_crowd(host: &mut HostState, now: Time) {
    if (host.cores as usize) < host.claims.len() {
        host.crowded_at = now;
    }
}

#[cfg(test)]
mod tests;
