//! The waiting room: bounded in requests, bytes and time; ordered by its discipline, with an age
//! guard.
//!
//! The guard lets those go first that have waited too long for their size. Its share of the starts
//! is limited ([`Guard`](crate::balancer)): else those of one client that asks for more than there
//! is would all be overdue before long, and go before everybody else.
//!
//! Where requests are of several clients, those of whoever has least excess go first, by the
//! [`Rule`], and the discipline is the order of each client's own (`queue/lines.rs`).
//! A full room lets the newest request go of the client that has most work waiting, for one of a
//! client that has less.
//!
//! A request whose answer is of no use after an instant leaves when it cannot make it any more. It
//! goes before no other for that: in the simulator's `deadlines`, where more is asked for than
//! there is, 58 % of the answers were in time where what got late went first, and 99 % by the
//! shortest first.
//!
//! Every operation is O(log n).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smallvec::SmallVec;

use crate::admit::ShedReason;
use crate::policy::{QueueDiscipline, QueuePolicy};
use crate::request::RequestId;
use crate::share::{AccountId, Rule, Standing};
use crate::units::{Time, Work};
use lines::Lines;
use ordered::Ordered;

mod lines;
mod ordered;
mod reconfigure;

/// The age guard lets a request go first at the latest after this part of the longest wait.
const GUARD_PART_MAX: f64 = 0.75;

/// The most requests that one of another client displaces.
const DISPLACED_MAX: usize = 8;

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
    /// Where its client stands.
    pub standing: Standing,
    /// The excess of its client, in CPU seconds over weight.
    pub excess_secs: f64,
    /// What it adds to what its client has attained, at the origin.
    pub size: f64,
    /// When it has to have started, to be of use.
    pub start_by: Option<Time>,
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
    order: Ordered,
    /// By client, where there are several.
    lines: Option<Lines>,
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
    start_by: Option<Time>,
    account: AccountId,
    priority: u8,
    size: f64,
    excess_secs: f64,
}

// === impl Queue ===

impl Queue {
    /// An empty waiting room; with a `rule`, one for several clients.
    pub fn new(policy: QueuePolicy, rule: Option<&'static dyn Rule>) -> Queue {
        Queue {
            policy,
            places: BTreeMap::new(),
            order: Ordered::default(),
            lines: rule.map(Lines::new),
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
        if let Some(lines) = &mut self.lines {
            lines.stand(place.account, waiting.standing.excess);
        }
        Ok(place.until)
    }

    fn insert(&mut self, id: RequestId, place: Place) {
        self.order.insert(id, &place);
        if let Some(lines) = &mut self.lines {
            lines.insert(id, &place);
        }
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
        self.order.remove(id, &place);
        if let Some(lines) = &mut self.lines {
            lines.remove(id, &place);
        }
        self.guard.remove(&(place.overdue_at, id));
        self.expiry.remove(&(place.until, id));
        self.bytes -= place.bytes;
        self.work -= u128::from(place.work);
        true
    }

    /// What gives way to `waiting` where there is no place for it: the newest of the client of the
    /// last class that has most work waiting, where that is not `waiting`'s own, and where
    /// `waiting` is of a class before it or its client has less waiting even so. Nothing where
    /// nothing does, or where a few would not be enough.
    pub fn displaced_by(&self, waiting: &Waiting) -> SmallVec<[RequestId; 2]> {
        let none = SmallVec::new();
        let Some(lines) = &self.lines else { return none };
        let work = nanos(waiting.work);
        let (account, priority) = (waiting.standing.account, waiting.standing.priority);
        let mut gone: SmallVec<[RequestId; 2]> = SmallVec::new();
        let (mut requests, mut bytes) = (self.places.len(), self.bytes);
        for id in lines.newest_of_heaviest((account, priority), work).take(DISPLACED_MAX) {
            let Some(place) = self.places.get(&id) else { return none };
            (requests, bytes) = (requests - 1, bytes - place.bytes);
            gone.push(id);
            let fits = bytes.saturating_add(waiting.bytes) <= self.policy.bytes_max;
            if requests < self.policy.requests_max && fits {
                return gone;
            }
        }
        none
    }

    /// A client has so much excess by now. Whether that is news.
    pub fn stand(&mut self, account: AccountId, excess: f64) -> bool {
        self.lines.as_mut().is_some_and(|lines| lines.stand(account, excess))
    }

    /// The client whose request is the first by client and discipline.
    pub fn first_client(&self) -> Option<AccountId> {
        self.lines.as_ref()?.first_client()
    }

    /// Amounts are counted as `factor` times as much from now on.
    pub fn rescale(&mut self, factor: f64) {
        for place in self.places.values_mut() {
            place.size *= factor;
        }
        if let Some(lines) = &mut self.lines {
            lines.rescale(factor, &self.places);
        }
    }

    /// The first `n` in order: where the age `guard` has its turn, those that it lets go first by
    /// age, then by client and discipline. Where there are several clients, after their first ones
    /// come the first by discipline alone: what the others cannot use is theirs.
    pub fn first(&self, now: Time, n: usize, guard: bool) -> SmallVec<[RequestId; 4]> {
        let overdue = self.guard.iter().take_while(|(at, _)| guard && *at <= now);
        let mut first: SmallVec<[RequestId; 4]> = overdue.map(|(_, id)| *id).take(n).collect();
        let mut add = |ids: &mut dyn Iterator<Item = RequestId>, most: usize| {
            for id in ids {
                if most <= first.len() {
                    break;
                }
                if !first.contains(&id) {
                    first.push(id);
                }
            }
        };
        // What is taken already is passed over: so many more are enough.
        let mut most = n;
        if let Some(lines) = &self.lines {
            add(&mut lines.first(2 * n).into_iter(), n);
            most = if n == 1 { 1 } else { 2 * n };
        }
        add(&mut self.order.first().take(3 * n), most);
        first
    }

    /// Whether what waits is of several clients, so that what comes later in order may be shorter.
    pub fn is_of_several(&self) -> bool {
        self.lines.is_some()
    }

    /// Whether a request that waits would go before `waiting`, where the age `guard` has its turn
    /// or has not.
    pub fn precedes(&self, now: Time, waiting: &Waiting, guard: bool) -> bool {
        if guard && self.has_overdue(now) {
            return true;
        }
        let place = self.place(now, waiting);
        match &self.lines {
            Some(lines) => lines.precedes(waiting.id, &place, waiting.standing.excess),
            None => self.order.precedes(waiting.id, &place),
        }
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

    /// Whether `id` has to start by an instant that has come.
    pub fn is_late(&self, now: Time, id: RequestId) -> bool {
        let start_by = self.places.get(&id).and_then(|place| place.start_by);
        start_by.is_some_and(|start_by| start_by <= now)
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
        if let Some(lines) = &self.lines {
            lines.check_invariants(n);
        }
    }

    fn place(&self, now: Time, waiting: &Waiting) -> Place {
        let secs = waiting.work.as_cpu_secs();
        let allowance = self.seconds(secs).saturating_add(self.policy.age_floor);
        // No request is refused for having waited before it may go first.
        let allowance = allowance.min(self.policy.wait_max.mul_f64(GUARD_PART_MAX));
        // But those of a client that has had more than others are not late for that.
        let allowance = allowance.saturating_add(self.seconds(waiting.excess_secs));
        let overdue_at = waiting.arrived + allowance;
        let work = nanos(waiting.work);
        let key = match self.policy.discipline {
            QueueDiscipline::Fcfs => waiting.arrived.as_nanos(),
            QueueDiscipline::Sept => work,
            QueueDiscipline::Edf => overdue_at.as_nanos(),
        };
        let until = now + self.policy.wait_max;
        Place {
            key,
            arrived: waiting.arrived,
            overdue_at,
            until: waiting.start_by.map_or(until, |start_by| start_by.min(until)),
            bytes: waiting.bytes,
            work,
            start_by: waiting.start_by,
            account: waiting.standing.account,
            priority: waiting.standing.priority,
            size: waiting.size,
            excess_secs: waiting.excess_secs,
        }
    }

    /// How long may be waited for so much work.
    fn seconds(&self, cpu_secs: f64) -> Duration {
        let secs = cpu_secs * self.policy.age_factor.max(0.0);
        Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX)
    }
}

/// Nanoseconds of the reference core.
fn nanos(work: Work) -> u64 {
    (work.as_cpu_secs() * 1e9) as u64
}

#[cfg(test)]
mod tests;
