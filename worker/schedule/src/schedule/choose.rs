//! The decision itself.

use std::collections::BinaryHeap;
use std::iter;
use std::time::Duration;

use super::claim::{Claim, Standing};
use super::entry::{Entry, Phase};
use super::places::span;
use super::{Move, Schedule};

/// What a decision wants to change in the slots.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Requests that are to enter a slot, best first.
    pub(super) enters: Vec<u64>,
    /// Requests that are to leave theirs for them.
    pub(super) leaves: Vec<u64>,
}

impl Schedule {
    /// The best of all requests are to be in the slots: those in no slot take the free ones, and then
    /// those of worse requests.
    pub(super) fn choose(&self, now: Duration) -> Choice {
        let mut choice = Choice::default();
        let mut outsiders = self.outsiders(now);
        let free = self.at_once() - self.in_slots.len();
        choice.enters.extend(outsiders.by_ref().take(free).map(|claim| claim.number));
        let Some(mut best) = outsiders.next() else { return choice };
        let mut insiders: BinaryHeap<Claim> =
            self.in_slots.values().map(|entry| self.claim(entry, now)).collect();
        while let Some(worst) = insiders.pop()
            && best < worst
        {
            choice.leaves.push(worst.number);
            choice.enters.push(best.number);
            let Some(next) = outsiders.next() else { break };
            best = next;
        }
        choice
    }

    /// Asks those in slots that are to leave to park, and tells others to stay that were asked before.
    pub(super) fn ask(&mut self, leaves: &[u64], now: Duration) -> Vec<Move> {
        let mut moves = Vec::new();
        if leaves.is_empty() && self.n_asked == 0 {
            return moves;
        }
        for (&number, entry) in &mut self.in_slots {
            match (entry.is_asked(), leaves.contains(&number)) {
                (false, true) => {
                    entry.phase = Phase::Asked { since: now };
                    self.n_asked += 1;
                    moves.push(Move::Ask(number));
                }
                (true, false) => {
                    entry.phase = Phase::Running;
                    self.n_asked -= 1;
                    moves.push(Move::Withdraw(number));
                }
                (false, false) | (true, true) => {}
            }
        }
        moves
    }

    /// Frees the slot of the request that was asked to park first, if that was long enough ago. At
    /// most as many requests yield as run.
    pub(super) fn yield_one(&mut self, now: Duration) -> Option<Move> {
        let patience = self.yields_after()?;
        let asked = self.in_slots.iter().filter_map(|(number, entry)| match entry.phase {
            Phase::Asked { since } if since + patience <= now => Some((since, *number)),
            Phase::Waiting
            | Phase::Running
            | Phase::Asked { .. }
            | Phase::Yielding
            | Phase::Parked
            | Phase::Leaving => None,
        });
        let (_, first) = asked.min()?;
        self.step_aside(first, now)
    }

    /// The first instant at which time alone might change a decision.
    pub(super) fn first_alarm(&self, now: Duration) -> Option<Duration> {
        let in_slots = self.in_slots.values().filter_map(|entry| self.alarm_in_slot(entry, now));
        let yielding = self.yielding.values().map(|entry| self.deadline(entry));
        let yielding = yielding.filter(|deadline| now < *deadline && *deadline < Duration::MAX);
        let outside = [&self.waiting, &self.parked].map(|ranked| ranked.next_deadline(now));
        in_slots.chain(yielding).chain(outside.into_iter().flatten()).min()
    }

    fn alarm_in_slot(&self, entry: &Entry, now: Duration) -> Option<Duration> {
        /// A request is past its estimate then, however the instant was rounded.
        const PAST: Duration = Duration::from_nanos(1);
        match entry.phase {
            // Its estimate is outlived, if it gets a core to itself until then.
            Phase::Running if self.order.preempts() => {
                let left = span(entry.progress.remaining_secs() / self.speed);
                Some(now.saturating_add(left).saturating_add(PAST))
            }
            Phase::Asked { since } => self.yields_after().map(|after| since + after),
            Phase::Running | Phase::Waiting | Phase::Yielding | Phase::Parked | Phase::Leaving => {
                None
            }
        }
    }

    /// Whether a request would enter a slot if one were free.
    pub(super) fn has_contenders(&self) -> bool {
        !self.waiting.is_empty()
            || !self.parked.is_empty()
            || self.yielding.values().any(|entry| !entry.abandoned)
    }

    /// The claims of requests in no slot that could enter one, best first: of those that wait only as
    /// many as may be started.
    fn outsiders(&self, now: Duration) -> impl Iterator<Item = Claim> {
        let mut yielding: Vec<Claim> =
            self.yielding.values().map(|entry| self.claim(entry, now)).collect();
        yielding.sort_unstable();
        let startable = self.bounds.started_max.saturating_sub(self.n_started());
        let waiting = self.waiting.claims(now).take(startable);
        merge(merge(yielding.into_iter(), self.parked.claims(now)), waiting)
    }

    /// The claim of a request that uses CPU time.
    pub(super) fn claim(&self, entry: &Entry, now: Duration) -> Claim {
        let is_in_slot = entry.is_in_slot();
        let standing = if entry.abandoned {
            Standing::Unwanted
        } else if !self.order.preempts() && is_in_slot {
            Standing::Settled
        } else {
            let deadline = self.deadline(entry);
            // It has waited for so long now, or had when it entered its slot.
            let is_overdue = deadline <= entry.waited_until(now);
            if is_overdue {
                Standing::Overdue(deadline)
            } else {
                Standing::Ordered(self.rank(entry))
            }
        };
        Claim { standing, out_of_slot: !is_in_slot, number: entry.progress.number() }
    }

    /// How long a request that was asked to park keeps its slot, where another one may yield.
    fn yields_after(&self) -> Option<Duration> {
        self.bounds.yields_after.filter(|_| self.yielding.len() < self.at_once())
    }

    /// A slot is idle only while no request could run, has one request, and no more are started than
    /// may be.
    pub(super) fn check_invariants(&self) {
        let (in_slots, at_once) = (self.in_slots.len(), self.at_once());
        let is_full = self.bounds.started_max <= self.n_started();
        debug_assert!(in_slots <= at_once, "a slot has one request");
        debug_assert!(
            self.n_started() <= self.bounds.started_max,
            "no more are started than may be"
        );
        debug_assert!(
            in_slots == at_once
                || self.parked.is_empty()
                    && (self.waiting.is_empty() || is_full)
                    && self.yielding.values().all(|entry| entry.abandoned),
            "no slot is idle while a request could run"
        );
        debug_assert!(self.yielding.len() <= at_once, "no more yield than run");
    }
}

/// All of two sequences, each in ascending order, in ascending order.
fn merge(
    one: impl Iterator<Item = Claim>,
    other: impl Iterator<Item = Claim>,
) -> impl Iterator<Item = Claim> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if second < first => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}
