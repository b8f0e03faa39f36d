//! Every request is a job: what comes takes its place in the line, and the balancer is asked for
//! the first of it after every event, as `lb/proxy/src/jobs/runner.rs` does. What no host has room
//! for stays where it is; what a host has lost goes back at once.
//!
//! A host is told the prediction itself. In the proxy it is told that by the weight; it learns that
//! factor, where all are jobs.

use std::time::Duration;

use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::{Ask, JobAsk};
use weighbridge_core::jobs::{Age, Job, JobId, Limits, Line};
use weighbridge_core::request::RequestId;

use super::{Weighbridge, time};
use crate::sim::proxy::{Action, Scene};

/// Those of the default configuration.
const AGE: Age = Age { floor: Duration::from_mins(1), factor: 10.0 };
const WEIGHT: f64 = 0.1;

/// As in the proxy: jobs that are looked at at once, and how many have no room until the rest are
/// taken to have none.
const LOOK_MAX: usize = 32;
const MISSES_MAX: usize = 4;

/// The line is looked at after so many seconds at the latest.
pub(super) const POLL_SECS: f64 = 1.0;

// === impl Weighbridge ===

impl Weighbridge {
    /// The same, where every request is a job.
    pub(in crate::sim) fn with_jobs(self) -> Weighbridge {
        Weighbridge { line: Some(Line::new(AGE, usize::MAX)), ..self }
    }

    /// Jobs that wait in the line.
    pub(super) fn n_in_line(&self) -> usize {
        self.line.as_ref().map_or(0, Line::len)
    }

    /// A request takes its place in the line. False where requests are no jobs.
    pub(super) fn send(&mut self, scene: Scene<'_>, request: usize) -> bool {
        if self.line.is_none() {
            return false;
        }
        let ask = self.ask(scene, request);
        let estimate = self.balancer.predictor(ask.route).estimate(&ask.features, ask.known);
        let received = time(scene.workload.requests[request].at);
        let id = JobId::from_bits(request as u128);
        let mut job = Job::new(id, (estimate.mean, estimate.p90), received, &job_limits());
        job.weight = WEIGHT;
        self.line.as_mut().is_some_and(|line| line.push(&job, time(scene.now)))
    }

    /// Starts what there is room for.
    pub(super) fn fill(&mut self, scene: Scene<'_>, out: &mut Vec<Action>) {
        let (mut misses, mut n_started) = (0, 1);
        while misses == 0 && 0 < n_started {
            n_started = 0;
            let now = time(scene.now);
            let first = self.line.as_mut().map(|line| line.first(now, LOOK_MAX));
            for id in first.unwrap_or_default() {
                if MISSES_MAX <= misses {
                    break;
                }
                if self.start(scene, id, out) {
                    n_started += 1;
                } else {
                    misses += 1;
                }
            }
        }
    }

    /// Starts a job, where there is room for it.
    fn start(&mut self, scene: Scene<'_>, id: JobId, out: &mut Vec<Action>) -> bool {
        let (now, request) = (time(scene.now), id.to_bits() as usize);
        let job = Some(JobAsk { weight: WEIGHT, alone: false });
        let ask = Ask { job, ..self.ask(scene, request) };
        let verdict = self.balancer.arrive(now, RequestId(request as u64), ask);
        match verdict {
            Verdict::Later | Verdict::Queue { .. } | Verdict::Shed(_) => return false,
            Verdict::Forward(_) | Verdict::Lambda(_) => {}
        }
        if let Some(line) = &mut self.line {
            line.start(now, id);
        }
        self.act(scene, request, &verdict, out);
        true
    }
}

/// No job expires, and none is given up.
pub(crate) fn job_limits() -> Limits {
    Limits {
        receive_max: Duration::MAX,
        wait_max: Duration::MAX,
        run_max: Duration::MAX,
        attempts_max: u32::MAX,
        host_deaths_max: u32::MAX,
        alone_after: 0,
        backoff_min: Duration::ZERO,
        backoff_max: Duration::ZERO,
        lease_min: Duration::ZERO,
        lease_max: Duration::ZERO,
        retention: Duration::ZERO,
    }
}
