//! The decision itself.

use std::cmp::Ordering;
use std::time::Duration;

use super::entry::{Entry, Phase};
use super::{Move, Schedule};

/// A request's claim to a slot: the lowest is the best.
#[derive(Debug)]
struct Claim {
    class: Class,
    rank: f64,
    /// Of equals, who is in a slot stays there.
    out_of_slot: bool,
    number: u64,
}

/// What counts before the order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// In a slot that nobody takes from it.
    Settled,
    /// Has waited for longer than the age guard allows.
    Overdue,
    Ordered,
    /// Nobody wants it any more: in a slot only until its next checkpoint.
    Unwanted,
}

impl Schedule {
    /// Who is to be in the slots, best first.
    pub(super) fn choose(&self, now: Duration) -> Vec<u64> {
        let (mut started, mut waiting) = (Vec::new(), Vec::new());
        for entry in self.entries.values() {
            match entry.phase {
                Phase::Waiting => waiting.push(self.claim(entry, now)),
                Phase::Running | Phase::Asked { .. } | Phase::Yielding | Phase::Parked => {
                    started.push(self.claim(entry, now));
                }
                Phase::Leaving => {}
            }
        }
        let census = self.census();
        let n_started = census.in_slots + census.parked;
        keep_best(&mut waiting, self.bounds.started_max.saturating_sub(n_started));
        started.append(&mut waiting);
        keep_best(&mut started, self.at_once());
        started.sort_unstable();
        started.into_iter().map(|claim| claim.number).collect()
    }

    /// Asks those in slots who are not `chosen` to park, and tells those to stay who are again.
    pub(super) fn ask(&mut self, chosen: &[u64], now: Duration) -> Vec<Move> {
        let mut moves = Vec::new();
        for (&number, entry) in &mut self.entries {
            match (entry.phase, chosen.contains(&number)) {
                (Phase::Running, false) => {
                    entry.phase = Phase::Asked { since: now };
                    moves.push(Move::Ask(number));
                }
                (Phase::Asked { .. }, true) => {
                    entry.phase = Phase::Running;
                    moves.push(Move::Withdraw(number));
                }
                (
                    Phase::Running
                    | Phase::Asked { .. }
                    | Phase::Waiting
                    | Phase::Yielding
                    | Phase::Parked
                    | Phase::Leaving,
                    _,
                ) => {}
            }
        }
        moves
    }

    /// Puts a request into a free slot.
    pub(super) fn enter(&mut self, number: u64, now: Duration) -> Option<Move> {
        let entry = self.entries.get_mut(&number)?;
        let entered = match entry.phase {
            Phase::Waiting => Move::Start(number),
            Phase::Parked => Move::Resume(number),
            Phase::Yielding => Move::Restore(number),
            Phase::Running | Phase::Asked { .. } | Phase::Leaving => return None,
        };
        entry.step_in(now);
        Some(entered)
    }

    /// Frees the slot of the one who was asked to park first, if that was long enough ago. At most
    /// as many requests yield as run.
    pub(super) fn yield_one(&mut self, now: Duration) -> Option<Move> {
        let patience = self.bounds.yields_after.filter(|_| self.may_yield())?;
        let asked = self.entries.values_mut().filter_map(|entry| match entry.phase {
            Phase::Asked { since } if since + patience <= now => Some((since, entry)),
            Phase::Waiting
            | Phase::Running
            | Phase::Asked { .. }
            | Phase::Yielding
            | Phase::Parked
            | Phase::Leaving => None,
        });
        let (_, entry) = asked.min_by_key(|(since, _)| *since)?;
        entry.step_out(Phase::Yielding, now);
        Some(Move::Yield(entry.ticket.number))
    }

    /// When time alone might change what is decided about `entry`, at the earliest.
    pub(super) fn alarm_of(&self, entry: &Entry, now: Duration) -> Option<Duration> {
        match entry.phase {
            // Its estimate is outlived, if it gets a core to itself until then.
            Phase::Running if self.order.preempts() => {
                Some(now.saturating_add(span(entry.ticket.remaining_secs() / self.speed)))
            }
            Phase::Asked { since } => {
                self.bounds.yields_after.filter(|_| self.may_yield()).map(|after| since + after)
            }
            Phase::Waiting | Phase::Yielding | Phase::Parked if self.order.preempts() => {
                let deadline = self.deadline(entry);
                (now < deadline).then_some(deadline)
            }
            Phase::Running | Phase::Waiting | Phase::Yielding | Phase::Parked | Phase::Leaving => {
                None
            }
        }
    }

    /// A slot is idle only while nobody could run, has one request, and no more are started than
    /// may be.
    pub(super) fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let (census, at_once) = (self.census(), self.at_once());
        let started = census.in_slots + census.parked;
        debug_assert!(census.in_slots <= at_once, "a slot has one request");
        debug_assert!(started <= self.bounds.started_max, "no more are started than may be");
        debug_assert!(
            census.in_slots == at_once
                || !self.entries.values().any(|entry| {
                    entry.wants_slot() && (entry.is_started() || started < self.bounds.started_max)
                }),
            "no slot is idle while anybody could run"
        );
        debug_assert!(self.n_yielding() <= at_once, "no more yield than run");
    }

    fn claim(&self, entry: &Entry, now: Duration) -> Claim {
        let (class, rank) = if entry.abandoned {
            (Class::Unwanted, 0.0)
        } else if !self.order.preempts() && entry.is_in_slot() {
            (Class::Settled, 0.0)
        } else if self.order.preempts() && self.is_overdue(entry, now) {
            (Class::Overdue, self.deadline(entry).as_secs_f64())
        } else {
            (Class::Ordered, self.order.rank(&entry.ticket))
        };
        Claim { class, rank, out_of_slot: !entry.is_in_slot(), number: entry.ticket.number }
    }

    /// Whether it has waited past its deadline, now or when it entered its slot.
    fn is_overdue(&self, entry: &Entry, now: Duration) -> bool {
        self.deadline(entry) <= entry.waited_until(now)
    }

    fn deadline(&self, entry: &Entry) -> Duration {
        let size_secs = entry.ticket.size_secs() / self.speed;
        span(entry.deadline_secs(self.bounds.age.patience_secs(size_secs)))
    }

    fn may_yield(&self) -> bool {
        self.n_yielding() < self.at_once()
    }

    fn n_yielding(&self) -> usize {
        self.entries.values().filter(|entry| entry.phase == Phase::Yielding).count()
    }
}

// === impl Claim ===

impl Ord for Claim {
    fn cmp(&self, other: &Claim) -> Ordering {
        self.class
            .cmp(&other.class)
            .then(self.rank.total_cmp(&other.rank))
            .then(self.out_of_slot.cmp(&other.out_of_slot))
            .then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Claim) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Claim {
    fn eq(&self, other: &Claim) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Claim {}

/// Keeps the best `n`, in any order.
fn keep_best(claims: &mut Vec<Claim>, n: usize) {
    if n < claims.len() {
        if 0 < n {
            claims.select_nth_unstable(n - 1);
        }
        claims.truncate(n);
    }
}

/// `secs`, which is not negative, as far as it can be told.
fn span(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or(Duration::MAX)
}
