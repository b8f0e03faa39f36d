//! What the operator decided: checked, with no defaults. The configuration file is turned into this
//! at the boundary.

use std::time::Duration;

use crate::features::FeatureSet;
use crate::lambda::FunctionId;
use crate::scale::Rule;
use crate::schedule::{Filter, Weigher};
use crate::units::{Speed, Work};

/// Everything that steers the balancer.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The routes; a [`RouteId`](crate::request::RouteId) is an index into this.
    pub routes: Vec<RoutePolicy>,
    /// How hosts are filtered and weighed.
    pub schedule: SchedulePolicy,
    /// The waiting room.
    pub queue: QueuePolicy,
    /// What is believed of hosts, and when one is ejected.
    pub hosts: HostPolicy,
    /// How failed requests are tried again.
    pub retry: RetryPolicy,
    /// How models are trained and trusted.
    pub learn: LearnPolicy,
    /// How the fleet is sized.
    pub scale: ScalePolicy,
    /// How bursts spill over to Lambda. `None`: they do not.
    pub lambda: Option<LambdaPolicy>,
}

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
    /// A host is used at once while its added delay is at most this.
    pub patience: Duration,
    /// Whether a request may be sent again after a host has seen it.
    pub idempotent: bool,
    /// The function that its bursts spill over to. `None`: they do not.
    pub function: Option<FunctionId>,
}

/// How hosts are filtered and weighed (Nova: `host_subset_size`,
/// `shuffle_best_same_weighed_hosts`).
#[derive(Debug, Clone)]
pub struct SchedulePolicy {
    /// The filters to run, in order.
    pub filters: Vec<&'static dyn Filter>,
    /// The weighers to run, with their multipliers.
    pub weighers: Vec<(&'static dyn Weigher, f64)>,
    /// The pick is random among this many of the best; at least 1.
    pub host_subset_size: usize,
    /// Whether hosts of equal best weight are shuffled before the pick.
    pub shuffle_best_same_weighed_hosts: bool,
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

/// How the fleet is sized.
#[derive(Debug, Clone)]
pub struct ScalePolicy {
    /// Which rule says how many hosts are desired.
    pub rule: &'static dyn Rule,
    /// The least hosts.
    pub hosts_min: usize,
    /// The most hosts.
    pub hosts_max: usize,
    /// Scale up when the mean utilization over the stable window is above this.
    pub cpu_high: f64,
    /// Scale down when it is below this.
    pub cpu_low: f64,
    /// The utilization to size the fleet for.
    pub cpu_target: f64,
    /// Scale up when the predicted backlog would take longer than this to drain, counted from when
    /// a host that is launched now would be ready.
    pub backlog_max: Duration,
    /// The desire must hold this long before scaling down.
    pub stable_window: Duration,
    /// The window over which panic looks for bursts.
    pub panic_window: Duration,
    /// Panic when the burst's desire is at least this multiple of the hosts there are.
    pub panic_factor: f64,
    /// The time a host needs to boot until it has been learned.
    pub boot_time: Duration,
    /// A host that is not ready after this is replaced.
    pub boot_timeout: Duration,
}
