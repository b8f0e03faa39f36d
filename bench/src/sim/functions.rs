//! Functions on AWS Lambda in the simulated world.
//!
//! A run needs an execution environment. Of those that are idle, the one that ran last is used
//! again. Where none is idle a new one is started, which takes a cold start. An environment that
//! has been idle for a while is gone. A run has a virtual CPU of its own. Where as many run as may,
//! a further one is throttled at once, and costs nothing.

use weighbridge_core::random::Random;

use super::cost::Prices;
use super::measure::{RunCounts, Usage};
use super::sizes::Law;

/// Virtual CPUs of an environment. They come with as much memory, which is what is billed.
pub const VCPUS: f64 = 1.0;

/// How a function is made.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionKind {
    /// Index of the route that it is for.
    pub route: u16,
    /// Speed of its virtual CPU, in reference cores; above zero.
    pub speed: f64,
    /// What starting an environment takes, in seconds.
    pub cold_start: Law,
    /// An environment that has been idle for so many seconds is gone.
    pub idle_max: f64,
    /// The most runs at once.
    pub concurrency_max: usize,
    /// Part of the runs that crash on their way, and their environment with them.
    pub crashes: f64,
    /// From a balancer to the function and back, in seconds.
    pub round_trip: f64,
}

/// One function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) kind: FunctionKind,
    /// Since when each idle environment has been so, the newest last.
    idle: Vec<f64>,
    running: usize,
    used: Usage,
    counts: RunCounts,
}

/// A run that has begun.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    /// Which function.
    pub(super) function: usize,
    /// Seconds from its beginning to its end.
    pub(super) length: f64,
    /// CPU-seconds on its virtual CPU: those of the request alone.
    pub(super) cpu_secs: f64,
    /// Whether its environment had to be started.
    pub(super) is_cold: bool,
    /// Whether it ends by crashing.
    pub(super) crashes: bool,
}

// === impl Function ===

impl Function {
    /// One that has not run.
    pub(super) fn new(kind: FunctionKind) -> Function {
        Function {
            kind,
            idle: Vec::new(),
            running: 0,
            used: Usage::default(),
            counts: RunCounts::default(),
        }
    }

    /// A run of `work` begins at `now`; `None`: it is throttled.
    pub(super) fn start(
        &mut self,
        function: usize,
        (now, work): (f64, f64),
        random: &mut Random,
    ) -> Option<Run> {
        if self.kind.concurrency_max <= self.running {
            self.counts.throttled += 1;
            return None;
        }
        self.idle.retain(|since| now - since < self.kind.idle_max);
        let is_cold = self.idle.pop().is_none();
        self.running += 1;
        // Always as many numbers, so that one run does not change what the next is like.
        let (cold_start, crash, part) =
            (self.kind.cold_start.draw(random), random.unit(), random.unit());
        let cpu_secs = work / self.kind.speed;
        let whole = cpu_secs + if is_cold { cold_start } else { 0.0 };
        let crashes = crash < self.kind.crashes;
        let length = if crashes { whole * part } else { whole };
        self.counts.started += 1;
        self.counts.cold += u64::from(is_cold);
        self.counts.crashed += u64::from(crashes);
        Some(Run { function, length, cpu_secs, is_cold, crashes })
    }

    /// A run ends at `now`, and is billed: its cold start, too.
    pub(super) fn end(&mut self, now: f64, run: &Run) {
        self.running -= 1;
        if !run.crashes {
            self.idle.push(now);
        }
        self.used.lambda_requests += 1;
        let lambda = &Prices::listed().lambda;
        self.used.lambda_gb_seconds += lambda.billed_gb_seconds(VCPUS, run.length);
    }

    /// What its runs that have ended have used.
    pub(super) fn used(&self) -> Usage {
        self.used
    }

    /// What has come of its runs.
    pub(super) fn counts(&self) -> RunCounts {
        self.counts
    }

    /// Panics in debug builds where an invariant does not hold.
    pub(super) fn check_invariants(&self) {
        let environments = self.running + self.idle.len();
        debug_assert!(environments <= self.kind.concurrency_max, "no more run at once than may");
        debug_assert!(self.idle.is_sorted(), "the newest environment is the last");
        debug_assert!(self.used.lambda_gb_seconds.is_finite(), "every number is finite");
    }
}

#[cfg(test)]
mod tests;
