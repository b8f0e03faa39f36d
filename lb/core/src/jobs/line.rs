//! The order of the line: the least work by weight first, with an age guard.
//!
//! A job's rank is its predicted work by its weight (the cµ rule), so short jobs do not wait behind
//! giants. The guard lets a job go first that has waited for `floor` and `factor` times its work.
//! While there is capacity for the load, and less than half of it is overdue, no job waits for
//! longer than that and until a place is free.
//!
//! # Decision: what is overdue has every second start
//!
//! Where more comes than can be done, all jobs are overdue before long, and in order of age a short
//! one would wait behind every giant that came before it. So starts alternate between the two
//! orders, as in the waiting room. Cost: a giant waits for up to twice as long while there is more
//! than can be done. Look again when clients have shares of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smallvec::SmallVec;

use super::{Job, JobId};
use crate::units::{Time, Work};

/// When the age guard lets a job go before others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age {
    /// After this,
    pub floor: Duration,
    /// and so many times its work on the reference core. Not negative.
    pub factor: f64,
}

/// Whose turn it is: that of the jobs that are overdue, or that of the shortest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turns {
    was_overdue: bool,
}

/// A line in memory: that of the simulator, of tests, and of what a balancer has fetched. A ledger
/// keeps the same orders by its indexes.
#[derive(Debug, Clone)]
pub struct Line {
    age: Age,
    jobs_max: usize,
    places: BTreeMap<JobId, Place>,
    /// By when they may go; those that may are in the other two.
    delayed: BTreeSet<(Time, JobId)>,
    by_rank: BTreeSet<(u64, Time, JobId)>,
    by_age: BTreeSet<(Time, JobId)>,
    turns: Turns,
}

/// Where a job stands in each order.
#[derive(Debug, Clone, Copy)]
struct Place {
    rank: u64,
    received: Time,
    overdue_at: Time,
    not_before: Time,
}

// === impl Job ===

impl Job {
    /// Where it stands among those that wait, the least first: nanoseconds of the reference core,
    /// by weight. It fits a signed number of 64 bits.
    pub fn rank(&self) -> u64 {
        let weight = if self.weight.is_finite() { self.weight } else { 1.0 };
        let nanos = self.work.as_cpu_secs() / weight.max(f64::MIN_POSITIVE) * 1e9;
        (nanos as u64).min(i64::MAX as u64)
    }

    /// When it goes before others, however large it is. A job that is tried again keeps its age.
    pub fn overdue_at(&self, age: Age) -> Time {
        self.received + age.allowance(self.work)
    }
}

// === impl Age ===

impl Age {
    /// How long a job of so much work may wait before it goes before others.
    pub fn allowance(self, work: Work) -> Duration {
        let of_work = Duration::try_from_secs_f64(work.as_cpu_secs() * self.factor.max(0.0));
        self.floor.saturating_add(of_work.unwrap_or(Duration::MAX))
    }
}

// === impl Turns ===

impl Turns {
    /// The first `n` of two lists, which take turns; what is in both counts once.
    pub fn merge<T: PartialEq>(
        self,
        overdue: impl IntoIterator<Item = T>,
        by_rank: impl IntoIterator<Item = T>,
        n: usize,
    ) -> SmallVec<[T; 16]> {
        let (mut overdue, mut by_rank) = (overdue.into_iter(), by_rank.into_iter());
        let mut merged = SmallVec::new();
        let mut is_turn_of_overdue = !self.was_overdue;
        let mut misses = 0;
        while merged.len() < n && misses < 2 {
            let next = if is_turn_of_overdue {
                overdue.by_ref().find(|one| !merged.contains(one))
            } else {
                by_rank.by_ref().find(|one| !merged.contains(one))
            };
            misses = if next.is_some() { 0 } else { misses + 1 };
            merged.extend(next);
            is_turn_of_overdue = !is_turn_of_overdue;
        }
        merged
    }

    /// A job starts that was overdue, or was not.
    pub fn started(&mut self, overdue: bool) {
        self.was_overdue = overdue;
    }
}

// === impl Line ===

impl Line {
    /// An empty line for `jobs_max` jobs.
    pub fn new(age: Age, jobs_max: usize) -> Line {
        Line {
            age,
            jobs_max,
            places: BTreeMap::new(),
            delayed: BTreeSet::new(),
            by_rank: BTreeSet::new(),
            by_age: BTreeSet::new(),
            turns: Turns::default(),
        }
    }

    /// How many stand in it.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody stands in it.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Gives `job` a place, or a new one; it does not go before `not_before`. False where the line
    /// is full.
    pub fn push(&mut self, job: &Job, not_before: Time) -> bool {
        self.remove(job.id);
        if self.jobs_max <= self.places.len() {
            return false;
        }
        let place = Place {
            rank: job.rank(),
            received: job.received,
            overdue_at: job.overdue_at(self.age),
            not_before,
        };
        self.places.insert(job.id, place);
        self.delayed.insert((not_before, job.id));
        true
    }

    /// Takes a job out. False where it is not in the line.
    pub fn remove(&mut self, id: JobId) -> bool {
        let Some(place) = self.places.remove(&id) else { return false };
        self.delayed.remove(&(place.not_before, id));
        self.by_rank.remove(&(place.rank, place.received, id));
        self.by_age.remove(&(place.overdue_at, id));
        true
    }

    /// Takes out a job that starts.
    pub fn start(&mut self, now: Time, id: JobId) {
        if let Some(place) = self.places.get(&id) {
            self.turns.started(place.overdue_at <= now);
            self.remove(id);
        }
    }

    /// The first `n` that may go at `now`, in the order in which they are to be tried.
    pub fn first(&mut self, now: Time, n: usize) -> SmallVec<[JobId; 16]> {
        self.admit(now);
        let overdue = self.by_age.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id);
        let by_rank = self.by_rank.iter().map(|(_, _, id)| *id);
        self.turns.merge(overdue, by_rank, n)
    }

    /// When the next job may go that may not yet.
    pub fn next_start(&self) -> Option<Time> {
        self.delayed.first().map(|(at, _)| *at)
    }

    /// Lets those into the orders that may go.
    fn admit(&mut self, now: Time) {
        while let Some((at, id)) = self.delayed.first().copied() {
            if now < at {
                return;
            }
            self.delayed.remove(&(at, id));
            if let Some(place) = self.places.get(&id) {
                self.by_rank.insert((place.rank, place.received, id));
                self.by_age.insert((place.overdue_at, id));
            }
        }
    }
}

/// What waits in a line, by when it is due: what the fleet's size is decided by.
///
/// A job is due when the age guard would let it go first. Of each job counts at most what one core
/// of the reference does until then, for more cores do not help it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LineWork {
    /// How many jobs.
    pub jobs: usize,
    /// Work that is due within each of [`LineWork::HORIZONS`]; work that is due within one is due
    /// within all that are longer.
    pub due: [Work; LineWork::HORIZONS.len()],
}

impl LineWork {
    /// The spans that are looked at, ascending.
    pub const HORIZONS: [Duration; 6] = [
        Duration::from_secs(10),
        Duration::from_mins(1),
        Duration::from_mins(5),
        Duration::from_mins(15),
        Duration::from_hours(1),
        Duration::from_hours(6),
    ];

    /// Adds a job of that work, which is due at `due`.
    pub fn add(&mut self, now: Time, work: Work, due: Time) {
        self.add_all(1, now, work, due);
    }

    /// Adds `n` jobs of that work each, which are due at `due`.
    pub fn add_all(&mut self, n: usize, now: Time, work: Work, due: Time) {
        self.jobs += n;
        let left = due.since(now);
        for (sum, horizon) in self.due.iter_mut().zip(LineWork::HORIZONS) {
            if left <= horizon {
                *sum += work.min(Work::saturating(horizon.as_secs_f64())) * n as f64;
            }
        }
    }
}

#[cfg(test)]
mod tests;
