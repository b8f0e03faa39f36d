//! What comes back: completions, failures and load reports, as the core's own types.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::discipline::Discipline;
use crate::features::Features;
use crate::request::RouteId;
use crate::units::{Speed, Work};

/// What the worker measured while it ran one request. Each field is absent where the worker could
/// not measure it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestCost {
    /// Instructions executed (exact or estimated, as the worker's build counts them).
    pub instructions: Option<f64>,
    /// Basic blocks entered.
    pub basic_blocks: Option<f64>,
    /// Functions entered.
    pub methods: Option<f64>,
    /// CPU time, in seconds of that host.
    pub cpu_seconds: Option<f64>,
    /// Bytes allocated.
    pub bytes_allocated: Option<f64>,
}

/// Of each second that a request took, at most so many CPU-seconds are believed for each core of
/// its host, and [`CLOCK_SECS`] more: clocks differ, and a host may go on when it has answered.
const BUSY_MAX: f64 = 1.25;

/// See [`BUSY_MAX`].
const CLOCK_SECS: f64 = 0.05;

/// More counts than this for a CPU-second are not believed: no core is as fast.
const COUNTS_PER_SEC_MAX: f64 = 1e11;

/// More bytes than this are not believed, whatever they took: to allocate is not to use.
const BYTES_MAX: f64 = 1e15;

/// The most CPU time that is believed of a request that took `elapsed` on a host of that many
/// cores, in seconds.
pub(crate) fn cpu_secs_max(elapsed: Duration, cores: u32) -> f64 {
    (elapsed.as_secs_f64() * BUSY_MAX + CLOCK_SECS) * f64::from(cores.max(1))
}

// === impl RequestCost ===

impl RequestCost {
    /// What is believed of it, where at most `cpu_secs_max` can have been used: no count that
    /// cannot be, and no more CPU time than that.
    pub(crate) fn believable(&self, cpu_secs_max: f64) -> RequestCost {
        let can_be = |count: Option<f64>, most: f64| count.filter(|n| (0.0..=most).contains(n));
        let counts_max = cpu_secs_max * COUNTS_PER_SEC_MAX;
        let cpu_seconds = self.cpu_seconds.filter(|secs| 0.0 <= *secs);
        RequestCost {
            instructions: can_be(self.instructions, counts_max),
            basic_blocks: can_be(self.basic_blocks, counts_max),
            methods: can_be(self.methods, counts_max),
            cpu_seconds: cpu_seconds.map(|secs| secs.min(cpu_secs_max)),
            bytes_allocated: can_be(self.bytes_allocated, BYTES_MAX),
        }
    }

    /// Whether it says anything.
    pub(crate) fn is_told(&self) -> bool {
        let RequestCost { instructions, basic_blocks, methods, cpu_seconds, bytes_allocated } =
            *self;
        let told = [instructions, basic_blocks, methods, cpu_seconds, bytes_allocated];
        told.iter().any(Option::is_some)
    }
}

/// How a request ended at a host that answered it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Whether the host did what it should: the status is below 500. One that did not counts
    /// against it, as a failure does. What was computed is learned either way.
    pub success: bool,
    /// What the worker measured, where it did.
    pub cost: Option<RequestCost>,
    /// From sending the request to the end of its response.
    pub elapsed: Duration,
    /// The build that counted; counts compare only within one. 0 where it is not known.
    pub build: u64,
    /// Whether a run on Lambda had to wait for its environment to start, where it says so.
    pub cold_start: Option<bool>,
}

/// How a host failed a request. What had been sent by then decides whether it may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection: the host has seen nothing of the request.
    Connect,
    /// The host refused it unread (it drains, or its own queue is full): it ran nothing of it.
    Refused,
    /// The connection broke after the request was sent and before anything of the response came.
    BeforeResponse,
    /// The connection, which had been idle, broke when it was used again. The host may close idle
    /// connections at any time, and may have seen the request: it is not to blame, but a try it
    /// was.
    Stale,
    /// Nothing of the response came in time.
    Timeout,
    /// It broke after the client had been given a part of the response: too late for another try.
    AfterResponse,
    /// The request or its answer is longer than can be carried there. What ran is well.
    TooLong,
}

impl Failure {
    /// Whether the request may be sent to another host.
    pub fn may_retry(self, idempotent: bool) -> bool {
        match self {
            Failure::Connect | Failure::Refused => true,
            Failure::BeforeResponse | Failure::Stale | Failure::Timeout | Failure::TooLong => {
                idempotent
            }
            Failure::AfterResponse => false,
        }
    }
}

/// What a host says of itself. Each field is absent where the host did not say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HostReport {
    /// Fraction of all its cores busy; may exceed 1.
    pub cpu_utilization: Option<f64>,
    /// Fraction of its memory in use.
    pub mem_utilization: Option<f64>,
    /// Fraction of its run slots in use; may exceed 1.
    pub application_utilization: Option<f64>,
    /// Requests that it has, from all balancers.
    pub in_flight: Option<u32>,
    /// Work that it has left.
    pub work_left: Option<Work>,
    /// How it orders its requests.
    pub discipline: Option<Discipline>,
    /// Speed of one core, by its own measurements.
    pub speed: Option<Speed>,
    /// Requests that it runs at once.
    pub slots: Option<u32>,
}

/// One completed request as evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The route.
    pub route: RouteId,
    /// What the model saw.
    pub features: Features,
    /// The estimate that was used, mean and p90.
    pub estimated: Option<(Work, Work)>,
    /// What the worker measured; nothing where it does not measure, and the work is the time that
    /// the request took.
    pub cost: RequestCost,
    /// The same as work: what the estimate should have been.
    pub work: Work,
    /// Speed of the core that ran it, as it was believed then.
    pub speed: Speed,
    /// The build that counted; counts compare only within one.
    pub build: u64,
}
