//! Shortest estimated remaining work first, preemptive (Schrage & Miller 1966; with estimates in
//! place of the truth).
//!
//! The jobs with the least estimated remaining work run, each on a core; the others are parked where
//! they stopped. A job that outlives its estimate is believed to take twice as much, so that a giant
//! mistaken for a dwarf sinks. Ties go to the job that was there first.
//!
//! As the worker does it, a job that is to park goes on to its next checkpoint; and one that has waited
//! for longer than the age guard allows goes before all others, and parks only for one that should have
//! run earlier. Both can be left out: then it is the order of the textbooks.

use std::collections::BTreeMap;

use super::{Job, Service};

/// How a host departs from the order of the textbooks. All in work that a core does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preemption {
    /// From when a job is to park until it does.
    pub checkpoint: f64,
    /// A job may wait this many times its size...
    pub age_factor: f64,
    /// ...and this beside; infinite: as long as it takes.
    pub age_floor: f64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Srpt {
    cores: usize,
    preemption: Preemption,
    /// What a core has done since the start.
    clock: f64,
    /// At most `cores`, in no order.
    running: Vec<Running>,
    /// By estimated remaining work (its bits: it is not negative) and order of arrival.
    parked: BTreeMap<(u64, u64), Running>,
    /// Until when each of them may wait, with its place among them; none without an age guard.
    deadlines: BTreeMap<(u64, u64), (u64, u64)>,
    parked_work: f64,
    parked_estimate: f64,
    arrivals: u64,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    job: Job,
    arrival: u64,
    /// What it truly has left.
    left: f64,
    /// What is believed of that.
    estimated_left: f64,
    /// The estimate; doubled each time that it has been outlived.
    expected: f64,
    /// How long it has waited in all, until it last ran.
    waited: f64,
    /// Since when it has been parked, or has run.
    since: f64,
    /// When it comes to the checkpoint where it is to park.
    parks_at: Option<f64>,
}

/// A job's claim to a core: the lowest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    /// Whether it is in its order: what is overdue goes before.
    is_ordered: bool,
    /// The bits of what it has left, or of its deadline, neither of them negative.
    rank: u64,
    arrival: u64,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    /// That one of those that run ends or outlives its estimate.
    Runs(usize),
    /// That one of those that run comes to its checkpoint.
    Checkpoint(usize),
    /// A job that is parked has waited for long enough.
    Overdue(f64),
}

// === impl Preemption ===

impl Preemption {
    /// That of the textbooks: at once, and for as long as it takes.
    pub const EXACT: Preemption =
        Preemption { checkpoint: 0.0, age_factor: 0.0, age_floor: f64::INFINITY };

    /// The same on a core of that speed, where its floor and checkpoints are in seconds.
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Preemption {
        let (checkpoint, age_floor) = (self.checkpoint * speed, self.age_floor * speed);
        Preemption { checkpoint, age_floor, ..self }
    }
}

// === impl Claim ===

impl Claim {
    fn ordered((rank, arrival): (u64, u64)) -> Claim {
        Claim { is_ordered: true, rank, arrival }
    }

    fn overdue(deadline: f64, arrival: u64) -> Claim {
        Claim { is_ordered: false, rank: deadline.to_bits(), arrival }
    }
}

// === impl Running ===

impl Running {
    fn key(&self) -> (u64, u64) {
        (self.estimated_left.max(0.0).to_bits(), self.arrival)
    }

    /// Work until it ends or its estimate is used up.
    fn until_event(&self) -> f64 {
        self.left.min(self.estimated_left).max(0.0)
    }
}

// === impl Srpt ===

impl Srpt {
    pub(super) fn new(cores: usize, preemption: Preemption) -> Srpt {
        Srpt {
            cores,
            preemption,
            clock: 0.0,
            running: Vec::new(),
            parked: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            parked_work: 0.0,
            parked_estimate: 0.0,
            arrivals: 0,
        }
    }

    fn park(&mut self, mut running: Running) {
        (running.since, running.parks_at) = (self.clock, None);
        self.parked_work += running.left;
        self.parked_estimate += running.estimated_left;
        let deadline = self.deadline(&running);
        if deadline.is_finite() {
            self.deadlines.insert((deadline.to_bits(), running.arrival), running.key());
        }
        self.parked.insert(running.key(), running);
    }

    /// The best of those that are parked runs: the first that is overdue, or else the shortest.
    fn resume(&mut self) {
        let best = self.waiting().next().map(|(_, key)| key);
        if let Some(mut running) = best.and_then(|key| self.parked.remove(&key)) {
            self.deadlines.remove(&(self.deadline(&running).to_bits(), running.arrival));
            self.parked_work -= running.left;
            self.parked_estimate -= running.estimated_left;
            running.waited += self.clock - running.since;
            running.since = self.clock;
            self.running.push(running);
        }
        if self.parked.is_empty() {
            (self.parked_work, self.parked_estimate) = (0.0, 0.0);
        }
    }

    /// Jobs that outrank others that run take their place: at once, or once those are at a checkpoint.
    fn preempt(&mut self) {
        if self.preemption == Preemption::EXACT {
            return;
        }
        while self.running.len() < self.cores && !self.parked.is_empty() {
            self.resume();
        }
        let mut running: Vec<(Claim, usize)> =
            self.running.iter().enumerate().map(|(n, one)| (self.claim(one), n)).collect();
        running.sort_unstable_by(|a, b| b.cmp(a));
        let mut waiting: Vec<Claim> =
            self.waiting().take(running.len()).map(|(claim, _)| claim).collect();
        waiting.reverse();
        let mut parks = Vec::new();
        for (runs, n) in running {
            let outranked = waiting.pop().is_some_and(|waits| waits < runs);
            let one = &mut self.running[n];
            match (outranked, one.parks_at) {
                (true, None) => {
                    one.parks_at = Some(self.clock + self.preemption.checkpoint);
                    if self.preemption.checkpoint <= 0.0 {
                        parks.push(n);
                    }
                }
                (false, Some(_)) => one.parks_at = None,
                (true, Some(_)) | (false, None) => {}
            }
        }
        parks.sort_unstable();
        for n in parks.into_iter().rev() {
            self.give_way(n);
        }
    }

    /// One that runs parks, and the best of those that are parked runs: it may be the same.
    fn give_way(&mut self, n: usize) {
        let parked = self.running.swap_remove(n);
        self.park(parked);
        self.resume();
    }

    /// Until when a job may wait.
    fn deadline(&self, one: &Running) -> f64 {
        let patience = self.preemption.age_factor * one.expected + self.preemption.age_floor;
        (one.since + patience - one.waited).max(0.0)
    }

    fn claim(&self, one: &Running) -> Claim {
        let deadline = self.deadline(one);
        // It was overdue when it began to run.
        if deadline <= one.since {
            Claim::overdue(deadline, one.arrival)
        } else {
            Claim::ordered(one.key())
        }
    }

    /// Jobs that are parked, best first, each with its place.
    fn waiting(&self) -> impl Iterator<Item = (Claim, (u64, u64))> {
        let overdue = self.deadlines.range(..=(self.clock.to_bits(), u64::MAX));
        let overdue = overdue.map(|((deadline, arrival), key)| {
            (Claim::overdue(f64::from_bits(*deadline), *arrival), *key)
        });
        let ordered = self.parked.iter().filter(|(_, one)| self.clock < self.deadline(one));
        overdue.chain(ordered.map(|(key, _)| (Claim::ordered(*key), *key)))
    }

    /// What happens next, and how much work a core does until then.
    fn following(&self) -> Option<(f64, Next)> {
        let events = self.running.iter().enumerate().flat_map(|(n, one)| {
            let checkpoint =
                one.parks_at.map(|at| (at - self.clock, one.arrival, Next::Checkpoint(n)));
            [Some((one.until_event(), one.arrival, Next::Runs(n))), checkpoint]
        });
        // Of equals the one that was there first.
        let order =
            |a: &(f64, u64, Next), b: &(f64, u64, Next)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let first = events.flatten().min_by(order).map(|(work, _, next)| (work.max(0.0), next));
        let overdue = self.deadlines.range((self.clock.to_bits(), u64::MAX)..).next();
        let overdue = overdue.map(|((deadline, _), _)| f64::from_bits(*deadline));
        let overdue = overdue.map(|deadline| (deadline - self.clock, Next::Overdue(deadline)));
        match (first, overdue) {
            (Some(first), Some(overdue)) if overdue.0 < first.0 => Some(overdue),
            (first, _) => first,
        }
    }

    /// One that runs has ended, which returns it, or has outlived its estimate.
    fn end(&mut self, n: usize) -> Option<Job> {
        let mut first = self.running.swap_remove(n);
        if first.left <= first.estimated_left {
            self.resume();
            return Some(first.job);
        }
        first.estimated_left = first.expected;
        first.expected *= 2.0;
        if self.preemption.checkpoint <= 0.0 {
            self.park(first);
            self.resume();
        } else {
            self.running.push(first);
        }
        None
    }
}

impl Service for Srpt {
    fn push(&mut self, job: Job) {
        self.arrivals += 1;
        let new = Running {
            job,
            arrival: self.arrivals,
            left: job.work,
            estimated_left: job.estimate,
            expected: job.estimate,
            waited: 0.0,
            since: self.clock,
            parks_at: None,
        };
        if self.running.len() < self.cores {
            return self.running.push(new);
        }
        if self.preemption == Preemption::EXACT {
            let longest = self.running.iter_mut().max_by_key(|running| running.key());
            match longest {
                Some(longest) if new.key() < longest.key() => {
                    let parked = std::mem::replace(longest, new);
                    self.park(parked);
                }
                Some(_) | None => self.park(new),
            }
            return;
        }
        self.park(new);
        self.preempt();
    }

    fn run(&mut self, work: f64) {
        self.clock += work;
        for running in &mut self.running {
            running.left -= work;
            running.estimated_left -= work;
        }
    }

    fn next(&self) -> Option<f64> {
        self.following().map(|(work, _)| work)
    }

    fn happen(&mut self) -> Option<Job> {
        let (_, next) = self.following()?;
        let ended = match next {
            Next::Runs(n) => self.end(n),
            Next::Checkpoint(n) => {
                self.give_way(n);
                None
            }
            Next::Overdue(deadline) => {
                // However the instant was rounded.
                self.clock = self.clock.max(deadline);
                None
            }
        };
        self.preempt();
        ended
    }

    fn clear(&mut self) -> Vec<Job> {
        (self.parked_work, self.parked_estimate) = (0.0, 0.0);
        self.deadlines.clear();
        let parked = std::mem::take(&mut self.parked).into_values();
        self.running.drain(..).chain(parked).map(|running| running.job).collect()
    }

    fn n_jobs(&self) -> usize {
        self.running.len() + self.parked.len()
    }

    fn work_left(&self) -> f64 {
        let left = self.running.iter().map(|running| running.left.max(0.0));
        left.sum::<f64>() + self.parked_work
    }

    fn estimated_left(&self) -> f64 {
        let left = self.running.iter().map(|running| running.estimated_left.max(0.0));
        left.sum::<f64>() + self.parked_estimate
    }
}

#[cfg(test)]
mod tests;
