//! Where requests are, and how they get from one place to another.
//!
//! ```text
//! outside: waiting, parked, leaving ──► in_slots: running, asked
//!              ▲                           │  ▲
//!              └──────── yielding ◄────────┘  │
//!                           └─────────────────┘
//! ```

use std::time::Duration;

use super::claim::Rank;
use super::entry::{Entry, Phase};
use super::{Move, Schedule};

impl Schedule {
    /// The request of that number.
    pub(super) fn entry(&self, number: u64) -> Option<&Entry> {
        let places = [&self.in_slots, &self.outside, &self.yielding];
        places.into_iter().find_map(|place| place.get(&number))
    }

    pub(super) fn entry_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let places = [&mut self.in_slots, &mut self.outside, &mut self.yielding];
        places.into_iter().find_map(|place| place.get_mut(&number))
    }

    /// Takes a request from wherever it is.
    pub(super) fn take(&mut self, number: u64) -> Option<Entry> {
        if let Some(entry) = self.in_slots.remove(&number) {
            self.n_asked -= usize::from(entry.is_asked());
            self.started_bytes -= self.held(&entry);
            return Some(entry);
        }
        if let Some(entry) = self.yielding.remove(&number) {
            self.started_bytes -= self.held(&entry);
            return Some(entry);
        }
        let entry = self.outside.remove(&number)?;
        if entry.is_started() {
            self.started_bytes -= self.held(&entry);
        }
        let rank = self.rank(&entry);
        match entry.phase {
            Phase::Waiting => self.waiting.remove(rank, &entry),
            Phase::Parked => self.parked.remove(rank, &entry),
            Phase::Running | Phase::Asked { .. } | Phase::Yielding | Phase::Leaving => {}
        }
        Some(entry)
    }

    /// Adds a request that waits, is parked or leaves.
    pub(super) fn put_outside(&mut self, entry: Entry) {
        debug_assert!(!entry.is_in_slot(), "what is outside has no slot");
        if entry.is_started() {
            self.started_bytes += self.held(&entry);
        }
        let (rank, deadline) = (self.rank(&entry), self.deadline(&entry));
        match entry.phase {
            Phase::Waiting => self.waiting.insert(rank, &entry, deadline),
            Phase::Parked => self.parked.insert(rank, &entry, deadline),
            Phase::Running | Phase::Asked { .. } | Phase::Yielding | Phase::Leaving => {}
        }
        self.outside.insert(entry.progress.number(), entry);
    }

    /// Puts a request into a free slot.
    pub(super) fn enter(&mut self, number: u64, now: Duration) -> Option<Move> {
        let mut entry = self.take(number)?;
        let entered = match entry.phase {
            Phase::Waiting => Some(Move::Start(number)),
            Phase::Parked => Some(Move::Resume(number)),
            Phase::Yielding => Some(Move::Restore(number)),
            Phase::Running | Phase::Asked { .. } | Phase::Leaving => None,
        };
        debug_assert!(entered.is_some(), "what enters a slot was in none");
        entry.step_in(now);
        self.started_bytes += self.held(&entry);
        self.in_slots.insert(number, entry);
        entered
    }

    /// Frees the slot of a request, which goes on at the lowest priority.
    pub(super) fn step_aside(&mut self, number: u64, now: Duration) -> Option<Move> {
        let mut entry = self.take(number)?;
        entry.step_out(Phase::Yielding, now);
        self.started_bytes += self.held(&entry);
        self.yielding.insert(number, entry);
        Some(Move::Yield(number))
    }

    /// Bytes that count of a request. One that holds more than there may be counts as three
    /// quarters of that: it has not to wait until nothing else runs.
    pub(super) fn held(&self, entry: &Entry) -> u64 {
        entry.progress.bytes().min(self.bounds.started_bytes_max / 4 * 3)
    }

    /// Requests that were started and have not ended.
    pub(super) fn n_started(&self) -> usize {
        self.n_requests() - self.waiting.len()
    }

    pub(super) fn n_requests(&self) -> usize {
        self.in_slots.len() + self.yielding.len() + self.outside.len()
    }

    pub(super) fn rank(&self, entry: &Entry) -> Rank {
        if entry.lingers {
            return Rank(u8::MAX, f64::INFINITY);
        }
        // What runs to its end in the order of arrival does so for everybody.
        let priority = if self.order.preempts() { entry.progress.owner().priority } else { 0 };
        Rank(priority, self.order.rank(&entry.progress))
    }

    /// Until when a request may wait, or might when it entered its slot.
    pub(super) fn deadline(&self, entry: &Entry) -> Duration {
        if !self.order.preempts() || entry.lingers {
            return Duration::MAX;
        }
        // A client that has had much may wait for as much longer.
        let owner = entry.progress.owner();
        let size_secs = (entry.progress.size_secs() + owner.attained_secs) / self.speed;
        span(entry.deadline_secs(self.bounds.age.patience_secs(size_secs)))
    }
}

/// `secs`, as far as a duration can tell; zero where it is negative.
pub(super) fn span(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or(Duration::MAX)
}
