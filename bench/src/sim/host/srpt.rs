//! Shortest estimated remaining work first, preemptive (Schrage & Miller 1966; with estimates in
//! place of the truth).
//!
//! The jobs with the least estimated remaining work run, each on a core; the others are parked where
//! they stopped. A job that outlives its estimate is believed to take twice as much, so that a giant
//! mistaken for a dwarf sinks. Ties go to the job that was there first.

use std::collections::BTreeMap;

use super::{Job, Service};

/// See the module.
#[derive(Debug)]
pub(super) struct Srpt {
    cores: usize,
    /// At most `cores`, in no order.
    running: Vec<Running>,
    /// By estimated remaining work (its bits: it is not negative) and order of arrival.
    parked: BTreeMap<(u64, u64), Running>,
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
    pub(super) fn new(cores: usize) -> Srpt {
        Srpt {
            cores,
            running: Vec::new(),
            parked: BTreeMap::new(),
            parked_work: 0.0,
            parked_estimate: 0.0,
            arrivals: 0,
        }
    }

    fn park(&mut self, running: Running) {
        self.parked_work += running.left;
        self.parked_estimate += running.estimated_left;
        self.parked.insert(running.key(), running);
    }

    /// The shortest of those that are parked runs.
    fn resume(&mut self) {
        if let Some((_, running)) = self.parked.pop_first() {
            self.parked_work -= running.left;
            self.parked_estimate -= running.estimated_left;
            self.running.push(running);
        }
        if self.parked.is_empty() {
            (self.parked_work, self.parked_estimate) = (0.0, 0.0);
        }
    }

    /// The next to end or to outlive its estimate; of equals the one that was there first.
    fn first(&self) -> Option<usize> {
        let order = |a: &Running, b: &Running| {
            a.until_event().total_cmp(&b.until_event()).then(a.arrival.cmp(&b.arrival))
        };
        let first = self.running.iter().enumerate().min_by(|a, b| order(a.1, b.1));
        first.map(|(index, _)| index)
    }
}

impl Service for Srpt {
    fn push(&mut self, job: Job) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        let new = Running {
            job,
            arrival,
            left: job.work,
            estimated_left: job.estimate,
            expected: job.estimate,
        };
        if self.running.len() < self.cores {
            return self.running.push(new);
        }
        let longest = self.running.iter_mut().max_by_key(|running| running.key());
        match longest {
            Some(longest) if new.key() < longest.key() => {
                let parked = std::mem::replace(longest, new);
                self.park(parked);
            }
            Some(_) | None => self.park(new),
        }
    }

    fn run(&mut self, work: f64) {
        for running in &mut self.running {
            running.left -= work;
            running.estimated_left -= work;
        }
    }

    fn next(&self) -> Option<f64> {
        self.first().map(|index| self.running[index].until_event())
    }

    fn happen(&mut self) -> Option<Job> {
        let index = self.first()?;
        let mut first = self.running.swap_remove(index);
        if first.left <= first.estimated_left {
            self.resume();
            return Some(first.job);
        }
        first.estimated_left = first.expected;
        first.expected *= 2.0;
        self.park(first);
        self.resume();
        None
    }

    fn clear(&mut self) -> Vec<Job> {
        (self.parked_work, self.parked_estimate) = (0.0, 0.0);
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
