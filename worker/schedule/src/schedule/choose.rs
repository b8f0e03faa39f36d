//! The decision itself.

use std::collections::BinaryHeap;
use std::iter;
use std::time::Duration;

use super::claim::{Claim, Line, Standing};
use super::entry::{Entry, Phase};
use super::places::span;
use super::{Move, Schedule};

/// What holds less than this part of what all may hold is small.
const SMALL_PART: u64 = 64;

/// What a decision wants to change in the slots.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Requests that are to enter a slot, best first.
    pub(super) enters: Vec<u64>,
    /// Requests that are to leave theirs for them.
    pub(super) leaves: Vec<u64>,
}

impl Schedule {
    /// The best of all requests are to be in the slots: those in no slot take the free ones, and
    /// then those of worse requests.
    pub(super) fn choose(&self, now: Duration) -> Choice {
        let mut choice = Choice::default();
        let line = self.guard_line(now);
        let mut outsiders = self.outsiders(line, now);
        let free = self.at_once() - self.in_slots.len();
        choice.enters.extend(outsiders.by_ref().take(free).map(|claim| claim.number));
        let Some(mut best) = outsiders.next() else { return choice };
        let mut insiders: BinaryHeap<Claim> =
            self.in_slots.values().map(|entry| self.claim(entry, line, now)).collect();
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

    /// Asks those in slots that are to leave to park, and tells others to stay that were asked
    /// before.
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
        let rest = Some(self.guard_rests_until).filter(|until| now < *until);
        in_slots.chain(yielding).chain(outside.into_iter().flatten()).chain(rest).min()
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

    /// The claims of requests in no slot that could enter one, best first: of those that wait only
    /// as many as may be started, and only those whose bytes fit beside those of the others.
    fn outsiders(&self, line: Line, now: Duration) -> impl Iterator<Item = Claim> {
        let mut yielding: Vec<Claim> =
            self.yielding.values().map(|entry| self.claim(entry, line, now)).collect();
        yielding.sort_unstable();
        let startable = self.bounds.started_max.saturating_sub(self.n_started());
        let waiting = self.fitting(line).take(startable);
        merge(merge(yielding.into_iter(), self.parked.claims(line)), waiting)
    }

    /// The claims of those that wait whose bytes fit beside those of the started ones, best first.
    /// While one that the age guard lets go first does not fit, only small ones do.
    fn fitting(&self, line: Line) -> impl Iterator<Item = Claim> {
        let most = self.bounds.started_bytes_max;
        let (mut started, mut is_kept_free) = (self.started_bytes, false);
        self.waiting.claims(line).filter(move |claim| {
            let bytes = self.outside.get(&claim.number).map_or(0, |entry| self.held(entry));
            let is_small = bytes <= most / SMALL_PART;
            let fits = started.saturating_add(bytes) <= most && (is_small || !is_kept_free);
            if fits {
                started += bytes;
            }
            is_kept_free |= !fits && matches!(claim.standing, Standing::Overdue(_));
            fits
        })
    }

    /// How far the age guard's share goes at `now`.
    pub(super) fn guard_line(&self, now: Duration) -> Line {
        if now < self.guard_rests_until {
            return None;
        }
        let executing = self.in_slots.values().chain(self.yielding.values());
        let executing = executing.filter(|entry| !entry.abandoned).filter_map(|entry| {
            // It has waited for so long now, or had when it entered its slot.
            let deadline = self.deadline(entry);
            let is_overdue = deadline <= entry.waited_until(now);
            is_overdue.then_some((deadline, entry.progress.number()))
        });
        let share = self.guard_share();
        let outside = self.waiting.overdue(now).take(share);
        let outside = outside.chain(self.parked.overdue(now).take(share));
        let mut overdue: Vec<(Duration, u64)> = executing.chain(outside).collect();
        overdue.sort_unstable();
        overdue.truncate(share);
        overdue.last().copied()
    }

    /// How many requests the age guard lets go first.
    pub(super) fn guard_share(&self) -> usize {
        (self.at_once() / 2).max(1)
    }

    /// The claim of a request that uses CPU time.
    pub(super) fn claim(&self, entry: &Entry, line: Line, now: Duration) -> Claim {
        let is_in_slot = entry.is_in_slot();
        let standing = if entry.abandoned {
            Standing::Unwanted
        } else if !self.order.preempts() && is_in_slot {
            Standing::Settled
        } else {
            let deadline = self.deadline(entry);
            // It has waited for so long now, or had when it entered its slot.
            let is_overdue = deadline <= entry.waited_until(now);
            let number = entry.progress.number();
            if is_overdue && line.is_some_and(|line| (deadline, number) <= line) {
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

    /// A slot is idle only while no request could run, has one request, and no more are started
    /// than may be.
    pub(super) fn check_invariants(&self, now: Duration) {
        if !cfg!(debug_assertions) {
            return;
        }
        let (in_slots, at_once) = (self.in_slots.len(), self.at_once());
        let is_full = self.bounds.started_max <= self.n_started()
            || self.fitting(self.guard_line(now)).next().is_none();
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
