//! What is known of one function.
//!
//! An environment stays warm for a while after its run. After a failure the function is left alone
//! for a while, twice as long after each further one, and then tried with one run at a time until
//! one ends well. A throttled run shows how many may run at once: as many as ran then. The function
//! rests for a moment, and the limit grows by one after as many successes.

use std::collections::VecDeque;
use std::time::Duration;

use super::Ended;
use crate::fleet::learning;
use crate::observe::Failure;
use crate::policy::{FunctionPolicy, HostPolicy};
use crate::units::{Seconds, Speed, Time};

/// The gain of moving averages that have settled.
const GAIN: f64 = 0.1;

/// An environment that has not run for this long may be cold. AWS promises nothing; five minutes
/// are what is commonly observed at least.
const WARM: Duration = Duration::from_mins(5);

/// How long a function rests after it was first throttled.
const THROTTLE_BASE: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Clone)]
pub struct Function {
    pub(super) policy: FunctionPolicy,
    speed: Speed,
    speed_variance: f64,
    round_trip: Seconds,
    cold_start: Seconds,
    cold_starts: u64,
    running: usize,
    /// As many as may run at once, as far as throttling has shown; from 1 to the policy's.
    allowed: f64,
    /// Since when each warm environment has been idle, the newest last; with those that run at most
    /// `concurrency_max`.
    idle: VecDeque<Time>,
    failures_in_row: u32,
    throttles_in_row: u32,
    paused_at: Option<Time>,
    paused_until: Time,
}

impl Function {
    /// As the policy says it is; nothing has run.
    pub(super) fn new(policy: FunctionPolicy) -> Function {
        Function {
            speed: policy.speed,
            speed_variance: learning::VARIANCE_TOLD,
            round_trip: Seconds::ZERO,
            cold_start: Seconds::from(policy.cold_start),
            cold_starts: 0,
            running: 0,
            allowed: policy.concurrency_max as f64,
            idle: VecDeque::new(),
            failures_in_row: 0,
            throttles_in_row: 0,
            paused_at: None,
            paused_until: Time::ZERO,
            policy,
        }
    }

    /// Its name, as Lambda has it.
    pub fn name(&self) -> &str {
        &self.policy.name
    }

    /// Runs that have not ended.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Its speed: learned, or as told until then.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// How uncertain that is: the variance of its natural logarithm.
    pub(crate) fn speed_variance(&self) -> f64 {
        self.speed_variance
    }

    /// What a run takes beside its work: learned.
    pub fn round_trip(&self) -> Seconds {
        self.round_trip
    }

    /// What a run takes longer where no environment is warm: learned, or as told until then.
    pub fn cold_start(&self) -> Seconds {
        self.cold_start
    }

    /// Runs that have answered from an environment that had to be started.
    pub fn cold_starts(&self) -> u64 {
        self.cold_starts
    }

    /// Whether it is left alone, for its failures or for having been throttled.
    pub fn is_paused(&self, now: Time) -> bool {
        now < self.paused_until
    }

    /// Whether one more may run now.
    pub(super) fn may_run(&self, now: Time) -> bool {
        let most = if 0 < self.failures_in_row { 1.0 } else { self.allowed };
        let most = (most as usize).min(self.policy.concurrency_max);
        self.running < most && !self.is_paused(now)
    }

    /// Whether no environment is warm and idle.
    pub(super) fn is_cold(&self, now: Time) -> bool {
        self.idle.back().is_none_or(|since| WARM <= now.since(*since))
    }

    pub(super) fn start(&mut self, is_cold: bool) {
        self.running += 1;
        if is_cold {
            self.idle.clear();
        } else {
            self.idle.pop_back();
        }
    }

    pub(super) fn end(&mut self, now: Time) {
        self.running -= 1;
        self.idle.push_back(now);
        while self.idle.front().is_some_and(|since| WARM <= now.since(*since)) {
            self.idle.pop_front();
        }
    }

    /// A run that has ended has answered; it was believed to start cold.
    pub(super) fn complete(&mut self, believed_cold: bool, ended: &Ended) {
        let is_cold = ended.cold_start.unwrap_or(believed_cold);
        self.cold_starts += u64::from(is_cold);
        let Some(work) = ended.work else { return };
        self.failures_in_row = 0;
        self.throttles_in_row = 0;
        self.allowed = (self.allowed + 1.0 / self.allowed.max(1.0)).min(self.most());
        let ran = ended.cpu_secs.unwrap_or_else(|| (work / self.speed).0);
        self.learn_overhead(is_cold, ended.elapsed.as_secs_f64() - ran);
        if let Some(seen) = ended.speed {
            let believed = (self.speed, self.speed_variance);
            (self.speed, self.speed_variance) = learning::learn(self.policy.speed, believed, &seen);
        }
    }

    /// A run that has ended has failed.
    pub(super) fn fail(&mut self, now: Time, started: Time, failure: Failure, hosts: &HostPolicy) {
        // Those that failed together are one failure.
        let is_news = self.paused_at.is_none_or(|paused| paused <= started);
        match failure {
            // Its environment is well, and has done what was asked.
            Failure::TooLong => return,
            Failure::Refused => {
                self.allowed = (self.running as f64).clamp(1.0, self.most());
                if is_news {
                    self.throttles_in_row = self.throttles_in_row.saturating_add(1);
                    let pause = doubled(THROTTLE_BASE, self.throttles_in_row);
                    self.pause(now, pause.min(hosts.eject_base));
                }
            }
            Failure::Connect
            | Failure::BeforeResponse
            | Failure::Stale
            | Failure::Timeout
            | Failure::AfterResponse => {
                if is_news {
                    self.failures_in_row = self.failures_in_row.saturating_add(1);
                    let pause = doubled(hosts.eject_base, self.failures_in_row);
                    self.pause(now, pause.min(hosts.eject_max));
                }
            }
        }
        self.lose();
    }

    /// The environment of the run that has ended last is not there for the next one.
    pub(super) fn lose(&mut self) {
        self.idle.pop_back();
    }

    pub(super) fn check_invariants(&self) {
        let environments = self.running + self.idle.len();
        debug_assert!(environments <= self.policy.concurrency_max, "runs ≤ their limit");
        debug_assert!(self.idle.iter().is_sorted(), "the newest environment is the last");
        let numbers = [self.allowed, self.round_trip.0, self.cold_start.0];
        debug_assert!(numbers.iter().all(|number| number.is_finite()), "every number is finite");
    }

    fn most(&self) -> f64 {
        (self.policy.concurrency_max as f64).max(1.0)
    }

    fn pause(&mut self, now: Time, span: Duration) {
        self.paused_at = Some(now);
        self.paused_until = self.paused_until.max(now + span);
    }

    /// What a run took beside its work: the round trip, and the cold start where there was one.
    fn learn_overhead(&mut self, is_cold: bool, secs: f64) {
        let secs = secs.clamp(0.0, learning::ROUND_TRIP_SECS_MAX);
        if is_cold {
            let gain = (1.0 / self.cold_starts as f64).max(GAIN);
            let seen = (secs - self.round_trip.0).max(0.0);
            self.cold_start = self.cold_start + Seconds(seen - self.cold_start.0) * gain;
        } else {
            self.round_trip = self.round_trip + Seconds(secs - self.round_trip.0) * GAIN;
        }
    }
}

/// `base`, doubled with each in a row after the first.
fn doubled(base: Duration, in_row: u32) -> Duration {
    base.saturating_mul(1_u32.checked_shl(in_row.saturating_sub(1)).unwrap_or(u32::MAX))
}
