//! The decisions of a run queue, without its threads.
//!
//! Time is an argument, counted from any one instant; what requests have attained is told. Each
//! event (`arrive`, `reach`, `finish`, `abandon`, `decide` by the alarm) ends in the same decision:
//!
//! ```text
//! 1. choose   the best of those that could run, as many as run at once
//! 2. ask      a request that is in a slot and not chosen to park at the next checkpoint (or take
//!             that back)
//! 3. enter    a chosen request enters a free slot; without one, the slot of a request that was asked
//!             long ago and now yields: it goes on beside the slot, at the lowest priority, until its
//!             checkpoint
//! ```
//!
//! So a slot is idle only while no request could run, and never has two requests in it. A decision
//! looks at the requests in slots and at the best of the others, which are kept in order.

mod claim;
mod entry;
mod ranked;
mod places;
mod choose;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::age::AgeGuard;
use crate::defaults;
use crate::order::Order;
use crate::progress::Progress;
use entry::{Entry, Phase};
use ranked::Ranked;

/// What the requests of a [`Schedule`] may take.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Requests that run at once, at least 1, unless the order says otherwise.
    pub slots: usize,
    /// Requests that hold memory because they were started, at least `slots`.
    pub started_max: usize,
    /// Bytes that they hold together at most. One that holds more is started all the same.
    pub started_bytes_max: u64,
    /// How long a request that was asked to park keeps its slot; `None` where threads cannot yield.
    pub yields_after: Option<Duration>,
    /// No alarm rings earlier than this after a decision, however soon an estimate is outlived;
    /// above zero.
    pub alarm_min: Duration,
    /// How long requests may wait for shorter ones.
    pub age: AgeGuard,
}

/// The requests of a queue.
#[derive(Debug)]
pub struct Schedule {
    order: &'static dyn Order,
    bounds: Bounds,
    speed: f64,
    /// Running or asked.
    in_slots: BTreeMap<u64, Entry>,
    yielding: BTreeMap<u64, Entry>,
    /// Waiting, parked or leaving: these use no CPU time.
    outside: BTreeMap<u64, Entry>,
    waiting: Ranked,
    parked: Ranked,
    /// Requests in slots that are to park.
    n_asked: usize,
    /// Bytes that the started ones hold.
    started_bytes: u64,
    /// Until then the age guard lets none go first.
    guard_rests_until: Duration,
    /// Since when a request had its slot that the guard let go first, and that has ended.
    guarded_since: Option<Duration>,
}

/// What a decision changes. Carrying it out leaves nothing to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// It enters a slot for the first time.
    Start(u64),
    /// It was parked, and is in a slot again.
    Resume(u64),
    /// It is to come to [`Schedule::reach`] at its next checkpoint.
    Ask(u64),
    /// It need not come any more.
    Withdraw(u64),
    /// It has left its slot, but runs on at the lowest priority.
    Yield(u64),
    /// It has yielded, and is in a slot again.
    Restore(u64),
    /// It was parked and its client is gone: it is to end.
    Release(u64),
    /// It waited and its client is gone. So is the request.
    Forget(u64),
}

/// How many requests there are, by phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Not started.
    pub waiting: usize,
    /// Running in a slot.
    pub in_slots: usize,
    /// Started and in no slot: parked, yielding or leaving.
    pub parked: usize,
}

// === impl Bounds ===

impl Bounds {
    /// Of a host with so many slots, and otherwise as the [`defaults`] have it.
    pub fn new(slots: usize) -> Bounds {
        Bounds {
            slots,
            started_max: slots.max(defaults::STARTED_MAX),
            started_bytes_max: u64::MAX,
            yields_after: Some(defaults::YIELDS_AFTER),
            alarm_min: defaults::ALARM_MIN,
            age: defaults::AGE,
        }
    }
}

// === impl Schedule ===

impl Schedule {
    /// No requests.
    pub fn new(order: &'static dyn Order, bounds: Bounds) -> Schedule {
        debug_assert!(0 < bounds.slots, "a queue has a slot");
        debug_assert!(bounds.slots <= bounds.started_max, "what is in a slot was started");
        debug_assert!(Duration::ZERO < bounds.alarm_min, "time passes until an alarm");
        Schedule {
            order,
            bounds,
            speed: 1.0,
            in_slots: BTreeMap::new(),
            yielding: BTreeMap::new(),
            outside: BTreeMap::new(),
            waiting: Ranked::default(),
            parked: Ranked::default(),
            n_asked: 0,
            started_bytes: 0,
            guard_rests_until: Duration::ZERO,
            guarded_since: None,
        }
    }

    /// A request comes; its number is above all before.
    pub fn arrive(&mut self, progress: Progress, now: Duration) -> Vec<Move> {
        debug_assert!(self.entry(progress.number()).is_none(), "numbers are unique");
        self.put_outside(Entry::new(progress, now));
        self.decide(now)
    }

    /// A request is at a checkpoint. Where it was asked to, it parks, unless it may go on after
    /// all.
    pub fn reach(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let Some(entry) = self.entry(number) else { return Vec::new() };
        let gives_way = match entry.phase {
            Phase::Asked { .. } | Phase::Yielding => !entry.abandoned,
            Phase::Waiting | Phase::Running | Phase::Parked | Phase::Leaving => false,
        };
        if gives_way && let Some(mut entry) = self.take(number) {
            entry.step_out(Phase::Parked, now);
            self.put_outside(entry);
        }
        let moves = self.decide(now);
        if let Some(entry) = self.outside.get_mut(&number) {
            entry.preemptions += u64::from(entry.phase == Phase::Parked);
        }
        moves
    }

    /// A started request has ended. Its slot stays free until the next decision.
    pub fn finish(&mut self, number: u64) {
        let ended = self.take(number);
        debug_assert!(ended.as_ref().is_some_and(Entry::is_started), "what ends was started");
        if let Some(ended) = ended
            && self.at_once() == 1
            && ended.is_in_slot()
            && self.deadline(&ended) <= ended.waited_until(Duration::ZERO)
        {
            self.guarded_since = Some(ended.waited_until(Duration::ZERO));
        }
    }

    /// The client of a request is gone. The request may have ended.
    pub fn abandon(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let Some(entry) = self.entry_mut(number) else { return Vec::new() };
        let left = match entry.phase {
            Phase::Waiting => {
                self.take(number);
                Some(Move::Forget(number))
            }
            Phase::Parked => {
                if let Some(mut entry) = self.take(number) {
                    entry.abandoned = true;
                    entry.phase = Phase::Leaving;
                    self.put_outside(entry);
                }
                Some(Move::Release(number))
            }
            Phase::Running | Phase::Asked { .. } | Phase::Yielding | Phase::Leaving => {
                entry.abandoned = true;
                None
            }
        };
        let mut moves = Vec::from_iter(left);
        moves.extend(self.decide(now));
        moves
    }

    /// The client of a started request is gone, but what runs it cannot be told to stop. It goes on
    /// after all others until it ends, and is no work left.
    pub fn linger(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let Some(entry) = self.entry_mut(number) else { return Vec::new() };
        debug_assert!(entry.is_started(), "what goes on was started");
        if entry.phase == Phase::Parked {
            // Its rank changes, and it is kept by that.
            if let Some(mut entry) = self.take(number) {
                entry.lingers = true;
                self.put_outside(entry);
            }
        } else {
            entry.lingers = true;
        }
        self.decide(now)
    }

    /// Sets how many may be started at once: not less than there are, and less than the slots where
    /// what runs them is missing.
    pub fn set_started_max(&mut self, started_max: usize) {
        debug_assert!(self.n_started() <= started_max, "what was started goes on");
        self.bounds.started_max = started_max;
    }

    /// There is no thread for a request that was to start. It waits again, and no more requests are
    /// started than there are now.
    pub fn refuse(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let Some(mut entry) = self.take(number) else { return Vec::new() };
        entry.step_out(Phase::Waiting, now);
        self.put_outside(entry);
        self.bounds.started_max = self.bounds.slots.max(self.n_started());
        self.decide(now)
    }

    /// Decides anew, where the event is the passing of time.
    pub fn decide(&mut self, now: Duration) -> Vec<Move> {
        if let Some(since) = self.guarded_since.take() {
            self.guard_rests_until = now.saturating_add(now.saturating_sub(since));
        }
        let chosen = self.choose(now);
        let mut moves = self.ask(&chosen.leaves, now);
        let mut free = self.at_once() - self.in_slots.len();
        for number in chosen.enters {
            if free == 0 {
                let Some(yields) = self.yield_one(now) else { break };
                moves.push(yields);
                free += 1;
            }
            moves.extend(self.enter(number, now));
            free -= 1;
        }
        self.check_invariants(now);
        moves
    }

    /// When to decide again though nothing has happened; `None` where that would change nothing.
    pub fn next_alarm(&self, now: Duration) -> Option<Duration> {
        if !self.has_contenders() {
            return None;
        }
        self.first_alarm(now).map(|alarm| alarm.max(now.saturating_add(self.bounds.alarm_min)))
    }

    /// Takes note of the work that each request that uses CPU time has attained in all, in
    /// CPU-seconds of the reference core, where `read` knows.
    pub fn refresh(&mut self, mut read: impl FnMut(u64) -> Option<f64>) {
        for (number, entry) in self.in_slots.iter_mut().chain(&mut self.yielding) {
            if let Some(attained_secs) = read(*number) {
                entry.progress.attain(attained_secs);
            }
        }
    }

    /// Whether a decision depends on what requests have attained, should `more` requests come.
    pub fn weighs_attained(&self, more: usize) -> bool {
        self.order.preempts() && self.at_once() < self.n_requests() + more
    }

    /// Sets the speed of the host: reference cores of one core, finite and above zero. Deadlines of
    /// requests in no slot stay as they are.
    pub fn set_speed(&mut self, speed: f64) {
        debug_assert!(0.0 < speed && speed.is_finite(), "a speed is above zero and finite");
        self.speed = speed;
    }

    /// The speed that [`Schedule::set_speed`] has set; 1 before.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// What its requests may take now: fewer may be started once a thread was refused.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Its order.
    pub fn order(&self) -> &'static dyn Order {
        self.order
    }

    /// Whether the request waits at a checkpoint.
    pub fn is_parked(&self, number: u64) -> bool {
        self.outside.get(&number).is_some_and(|entry| entry.phase == Phase::Parked)
    }

    /// Whether the request runs beside the slots.
    pub fn is_yielding(&self, number: u64) -> bool {
        self.yielding.contains_key(&number)
    }

    /// How long the request has been in no slot since it arrived, and how often it has parked for
    /// another one.
    pub fn waited(&self, number: u64, now: Duration) -> (Duration, u64) {
        let entry = self.entry(number);
        entry.map_or_else(Default::default, |entry| (entry.waited(now), entry.preemptions))
    }

    /// How many requests there are.
    pub fn census(&self) -> Census {
        let in_slots = self.in_slots.len();
        Census { waiting: self.waiting.len(), in_slots, parked: self.n_started() - in_slots }
    }

    /// The work that is believed to be left, in CPU-seconds of the reference core. Those
    /// without a client have none.
    pub fn work_left_secs(&self) -> f64 {
        let executing = self.in_slots.values().chain(self.yielding.values());
        let executing: f64 = executing.map(Entry::work_left_secs).sum();
        executing + self.waiting.work_secs() + self.parked.work_secs()
    }

    /// How many requests run at once.
    pub fn at_once(&self) -> usize {
        self.order.at_once(self.bounds.slots, self.bounds.started_max)
    }

    /// Every request that was not started.
    pub fn waiting(&self) -> Vec<u64> {
        let waiting = self.outside.iter().filter(|(_, entry)| entry.phase == Phase::Waiting);
        waiting.map(|(number, _)| *number).collect()
    }
}

#[cfg(test)]
mod tests;
