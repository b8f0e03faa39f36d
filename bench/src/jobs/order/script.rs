//! Which jobs come when: the same for every way.

use std::collections::BTreeMap;
use std::time::Duration;

use weighbridge_core::random::Random;

use crate::jobs::log::Execution;
use crate::jobs::spans::Spans;

/// The largest size, in multiples of the smallest: about seven times the mean.
const LARGEST: f64 = 24.0;

/// The shape of the Pareto distribution: the smaller, the heavier the tail.
const SHAPE: f64 = 1.2;

/// Workers, of one core each.
pub(in crate::jobs) const WORKERS: usize = 2;

/// The jobs of a run.
#[derive(Debug, Clone)]
pub(in crate::jobs) struct Script {
    pub(in crate::jobs) jobs: Vec<Job>,
}

/// One job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::jobs) struct Job {
    /// When it comes, after the first.
    pub(in crate::jobs) at: Duration,
    /// What it takes, in milliseconds of CPU time; at least 1.
    pub(in crate::jobs) ms: u64,
}

impl Script {
    /// `n` jobs of Pareto sizes of that mean, in seconds, that come as a Poisson process at `load`
    /// of what the workers can do. Sizes are scaled so that the load is met exactly.
    pub(super) fn new(n: u32, load: f64, mean: f64, seed: u64) -> Script {
        let mut random = Random::new(seed);
        let sizes: Vec<f64> =
            (0..n).map(|_| (1.0 - random.unit()).powf(-1.0 / SHAPE).min(LARGEST)).collect();
        let scale = mean * f64::from(n) / sizes.iter().sum::<f64>();
        let between = mean / (load * WORKERS as f64);
        let mut at = 0.0;
        let jobs = sizes.iter().map(|size| {
            let ms = ((size * scale * 1e3) as u64).max(1);
            let job = Job { at: Duration::from_secs_f64(at), ms };
            at += -(1.0 - random.unit()).ln() * between;
            job
        });
        Script { jobs: jobs.collect() }
    }

    /// Responses and slowdowns of `executions`, where the jobs have their numbers as names and came
    /// at `came`, by the system's monotonic clock. The numbers of jobs that have not ended, too.
    pub(in crate::jobs) fn judge(
        &self,
        came: &BTreeMap<usize, u64>,
        executions: &[Execution],
    ) -> (Spans, Spans, usize) {
        let ended: BTreeMap<usize, u64> =
            executions.iter().filter_map(|one| Some((one.job.parse().ok()?, one.end?))).collect();
        let responses: Vec<(f64, f64)> = (self.jobs.iter().enumerate())
            .filter_map(|(n, job)| {
                let response = ended.get(&n)?.saturating_sub(*came.get(&n)?) as f64 / 1e9;
                Some((response, response / (job.ms as f64 / 1e3)))
            })
            .collect();
        let missing = self.jobs.len() - responses.len();
        let response = Spans::of(responses.iter().map(|(response, _)| *response));
        let slowdown = Spans::of(responses.iter().map(|(_, slowdown)| *slowdown));
        (response, slowdown, missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_meets_its_load() {
        let script = Script::new(20_000, 0.9, 0.25, 3);
        let work: f64 = script.jobs.iter().map(|job| job.ms as f64 / 1e3).sum();
        let last = script.jobs.last().unwrap().at.as_secs_f64();
        let load = work / (last * WORKERS as f64);
        assert!((load - 0.9).abs() < 0.03, "{load}");
        let most = script.jobs.iter().map(|job| job.ms).max().unwrap();
        assert!(1500 < most, "the tail is heavy: {most} ms");
    }
}
