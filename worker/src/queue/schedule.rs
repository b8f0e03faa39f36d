//! Who runs now: the queue's decisions, without its threads.
//!
//! Time is an argument, counted from any one instant; what requests have attained is told. Each
//! event (`arrive`, `reach`, `finish`, `abandon`, `decide` by the alarm) ends in the same decision,
//! from scratch:
//!
//! ```text
//! 1. choose   the best of those that could run, as many as run at once
//! 2. ask      who is in a slot and not chosen to park at the next checkpoint (or take that back)
//! 3. enter    who is chosen enters a free slot; without one, the slot of somebody who was asked long
//!             ago and now yields: goes on beside it, at the lowest priority, until its checkpoint
//! ```
//!
//! So a slot is idle only while nobody could run, and never has two requests in it.

mod choose;
mod entry;

use std::collections::BTreeMap;
use std::time::Duration;

use super::age::AgeGuard;
use super::order::Order;
use super::ticket::Ticket;
use entry::{Entry, Phase};

/// What the requests of a [`Schedule`] may take.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Requests that run at once, at least 1, unless the order says otherwise.
    pub(super) slots: usize,
    /// Requests that hold memory because they were started, at least `slots`.
    pub(super) started_max: usize,
    /// How long a request that was asked to park keeps its slot; `None` where threads cannot yield.
    pub(super) yields_after: Option<Duration>,
    pub(super) age: AgeGuard,
}

/// The requests of a queue.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) order: &'static dyn Order,
    pub(super) bounds: Bounds,
    /// Reference cores of one core, finite and above zero.
    pub(super) speed: f64,
    entries: BTreeMap<u64, Entry>,
}

/// What a decision changes. The one who carries it out has nothing to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
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
    /// It was parked and nobody wants it any more: it is to end.
    Release(u64),
    /// It waited and nobody wants it any more. It is gone.
    Forget(u64),
}

/// How many requests there are, by phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) waiting: usize,
    pub(super) in_slots: usize,
    /// Started and in no slot: parked, yielding or leaving.
    pub(super) parked: usize,
}

/// No alarm rings earlier than this after a decision, however soon an estimate is outlived.
const ALARM_MIN: Duration = Duration::from_micros(200);

// === impl Schedule ===

impl Schedule {
    /// No requests.
    pub(super) fn new(order: &'static dyn Order, bounds: Bounds) -> Schedule {
        debug_assert!(0 < bounds.slots, "a queue has a slot");
        debug_assert!(bounds.slots <= bounds.started_max, "what is in a slot was started");
        Schedule { order, bounds, speed: 1.0, entries: BTreeMap::new() }
    }

    /// A request comes; its number is above all before.
    pub(super) fn arrive(&mut self, ticket: Ticket, now: Duration) -> Vec<Move> {
        let earlier = self.entries.insert(ticket.number, Entry::new(ticket, now));
        debug_assert!(earlier.is_none(), "numbers are unique");
        self.decide(now)
    }

    /// A request is at a checkpoint. Where it was asked to, it parks, unless it may go on after all.
    pub(super) fn reach(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let Some(entry) = self.entries.get_mut(&number) else { return Vec::new() };
        match entry.phase {
            Phase::Asked { .. } | Phase::Yielding if !entry.abandoned => {
                entry.step_out(Phase::Parked, now);
            }
            Phase::Waiting
            | Phase::Running
            | Phase::Asked { .. }
            | Phase::Yielding
            | Phase::Parked
            | Phase::Leaving => {}
        }
        let moves = self.decide(now);
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.preemptions += u64::from(entry.phase == Phase::Parked);
        }
        moves
    }

    /// A started request has ended.
    pub(super) fn finish(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let ended = self.entries.remove(&number);
        debug_assert!(ended.is_some_and(|entry| entry.is_started()), "what ends was started");
        self.decide(now)
    }

    /// Nobody wants a request any more. It may have ended.
    pub(super) fn abandon(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let Some(entry) = self.entries.get_mut(&number) else { return Vec::new() };
        entry.abandoned = true;
        let mut moves = Vec::new();
        match entry.phase {
            Phase::Waiting => {
                self.entries.remove(&number);
                moves.push(Move::Forget(number));
            }
            Phase::Parked => {
                entry.phase = Phase::Leaving;
                moves.push(Move::Release(number));
            }
            Phase::Running | Phase::Asked { .. } | Phase::Yielding | Phase::Leaving => {}
        }
        moves.extend(self.decide(now));
        moves
    }

    /// There is no thread for a request that was to start. It waits again, and no more requests are
    /// started than there are now.
    pub(super) fn refuse(&mut self, number: u64, now: Duration) -> Vec<Move> {
        let Some(entry) = self.entries.get_mut(&number) else { return Vec::new() };
        entry.step_out(Phase::Waiting, now);
        let census = self.census();
        self.bounds.started_max = self.bounds.slots.max(census.in_slots + census.parked);
        self.decide(now)
    }

    /// Decides anew, as the event that everybody waits for is the passing of time.
    pub(super) fn decide(&mut self, now: Duration) -> Vec<Move> {
        let chosen = self.choose(now);
        let mut moves = self.ask(&chosen, now);
        let mut free = self.at_once() - self.census().in_slots;
        for number in chosen {
            if self.entries.get(&number).is_none_or(Entry::is_in_slot) {
                continue;
            }
            if free == 0 {
                let Some(yields) = self.yield_one(now) else { break };
                moves.push(yields);
                free += 1;
            }
            moves.extend(self.enter(number, now));
            free -= 1;
        }
        self.check_invariants();
        moves
    }

    /// When to decide again though nothing has happened; `None` where that would change nothing.
    pub(super) fn next_alarm(&self, now: Duration) -> Option<Duration> {
        if !self.entries.values().any(Entry::wants_slot) {
            return None;
        }
        let alarms = self.entries.values().filter_map(|entry| self.alarm_of(entry, now));
        alarms.min().map(|alarm| alarm.max(now.saturating_add(ALARM_MIN)))
    }

    /// Takes note of what each request that was started has attained, in host CPU-seconds, where
    /// `read` knows.
    pub(super) fn refresh(&mut self, read: impl Fn(u64) -> Option<Duration>) {
        for (number, entry) in &mut self.entries {
            if entry.is_executing()
                && let Some(attained) = read(*number)
            {
                entry.ticket.attained_secs = attained.as_secs_f64() * self.speed;
            }
        }
    }

    /// Whether a decision depends on what requests have attained, should `more` requests come.
    pub(super) fn weighs_attained(&self, more: usize) -> bool {
        self.order.preempts() && self.at_once() < self.entries.len() + more
    }

    /// Whether the request waits at a checkpoint.
    pub(super) fn is_parked(&self, number: u64) -> bool {
        self.entries.get(&number).is_some_and(|entry| entry.phase == Phase::Parked)
    }

    /// Whether the request runs beside the slots.
    pub(super) fn is_yielding(&self, number: u64) -> bool {
        self.entries.get(&number).is_some_and(|entry| entry.phase == Phase::Yielding)
    }

    /// How long the request has been in no slot since it arrived, and how often it has parked for
    /// another one.
    pub(super) fn waited(&self, number: u64, now: Duration) -> (Duration, u64) {
        let entry = self.entries.get(&number);
        entry.map_or_else(Default::default, |entry| (entry.waited(now), entry.preemptions))
    }

    /// How many requests there are.
    pub(super) fn census(&self) -> Census {
        let mut census = Census::default();
        for entry in self.entries.values() {
            match entry.phase {
                Phase::Waiting => census.waiting += 1,
                Phase::Running | Phase::Asked { .. } => census.in_slots += 1,
                Phase::Yielding | Phase::Parked | Phase::Leaving => census.parked += 1,
            }
        }
        census
    }

    /// The work that is believed to be left, in CPU-seconds of the reference core.
    pub(super) fn work_left_secs(&self) -> f64 {
        let wanted = self.entries.values().filter(|entry| !entry.abandoned);
        wanted.map(|entry| entry.ticket.remaining_secs()).sum()
    }

    /// How many requests run at once.
    pub(super) fn at_once(&self) -> usize {
        self.order.at_once(self.bounds.slots, self.bounds.started_max)
    }

    /// Everybody who was not started.
    pub(super) fn waiting(&self) -> Vec<u64> {
        let waiting = self.entries.iter().filter(|(_, entry)| entry.phase == Phase::Waiting);
        waiting.map(|(number, _)| *number).collect()
    }
}

#[cfg(test)]
mod tests;
