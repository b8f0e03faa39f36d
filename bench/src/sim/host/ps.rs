//! Processor sharing: everything runs at once, each at `min(1, cores / jobs)` of a core, as on any
//! ordinary server.
//!
//! All jobs attain work at the same pace, so one level says what each has attained since it came: a
//! job ends when the level has risen by its work. Every operation is O(log n).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Job, Service};

/// See the module.
#[derive(Debug)]
pub(super) struct Ps {
    cores: usize,
    /// Work that each job which was always there has attained.
    level: f64,
    /// By the level at which each ends.
    jobs: BinaryHeap<Reverse<Sharing>>,
    /// Sum of those levels.
    ends: f64,
}

#[derive(Debug)]
struct Sharing {
    end: f64,
    job: Job,
}

// === impl Sharing ===

impl PartialEq for Sharing {
    fn eq(&self, other: &Sharing) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sharing {}

impl PartialOrd for Sharing {
    fn partial_cmp(&self, other: &Sharing) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sharing {
    fn cmp(&self, other: &Sharing) -> std::cmp::Ordering {
        self.end.total_cmp(&other.end).then(self.job.request.cmp(&other.job.request))
    }
}

// === impl Ps ===

impl Ps {
    pub(super) fn new(cores: usize) -> Ps {
        Ps { cores, level: 0.0, jobs: BinaryHeap::new(), ends: 0.0 }
    }

    /// The part of a core that each job has.
    fn share(&self) -> f64 {
        (self.cores as f64 / self.jobs.len().max(1) as f64).min(1.0)
    }

    /// An empty host begins anew, so that levels stay small and exact.
    fn settle(&mut self) {
        if self.jobs.is_empty() {
            (self.level, self.ends) = (0.0, 0.0);
        }
    }
}

impl Service for Ps {
    fn push(&mut self, job: Job) {
        let end = self.level + job.work;
        self.ends += end;
        self.jobs.push(Reverse(Sharing { end, job }));
    }

    fn run(&mut self, work: f64) {
        self.level += work * self.share();
        self.settle();
    }

    fn next(&self) -> Option<f64> {
        let Reverse(first) = self.jobs.peek()?;
        Some((first.end - self.level).max(0.0) / self.share())
    }

    fn happen(&mut self) -> Option<Job> {
        let Reverse(first) = self.jobs.pop()?;
        self.level = self.level.max(first.end);
        self.ends -= first.end;
        self.settle();
        Some(first.job)
    }

    fn clear(&mut self) -> Vec<Job> {
        let jobs = self.jobs.drain().map(|Reverse(sharing)| sharing.job).collect();
        self.settle();
        jobs
    }

    fn n_jobs(&self) -> usize {
        self.jobs.len()
    }

    fn work_left(&self) -> f64 {
        (self.ends - self.level * self.jobs.len() as f64).max(0.0)
    }

    fn estimated_left(&self) -> f64 {
        let left = self.jobs.iter().map(|Reverse(Sharing { end, job })| {
            let attained = (self.level - (end - job.work)).max(0.0);
            super::report::outlived(job.estimate, attained) - attained
        });
        left.sum()
    }
}
