//! What can be told of a host without looking at it: enough to see that it cannot be among the
//! best.
//!
//! # Decision: large fleets are searched by blocks
//!
//! A host's state spans several cache lines, and its claims lie elsewhere. In a fleet of thousands
//! a decision would cost mostly that memory. So a few numbers of each host (its glance) stand side
//! by side. Each block of 16 hosts has one more glance: field by field the best of its hosts, which
//! no host of the block can beat. Hosts with a free core have a block glance of their own;
//! otherwise each block would seem to have a fast idle host. Only blocks and hosts that may be
//! among the best are looked at, and the ranking is the same as that of looking at all. Cost: each
//! weigher also states a bound. Look again when fleets of more than 10,000 hosts matter.

use crate::host::{Discipline, HostState, fcfs_wait};
use crate::units::{Seconds, Time};

/// Hosts of one block: as many as there are cheap to bound one by one, and few enough for their
/// best to be close to one of them.
pub(crate) const BLOCK: usize = 16;

/// What is taken off the wait, so that no rounding makes it longer than it is.
const ROUNDING_NANOS: u64 = 2;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glance {
    /// Speed of one core.
    pub speed: f64,
    /// One by the speed: seconds for a second of the reference core.
    pub pace: f64,
    /// No claim ends before this.
    pub busy_until: Time,
    /// Where claims start in order of arrival: no core is free for one more before this.
    pub free_at: Time,
    /// Remaining work of the claim that has the last core of a `ps` host, the smallest first;
    /// infinite where a core is free, and of other hosts. See
    /// [`Hold`](crate::schedule::hold::Hold).
    pub sharer: f64,
    /// Where claims start in order of arrival: one more would wait for longer than a round trip
    /// until then.
    pub opens_at: Time,
    /// Seconds of round trip.
    pub round_trip: f64,
    /// Price relative to the reference core's.
    pub price: f64,
    /// How much an operator prefers it.
    pub preference: f64,
    /// Claims per core, until the first of them may have ended.
    pub crowd: f64,
    /// The same of our own claims: those do not end by themselves.
    pub crowd_own: f64,
    /// The same, rounded down: 0 where a core is free.
    pub rounds: u32,
}

/// The glances of all hosts, in the order of the fleet, and of their blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Glances {
    hosts: Vec<Glance>,
    /// For each block, its hosts with a free core and the others.
    blocks: Vec<[Glance; 2]>,
    /// Whether a block's glances have to be made again.
    is_stale: Vec<bool>,
}

// === impl Glance ===

impl Glance {
    /// Of no host: every other is better.
    const NOBODY: Glance = Glance {
        speed: f64::MIN_POSITIVE,
        pace: f64::MAX,
        busy_until: Time::from_nanos(u64::MAX),
        free_at: Time::from_nanos(u64::MAX),
        sharer: 0.0,
        opens_at: Time::from_nanos(u64::MAX),
        round_trip: f64::MAX,
        price: f64::MAX,
        preference: f64::MIN_POSITIVE,
        crowd: f64::MAX,
        crowd_own: f64::MAX,
        rounds: u32::MAX,
    };

    /// What is told of `host`.
    pub fn of(host: &HostState) -> Glance {
        let n = host.claims.len() as u32;
        let first = host.claims.first().map_or(0.0, |claim| claim.remaining.as_cpu_secs());
        let (least, wait, sharer) = match host.discipline {
            Discipline::Srpt => (first, 0.0, f64::INFINITY),
            Discipline::Ps => {
                let last = host.claims.get(host.cores as usize - 1);
                let sharer = last.map_or(f64::INFINITY, |claim| claim.remaining.as_cpu_secs());
                (first, 0.0, sharer)
            }
            Discipline::Fcfs => {
                let remaining = host.claims.iter().map(|claim| claim.remaining.as_cpu_secs());
                let wait = fcfs_wait(&host.claims, host.cores as usize);
                (remaining.fold(first, f64::min), wait, f64::INFINITY)
            }
        };
        let speed = host.speed.as_reference_cores();
        let after = |work: f64| {
            let nanos = host.as_of.as_nanos().saturating_add((work / speed * 1e9) as u64);
            Time::from_nanos(nanos.saturating_sub(ROUNDING_NANOS))
        };
        let free_at = if 0.0 < wait { after(wait) } else { Time::ZERO };
        let trip = (host.round_trip.0 * 1e9) as u64 + ROUNDING_NANOS;
        Glance {
            speed,
            pace: 1.0 / speed,
            busy_until: after(least),
            free_at,
            sharer,
            opens_at: Time::from_nanos(free_at.as_nanos().saturating_sub(trip)),
            round_trip: host.round_trip.0,
            price: host.spec.price,
            preference: host.preference,
            crowd: f64::from(n) / f64::from(host.cores),
            crowd_own: f64::from(host.in_flight) / f64::from(host.cores),
            rounds: n / host.cores,
        }
    }

    /// Whether it is that of no host.
    pub(crate) fn is_nobody(&self) -> bool {
        self.rounds == u32::MAX
    }

    /// How long it takes at `now`, at least, until one of the claims can end.
    pub fn busy_for(&self, now: Time) -> Seconds {
        span(now, self.busy_until)
    }

    /// How long one more claim waits at `now`, at least, where claims start in order of arrival.
    ///
    /// Only time makes that shorter, and the end of a claim, after which the glance is made again.
    /// An estimate that is outlived makes it longer.
    pub fn waits_for(&self, now: Time) -> Seconds {
        span(now, self.free_at)
    }

    /// The least claims per core at `now`.
    pub fn crowd_at(&self, now: Time) -> f64 {
        if now < self.busy_until { self.crowd } else { self.crowd_own }
    }

    /// Field by field what is better.
    fn best(&self, other: &Glance) -> Glance {
        Glance {
            speed: self.speed.max(other.speed),
            pace: self.pace.min(other.pace),
            busy_until: self.busy_until.min(other.busy_until),
            free_at: self.free_at.min(other.free_at),
            sharer: self.sharer.max(other.sharer),
            opens_at: self.opens_at.min(other.opens_at),
            round_trip: self.round_trip.min(other.round_trip),
            price: self.price.min(other.price),
            preference: self.preference.max(other.preference),
            crowd: self.crowd.min(other.crowd),
            crowd_own: self.crowd_own.min(other.crowd_own),
            rounds: self.rounds.min(other.rounds),
        }
    }
}

// === impl Glances ===

impl Glances {
    /// Of all hosts, in the order of the fleet.
    pub(crate) fn hosts(&self) -> &[Glance] {
        &self.hosts
    }

    /// Of all blocks: hosts with a free core and others.
    pub(crate) fn blocks(&mut self) -> &[[Glance; 2]] {
        let n_blocks = self.is_stale.len();
        self.blocks.resize(n_blocks, [Glance::NOBODY; 2]);
        let stale = self.is_stale.iter_mut().zip(&mut self.blocks).zip(self.hosts.chunks(BLOCK));
        for ((is_stale, block), hosts) in stale {
            if std::mem::take(is_stale) {
                *block = of_block(hosts);
            }
        }
        &self.blocks
    }

    /// Panics in debug builds where a block is not as its hosts are.
    pub(super) fn check_invariants(&self) {
        let blocks = self.is_stale.iter().zip(&self.blocks).zip(self.hosts.chunks(BLOCK));
        for ((is_stale, block), hosts) in blocks {
            debug_assert!(*is_stale || *block == of_block(hosts), "a block shows its best hosts");
        }
        let n_blocks = self.hosts.len().div_ceil(BLOCK);
        debug_assert!(self.is_stale.len() == n_blocks, "each host is in a block");
    }

    /// One more host, after all others.
    pub(super) fn push(&mut self, glance: Glance) {
        self.hosts.push(glance);
        self.is_stale.resize(self.hosts.len().div_ceil(BLOCK), true);
        self.mark(self.hosts.len() - 1);
    }

    /// The host at `position` is seen anew.
    pub(super) fn set(&mut self, position: usize, glance: Glance) {
        if let Some(host) = self.hosts.get_mut(position) {
            *host = glance;
            self.mark(position);
        }
    }

    /// The host at `position` is gone; those after it move up.
    pub(super) fn remove(&mut self, position: usize) {
        self.hosts.remove(position);
        self.is_stale.truncate(self.hosts.len().div_ceil(BLOCK));
        self.is_stale.iter_mut().skip(position / BLOCK).for_each(|is_stale| *is_stale = true);
    }

    fn mark(&mut self, position: usize) {
        if let Some(is_stale) = self.is_stale.get_mut(position / BLOCK) {
            *is_stale = true;
        }
    }
}

/// From `now` until `at`; none where that has passed.
fn span(now: Time, at: Time) -> Seconds {
    Seconds(at.as_nanos().saturating_sub(now.as_nanos()) as f64 * 1e-9)
}

fn of_block(hosts: &[Glance]) -> [Glance; 2] {
    let mut best = [Glance::NOBODY; 2];
    for host in hosts {
        let group = &mut best[usize::from(host.rounds != 0)];
        *group = group.best(host);
    }
    best
}
