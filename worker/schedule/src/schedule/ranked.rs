//! Requests in no slot, in the order in which they would enter one.
//!
//! They attain nothing while they are here, so neither their rank nor their deadline changes, and a
//! decision looks at the best of them only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use super::claim::{Claim, Line, Rank, Standing};
use super::entry::Entry;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    /// Until when each may wait, by rank.
    by_rank: BTreeMap<(Rank, u64), Duration>,
    /// Those that may not wait for ever.
    by_deadline: BTreeSet<(Duration, u64)>,
    work_secs: f64,
}

// === impl Ranked ===

impl Ranked {
    /// Adds a request that may wait until `deadline`.
    pub(super) fn insert(&mut self, rank: Rank, entry: &Entry, deadline: Duration) {
        let number = entry.progress.number();
        self.by_rank.insert((rank, number), deadline);
        if deadline < Duration::MAX {
            self.by_deadline.insert((deadline, number));
        }
        self.work_secs += entry.work_left_secs();
    }

    /// Removes a request that has the rank that it was added with.
    pub(super) fn remove(&mut self, rank: Rank, entry: &Entry) {
        let number = entry.progress.number();
        let deadline = self.by_rank.remove(&(rank, number));
        debug_assert!(deadline.is_some(), "what leaves was here, with the rank that it had");
        if let Some(deadline) = deadline {
            self.by_deadline.remove(&(deadline, number));
        }
        self.work_secs -= entry.work_left_secs();
        if self.by_rank.is_empty() {
            // What is left by rounding goes with the last.
            self.work_secs = 0.0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_rank.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_rank.is_empty()
    }

    /// The work that is believed to be left of all of them, in CPU-seconds of the reference core.
    pub(super) fn work_secs(&self) -> f64 {
        self.work_secs
    }

    /// Their claims, best first, where the age guard lets those go first that are overdue up to
    /// `line`.
    pub(super) fn claims(&self, line: Line) -> impl Iterator<Item = Claim> {
        let claim = |standing, number| Claim { standing, out_of_slot: true, number };
        let overdue = line.map(|line| self.by_deadline.range(..=line)).into_iter().flatten();
        let overdue = overdue.map(move |(at, number)| claim(Standing::Overdue(*at), *number));
        let ordered = self.by_rank.iter().filter(move |((_, number), deadline)| {
            line.is_none_or(|line| line < (**deadline, *number))
        });
        let ordered =
            ordered.map(move |((rank, number), _)| claim(Standing::Ordered(*rank), *number));
        overdue.chain(ordered)
    }

    /// Those that are overdue at `now`, the earliest deadline first.
    pub(super) fn overdue(&self, now: Duration) -> impl Iterator<Item = (Duration, u64)> {
        self.by_deadline.range(..=(now, u64::MAX)).copied()
    }

    /// The first deadline after `now`.
    pub(super) fn next_deadline(&self, now: Duration) -> Option<Duration> {
        let after = (now, u64::MAX);
        let mut later = self.by_deadline.range((Bound::Excluded(after), Bound::Unbounded));
        later.next().map(|(deadline, _)| *deadline)
    }

    #[cfg(test)]
    pub(super) fn deadline(&self, rank: Rank, number: u64) -> Option<Duration> {
        self.by_rank.get(&(rank, number)).copied()
    }
}
