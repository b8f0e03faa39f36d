//! What the operator decided: checked, with no defaults. The configuration file is turned into this
//! at the boundary.
//!
//! These are plain values. What names filters, weighers or a rule stands beside them:
//! [`SchedulePolicy`](crate::schedule::SchedulePolicy) and
//! [`ScalePolicy`](crate::scale::ScalePolicy). The balancer's
//! [`Policy`](crate::balancer::Policy) has all of it.

use std::time::Duration;

use serde::Serialize;

use crate::features::FeatureSet;
use crate::units::{Speed, Work};

/// Index of a function in [`LambdaPolicy::functions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FunctionId(pub u16);

/// One route: requests that are predicted by one model.
#[derive(Debug, Clone)]
pub struct RoutePolicy {
    /// Unique name, as in metrics: `blur`.
    pub name: String,
    /// What the model sees. Empty: the running mean predicts.
    pub features: FeatureSet,
    /// The estimate before there is any observation.
    pub prior: Work,
    /// The least that an estimate may be.
    pub work_min: Work,
    /// The most that an estimate may be.
    pub work_max: Work,
    /// A host that holds no requests is used at once while its added delay is at most this.
    pub patience: Duration,
    /// Whether a request may be sent again after a host has seen it; `None`: by its method.
    pub idempotent: Option<bool>,
    /// The most hosts that one request is sent to; `None`: as [`RetryPolicy`] says.
    pub tries_max: Option<usize>,
    /// The function that its bursts spill over to. `None`: they do not.
    pub function: Option<FunctionId>,
}

/// Bounds and order of the waiting room.
#[derive(Debug, Clone)]
pub struct QueuePolicy {
    /// The order.
    pub discipline: QueueDiscipline,
    /// The most requests that wait.
    pub requests_max: usize,
    /// The most bytes of bodies that wait.
    pub bytes_max: u64,
    /// The longest that one request waits.
    pub wait_max: Duration,
    /// Age guard: what has waited longer than this plus `age_factor` times its own size goes first.
    pub age_floor: Duration,
    /// See `age_floor`.
    pub age_factor: f64,
}

/// The order of the waiting room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueDiscipline {
    /// First come, first served.
    Fcfs,
    /// Shortest estimated processing time first.
    Sept,
    /// Earliest deadline first; the deadline is the arrival plus the age guard's allowance.
    Edf,
}

/// What is believed of hosts, and when one is ejected.
#[derive(Debug, Clone)]
pub struct HostPolicy {
    /// In flight limit of a host, per core of it.
    pub in_flight_max_per_core: usize,
    /// Memory filter: a host over this fraction is not used.
    pub memory_utilization_max: f64,
    /// Consecutive failures after which a host is ejected.
    pub eject_failures: u32,
    /// The first ejection lasts this long; each further one twice as long. With each such span
    /// since its last failure, a host's failures weigh half as much.
    pub eject_base: Duration,
    /// The longest ejection.
    pub eject_max: Duration,
    /// The largest fraction of the fleet that may be ejected at once; one host may always be.
    pub eject_fraction_max: f64,
    /// A host that has been active for less than this is warming up (slow start).
    pub warm_up: Duration,
    /// A host report older than this is not believed.
    pub report_age_max: Duration,
}

#[cfg(test)]
impl HostPolicy {
    /// What tests of the core start from; each changes what it is about.
    pub(crate) fn for_tests() -> HostPolicy {
        HostPolicy {
            in_flight_max_per_core: 8,
            memory_utilization_max: 0.9,
            eject_failures: 2,
            eject_base: Duration::from_secs(5),
            eject_max: Duration::from_mins(1),
            eject_fraction_max: 0.3,
            warm_up: Duration::ZERO,
            report_age_max: Duration::from_secs(5),
        }
    }
}

/// How failed requests are tried again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The most hosts that one request is sent to; at least 1.
    pub tries_max: usize,
    /// Retries may be at most this fraction of requests (token bucket)...
    pub budget_fraction: f64,
    /// ...plus this many, so that a quiet balancer may retry too.
    pub budget_floor: u32,
}

/// How models are trained and trusted.
#[derive(Debug, Clone)]
pub struct LearnPolicy {
    /// The most recent observations kept per route for training.
    pub window: usize,
    /// A first model is trained after this many observations.
    pub observations_min: usize,
    /// Retrained after this many further observations, and as many as the last model rests on, or a
    /// quarter of those where its errors have grown.
    pub retrain_after: usize,
    /// Drift gate: estimates whose recent median error is above this are switched off until they
    /// are better. The error is the factor between estimate and truth, whichever is larger, less
    /// one: 1.0 is a factor of two.
    pub drift_error_max: f64,
}

/// How bursts spill over to Lambda: the functions, and what they may cost.
#[derive(Debug, Clone)]
pub struct LambdaPolicy {
    /// The functions; a [`FunctionId`] is an index into this.
    pub functions: Vec<FunctionPolicy>,
    /// The most that is spent in any hour on all of them, in USD.
    pub usd_per_hour_max: f64,
    /// Price of a gigabyte of memory for a second of a run, in USD.
    pub usd_per_gb_second: f64,
    /// Price of each run besides, in USD.
    pub usd_per_request: f64,
}

/// One function on Lambda.
#[derive(Debug, Clone)]
pub struct FunctionPolicy {
    /// Its name, as Lambda has it.
    pub name: String,
    /// The most runs at once.
    pub concurrency_max: usize,
    /// Its memory, in gigabytes.
    pub memory_gb: f64,
    /// Its speed, until it has been learned.
    pub speed: Speed,
    /// What a run takes longer where no environment is warm, until it has been learned.
    pub cold_start: Duration,
    /// The longest event that a run takes, in bytes.
    pub payload_bytes_max: u64,
}
