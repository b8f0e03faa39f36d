//! First come, first served: a job runs on a core of its own from its beginning to its end.

use std::collections::VecDeque;

use super::{Job, Service};

/// See the module.
#[derive(Debug)]
pub(super) struct Fcfs {
    cores: usize,
    /// What runs, with what it has attained.
    running: Vec<(Job, f64)>,
    waiting: VecDeque<Job>,
    waiting_work: f64,
    waiting_estimate: f64,
}

// === impl Fcfs ===

impl Fcfs {
    pub(super) fn new(cores: usize) -> Fcfs {
        Fcfs {
            cores,
            running: Vec::new(),
            waiting: VecDeque::new(),
            waiting_work: 0.0,
            waiting_estimate: 0.0,
        }
    }

    fn first(&self) -> Option<(usize, f64)> {
        let left = self.running.iter().map(|(job, attained)| job.work - attained);
        left.enumerate().min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

impl Service for Fcfs {
    fn push(&mut self, job: Job) {
        if self.running.len() < self.cores {
            self.running.push((job, 0.0));
        } else {
            self.waiting_work += job.work;
            self.waiting_estimate += job.estimate;
            self.waiting.push_back(job);
        }
    }

    fn run(&mut self, work: f64) {
        for (_, attained) in &mut self.running {
            *attained += work;
        }
    }

    fn next(&self) -> Option<f64> {
        self.first().map(|(_, left)| left.max(0.0))
    }

    fn happen(&mut self) -> Option<Job> {
        let (index, _) = self.first()?;
        let (ended, _) = self.running.swap_remove(index);
        if let Some(job) = self.waiting.pop_front() {
            self.waiting_work -= job.work;
            self.waiting_estimate -= job.estimate;
            self.running.push((job, 0.0));
        } else {
            // What is left by rounding goes with the last.
            (self.waiting_work, self.waiting_estimate) = (0.0, 0.0);
        }
        Some(ended)
    }

    fn clear(&mut self) -> Vec<Job> {
        (self.waiting_work, self.waiting_estimate) = (0.0, 0.0);
        self.running.drain(..).map(|(job, _)| job).chain(self.waiting.drain(..)).collect()
    }

    fn n_jobs(&self) -> usize {
        self.running.len() + self.waiting.len()
    }

    fn work_left(&self) -> f64 {
        let left = self.running.iter().map(|(job, attained)| (job.work - attained).max(0.0));
        left.sum::<f64>() + self.waiting_work
    }

    fn estimated_left(&self) -> f64 {
        let left = self
            .running
            .iter()
            .map(|(job, attained)| super::report::outlived(job.estimate, *attained) - attained);
        left.sum::<f64>() + self.waiting_estimate
    }
}
