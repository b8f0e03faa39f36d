//! What is known of Lambda: how many runs there are, how fast each function is, what they have
//! cost.
//!
//! A run takes its estimate at the speed of its function, a round trip, and a cold start where none
//! of the function's environments is warm. How many run at once, which environments are warm,
//! speed, round trip and cold start are each function's own; what may be spent is for all of them
//! together.

mod function;
mod spending;

use std::time::Duration;

use crate::fleet::SpeedSeen;
use crate::observe::Failure;
use crate::policy::{FunctionId, HostPolicy, LambdaPolicy};
use crate::units::{Seconds, Time, Work};

pub use function::Function;
use spending::Spending;

/// See the module.
#[derive(Debug, Clone)]
pub struct Lambda {
    policy: LambdaPolicy,
    functions: Vec<Function>,
    spending: Spending,
}

/// What a run would be like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// Of which function.
    pub function: FunctionId,
    /// From now until the answer.
    pub response: Seconds,
    /// What of it is billed.
    billed: Seconds,
    is_cold: bool,
}

/// A run that has been started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    pub(crate) function: FunctionId,
    started: Time,
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
    /// What it says of the function's speed, where it says anything.
    pub(crate) speed: Option<SpeedSeen>,
    /// From sending the request to the end of its response.
    pub(crate) elapsed: Duration,
    /// Whether its environment had to be started, where the function says so.
    pub(crate) cold_start: Option<bool>,
}

impl Lambda {
    /// As the policy says it is; nothing has run.
    pub fn new(policy: LambdaPolicy) -> Lambda {
        let functions = policy.functions.iter().cloned().map(Function::new).collect();
        Lambda { functions, spending: Spending::default(), policy }
    }

    /// Every function, in the order of the policy.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Runs that have not ended, of all functions.
    pub fn running(&self) -> usize {
        self.functions.iter().map(Function::running).sum()
    }

    /// What has been spent and set aside since the start, in USD: an estimate by list prices.
    pub fn usd_total(&self) -> f64 {
        self.spending.total()
    }

    /// The same for the hour before `now`, or a little more.
    pub fn usd_of_last_hour(&self, now: Time) -> f64 {
        self.spending.of_last_hour(now)
    }

    /// What a run of `function` would be like that costs `work` and has an event of `event_bytes`.
    /// `None` where it may not be: no such function, no event, too long a one, too many runs, too
    /// much spent, too many failures.
    pub fn offer(
        &self,
        now: Time,
        function: FunctionId,
        work: Work,
        event_bytes: Option<u64>,
    ) -> Option<Offer> {
        let event_bytes = event_bytes?;
        let known = self.functions.get(usize::from(function.0))?;
        if !known.may_run(now) || known.policy.payload_bytes_max < event_bytes {
            return None;
        }
        let is_cold = known.is_cold(now);
        let cold_start = if is_cold { known.cold_start() } else { Seconds::ZERO };
        let billed = work / known.speed() + cold_start;
        let usd = self.spending.of_last_hour(now) + self.usd(known, billed);
        (usd <= self.policy.usd_per_hour_max).then(|| Offer {
            function,
            response: billed + known.round_trip(),
            billed,
            is_cold,
        })
    }

    /// The function of that number, where there is one.
    pub fn function(&self, id: FunctionId) -> Option<&Function> {
        self.functions.get(usize::from(id.0))
    }

    /// A run begins.
    pub(crate) fn start(&mut self, now: Time, offer: &Offer) -> Run {
        let usd = self.function(offer.function).map_or(0.0, |known| self.usd(known, offer.billed));
        self.spending.book(now, usd);
        if let Some(function) = self.function_mut(offer.function) {
            function.start(offer.is_cold);
        }
        Run { function: offer.function, started: now, is_cold: offer.is_cold, usd }
    }

    /// A run has ended, well or not. What was set aside for it stays spent until more is known.
    pub(crate) fn end(&mut self, now: Time, run: &Run) {
        if let Some(function) = self.function_mut(run.function) {
            function.end(now);
        }
    }

    /// What has ended has answered.
    pub(crate) fn complete(&mut self, now: Time, run: &Run, ended: &Ended) {
        let Some(function) = self.function(run.function) else { return };
        let billed = (Seconds::from(ended.elapsed) - function.round_trip()).0.max(0.0);
        let usd = self.usd(function, Seconds(billed));
        self.spending.book(now, usd - run.usd);
        if let Some(function) = self.function_mut(run.function) {
            function.complete(run.is_cold, ended);
        }
    }

    /// What has ended has failed.
    pub(crate) fn fail(&mut self, now: Time, run: &Run, failure: Failure, hosts: &HostPolicy) {
        match failure {
            // Nothing has run, and nothing is billed.
            Failure::Refused | Failure::Connect => self.spending.book(now, -run.usd),
            Failure::BeforeResponse
            | Failure::Stale
            | Failure::Timeout
            | Failure::AfterResponse
            | Failure::TooLong => {}
        }
        if let Some(function) = self.function_mut(run.function) {
            function.fail(now, run.started, failure, hosts);
        }
    }

    /// What has ended was given up by its client. It may still be running for all we know.
    pub(crate) fn abandon(&mut self, run: &Run) {
        if let Some(function) = self.function_mut(run.function) {
            function.lose();
        }
    }

    /// Panics in debug builds where an invariant does not hold.
    pub(crate) fn check_invariants(&self) {
        self.functions.iter().for_each(Function::check_invariants);
        debug_assert!(self.usd_total().is_finite(), "every number is finite");
    }

    fn function_mut(&mut self, id: FunctionId) -> Option<&mut Function> {
        self.functions.get_mut(usize::from(id.0))
    }

    fn usd(&self, function: &Function, billed: Seconds) -> f64 {
        let gb_seconds = billed.0 * function.policy.memory_gb;
        self.policy.usd_per_request + gb_seconds * self.policy.usd_per_gb_second
    }
}

#[cfg(test)]
pub(crate) mod tests;
