//! The waiting room: bounded in requests, bytes and time; ordered by its discipline, with an age
//! guard.
//!
//! The guard lets those go first that have waited too long for their size. Its share of the starts
//! is limited ([`Guard`](crate::balancer)): else those of one client that asks for more than there
//! is would all be overdue before long, and go before everybody else.
//!
//! Every operation is O(log n).

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use crate::admit::ShedReason;
use crate::policy::{QueueDiscipline, QueuePolicy};
use crate::request::RequestId;
use crate::units::{Time, Work};

mod reconfigure;

/// The age guard lets a request go first at the latest after this part of the longest wait.
const GUARD_PART_MAX: f64 = 0.75;

/// A request that asks for a place.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Which request.
    pub id: RequestId,
    /// When it arrived at the balancer; a request that is tried again keeps its age.
    pub arrived: Time,
    /// Its estimated work.
    pub work: Work,
    /// The size of its body.
    pub bytes: u64,
}

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QueueState {
    /// How many requests.
    pub requests: usize,
    /// How many bytes of bodies.
    pub bytes: u64,
    /// How much estimated work.
    pub work: Work,
}

/// The waiting room.
#[derive(Debug, Clone)]
pub struct Queue {
    policy: QueuePolicy,
    places: BTreeMap<RequestId, Place>,
    /// By the discipline.
    order: BTreeSet<(u64, Time, RequestId)>,
    /// By the instant at which the age guard lets it go first.
    guard: BTreeSet<(Time, RequestId)>,
    /// By the instant at which it has waited too long.
    expiry: BTreeSet<(Time, RequestId)>,
    bytes: u64,
    /// In nanoseconds of the reference core: integers, so that nothing is left when all have gone.
    work: u128,
    /// Requests and bytes that were here when a limit was lowered: they stay.
    before: (usize, u64),
}

/// Where a request stands in each order.
#[derive(Debug, Clone, Copy)]
struct Place {
    key: u64,
    arrived: Time,
    overdue_at: Time,
    until: Time,
    bytes: u64,
    work: u64,
}

// === impl Queue ===

impl Queue {
    /// An empty waiting room.
    pub fn new(policy: QueuePolicy) -> Queue {
        Queue {
            policy,
            places: BTreeMap::new(),
            order: BTreeSet::new(),
            guard: BTreeSet::new(),
            expiry: BTreeSet::new(),
            bytes: 0,
            work: 0,
            before: (0, 0),
        }
    }

    /// Takes a place for `waiting`. Returns until when, or why there is none.
    pub fn push(&mut self, now: Time, waiting: &Waiting) -> Result<Time, ShedReason> {
        self.remove(waiting.id);
        self.has_room(waiting)?;
        let place = self.place(now, waiting);
        self.insert(waiting.id, place);
        Ok(place.until)
    }

    fn insert(&mut self, id: RequestId, place: Place) {
        self.order.insert((place.key, place.arrived, id));
        self.guard.insert((place.overdue_at, id));
        self.expiry.insert((place.until, id));
        self.bytes += place.bytes;
        self.work += u128::from(place.work);
        self.places.insert(id, place);
    }

    /// Whether there is a place for `waiting`, which has none, or why there is not.
    pub fn has_room(&self, waiting: &Waiting) -> Result<(), ShedReason> {
        if self.policy.requests_max <= self.places.len() {
            return Err(ShedReason::QueueFull);
        }
        if self.policy.bytes_max < self.bytes.saturating_add(waiting.bytes) {
            return Err(ShedReason::QueueBytes);
        }
        Ok(())
    }

    /// Gives a place back. False where there is none.
    pub fn remove(&mut self, id: RequestId) -> bool {
        let Some(place) = self.places.remove(&id) else { return false };
        self.order.remove(&(place.key, place.arrived, id));
        self.guard.remove(&(place.overdue_at, id));
        self.expiry.remove(&(place.until, id));
        self.bytes -= place.bytes;
        self.work -= u128::from(place.work);
        true
    }

    /// The first `n` in order: where the age `guard` has its turn, those that it lets go first by
    /// age, then by discipline.
    pub fn first(&self, now: Time, n: usize, guard: bool) -> SmallVec<[RequestId; 4]> {
        let overdue = self.guard.iter().take_while(|(at, _)| guard && *at <= now);
        let mut first: SmallVec<[RequestId; 4]> = overdue.map(|(_, id)| *id).take(n).collect();
        // At most `n` of these are taken already, so that many more are enough.
        for (_, _, id) in self.order.iter().take(2 * n) {
            if first.len() == n {
                break;
            }
            if !first.contains(id) {
                first.push(*id);
            }
        }
        first
    }

    /// Whether a request that waits would go before `waiting`, where the age `guard` has its turn
    /// or has not.
    pub fn precedes(&self, now: Time, waiting: &Waiting, guard: bool) -> bool {
        let key = self.place(now, waiting).key;
        guard && self.has_overdue(now)
            || self.order.first().is_some_and(|first| *first < (key, waiting.arrived, waiting.id))
    }

    /// Whether any request has waited too long for its size.
    pub fn has_overdue(&self, now: Time) -> bool {
        self.guard.first().is_some_and(|(at, _)| *at <= now)
    }

    /// Whether `id` has waited too long for its size.
    pub fn is_overdue(&self, now: Time, id: RequestId) -> bool {
        self.places.get(&id).is_some_and(|place| place.overdue_at <= now)
    }

    /// The request that has waited too long, the longest first. `None` where none has.
    pub fn expired(&self, now: Time) -> Option<RequestId> {
        self.expiry.first().filter(|(until, _)| *until <= now).map(|(_, id)| *id)
    }

    /// When the first request will have waited too long.
    pub fn next_expiry(&self) -> Option<Time> {
        self.expiry.first().map(|(until, _)| *until)
    }

    /// What waits.
    pub fn state(&self) -> QueueState {
        QueueState {
            requests: self.places.len(),
            bytes: self.bytes,
            work: Work::saturating(self.work as f64 * 1e-9),
        }
    }

    /// Panics in debug builds where an invariant does not hold.
    pub fn check_invariants(&self) {
        let n = self.places.len();
        let requests_max = self.policy.requests_max.max(self.before.0);
        let bytes_max = self.policy.bytes_max.max(self.before.1);
        debug_assert!(n <= requests_max, "queue ≤ its limit in requests");
        debug_assert!(self.bytes <= bytes_max, "queue ≤ its limit in bytes");
        debug_assert!(
            self.order.len() == n && self.guard.len() == n && self.expiry.len() == n,
            "a place in one order is a place in all"
        );
        debug_assert!(
            n != 0 || (self.bytes == 0 && self.work == 0),
            "an empty queue holds nothing"
        );
    }

    fn place(&self, now: Time, waiting: &Waiting) -> Place {
        let secs = waiting.work.as_cpu_secs();
        let allowance = secs * self.policy.age_factor.max(0.0);
        let allowance = std::time::Duration::try_from_secs_f64(allowance)
            .unwrap_or(std::time::Duration::MAX)
            .saturating_add(self.policy.age_floor);
        // No request is refused for having waited before it may go first.
        let allowance = allowance.min(self.policy.wait_max.mul_f64(GUARD_PART_MAX));
        let overdue_at = waiting.arrived + allowance;
        let work = (secs * 1e9) as u64;
        let key = match self.policy.discipline {
            QueueDiscipline::Fcfs => waiting.arrived.as_nanos(),
            QueueDiscipline::Sept => work,
            QueueDiscipline::Edf => overdue_at.as_nanos(),
        };
        let until = now + self.policy.wait_max;
        Place { key, arrived: waiting.arrived, overdue_at, until, bytes: waiting.bytes, work }
    }
}

#[cfg(test)]
mod tests;
