//! What is known of Lambda: how many runs there are, how fast they are, what they have cost.
//!
//! A run takes its estimate at the speed of the function, a round trip, and a cold start where no
//! function is warm. A function stays warm for a while after its run. Speed, round trip and cold
//! start are learned from runs that end well; after a failure Lambda is left alone for a while, twice
//! as long after each further one.

mod spending;

use std::collections::VecDeque;
use std::time::Duration;

use crate::fleet::learning;
use crate::policy::{HostPolicy, LambdaPolicy};
use crate::units::{Seconds, Speed, Time, Work};

use spending::Spending;

/// The gain of moving averages that have settled.
const GAIN: f64 = 0.1;

/// A function that has not run for this long may be cold. AWS promises nothing; five minutes are
/// what is commonly observed at least.
const WARM: Duration = Duration::from_mins(5);

/// See the module.
#[derive(Debug, Clone)]
pub struct Lambda {
    policy: LambdaPolicy,
    speed: Speed,
    speeds_seen: u64,
    round_trip: Seconds,
    cold_start: Seconds,
    cold_starts_seen: u64,
    running: usize,
    /// Since when each warm function has been idle, the newest last; with those that run at most
    /// `concurrency_max`.
    idle: VecDeque<Time>,
    spending: Spending,
    failures_in_row: u32,
    paused_until: Time,
}

/// What a run would be like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// From now until the answer.
    pub response: Seconds,
    /// What of it is billed.
    billed: Seconds,
    is_cold: bool,
}

/// A run that has been started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    is_cold: bool,
    /// What has been set aside for it, in USD.
    usd: f64,
}

/// A run that has ended with an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// What it cost, where that is known and it was a success.
    pub(crate) work: Option<Work>,
    /// Its CPU time, where that was measured.
    pub(crate) cpu_secs: Option<f64>,
    /// From sending the request to the end of its response.
    pub(crate) elapsed: Duration,
}

impl Lambda {
    /// As the policy says it is; nothing has run.
    pub fn new(policy: LambdaPolicy) -> Lambda {
        Lambda {
            speed: policy.speed,
            speeds_seen: 0,
            round_trip: Seconds::ZERO,
            cold_start: Seconds::from(policy.cold_start),
            cold_starts_seen: 0,
            running: 0,
            idle: VecDeque::new(),
            spending: Spending::default(),
            failures_in_row: 0,
            paused_until: Time::ZERO,
            policy,
        }
    }

    /// Runs that have not ended.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Speed of the function: learned, or as told until then.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// What a run takes longer where no function is warm: learned, or as told until then.
    pub fn cold_start(&self) -> Seconds {
        self.cold_start
    }

    /// What has been spent and set aside since the start, in USD.
    pub fn usd_total(&self) -> f64 {
        self.spending.total()
    }

    /// What a run would be like that costs `work` and has a body of `body_bytes`. `None` where it may
    /// not be: too many runs, too long a body, too much spent, too many failures.
    pub fn offer(&self, now: Time, work: Work, body_bytes: u64) -> Option<Offer> {
        let may_run = self.running < self.policy.concurrency_max
            && body_bytes <= self.policy.payload_bytes_max
            && self.paused_until <= now;
        let is_cold = self.idle.back().is_none_or(|since| WARM <= now.since(*since));
        let cold_start = if is_cold { self.cold_start } else { Seconds::ZERO };
        let billed = work / self.speed + cold_start;
        let usd = self.spending.of_last_hour(now) + self.usd(billed);
        (may_run && usd <= self.policy.usd_per_hour_max).then(|| Offer {
            response: billed + self.round_trip,
            billed,
            is_cold,
        })
    }

    /// A run begins.
    pub(crate) fn start(&mut self, now: Time, offer: &Offer) -> Run {
        self.running += 1;
        if offer.is_cold {
            self.idle.clear();
        } else {
            self.idle.pop_back();
        }
        let usd = self.usd(offer.billed);
        self.spending.book(now, usd);
        Run { is_cold: offer.is_cold, usd }
    }

    /// A run has ended in whatever way. What was set aside for it stays spent until more is known.
    pub(crate) fn end(&mut self, now: Time) {
        self.running -= 1;
        self.idle.push_back(now);
        while self.idle.front().is_some_and(|since| WARM <= now.since(*since)) {
            self.idle.pop_front();
        }
    }

    /// What has ended has answered.
    pub(crate) fn complete(&mut self, now: Time, run: &Run, ended: &Ended) {
        let billed = Seconds::from(ended.elapsed) - self.round_trip;
        self.spending.book(now, self.usd(Seconds(billed.0.max(0.0))) - run.usd);
        let Some(work) = ended.work else { return };
        self.failures_in_row = 0;
        let ran = ended.cpu_secs.unwrap_or_else(|| (work / self.speed).0);
        self.learn_overhead(run, ended.elapsed.as_secs_f64() - ran);
        if let Some(cpu_secs) = ended.cpu_secs {
            let believed = (self.speed, self.speeds_seen);
            let seen = (work.as_cpu_secs(), cpu_secs);
            if let Some(speed) = learning::learn(self.policy.speed, believed, seen) {
                self.speeds_seen += 1;
                self.speed = speed;
            }
        }
    }

    /// What has ended has failed: its function is gone.
    pub(crate) fn fail(&mut self, now: Time, hosts: &HostPolicy) {
        self.idle.pop_back();
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let factor = 1_u32.checked_shl(self.failures_in_row - 1).unwrap_or(u32::MAX);
        self.paused_until = now + hosts.eject_base.saturating_mul(factor).min(hosts.eject_max);
    }

    /// Panics in debug builds where an invariant does not hold.
    pub(crate) fn check_invariants(&self) {
        let functions = self.running + self.idle.len();
        debug_assert!(functions <= self.policy.concurrency_max, "runs ≤ their limit");
        debug_assert!(self.idle.iter().is_sorted(), "the newest function is the last");
        let numbers = [self.usd_total(), self.round_trip.0, self.cold_start.0];
        debug_assert!(numbers.iter().all(|number| number.is_finite()), "every number is finite");
    }

    /// What a run took beside its work: the round trip, and the cold start where there was one.
    fn learn_overhead(&mut self, run: &Run, secs: f64) {
        let secs = secs.clamp(0.0, learning::ROUND_TRIP_SECS_MAX);
        if run.is_cold {
            self.cold_starts_seen += 1;
            let gain = (1.0 / self.cold_starts_seen as f64).max(GAIN);
            let seen = (secs - self.round_trip.0).max(0.0);
            self.cold_start = self.cold_start + Seconds(seen - self.cold_start.0) * gain;
        } else {
            self.round_trip = self.round_trip + Seconds(secs - self.round_trip.0) * GAIN;
        }
    }

    fn usd(&self, billed: Seconds) -> f64 {
        let policy = &self.policy;
        policy.usd_per_request + billed.0 * policy.memory_gb * policy.usd_per_gb_second
    }
}

#[cfg(test)]
pub(crate) mod tests;
