//! A worker as the scheduler sees it.
//!
//! # Decision: hosts say what they are
//!
//! Discipline, run slots and speed come with the load report; the configuration only says what is
//! believed before the first one. A static host is taken for one that shares its time, because
//! every ordinary server does. Requests in flight and work left beyond our own claims are those of
//! other balancers, and age as ours do. Cost: a host that reports wrongly is believed. Look again
//! when hosts report what the balancer can measure better itself.

mod wait;

use std::time::Duration;

use serde::Serialize;

use crate::observe::HostReport;
use crate::request::RequestId;
use crate::share::{AccountId, HostOrder};
use crate::units::{Seconds, Speed, Time, Work};

pub use crate::discipline::Discipline;
pub(crate) use wait::fcfs_wait;

/// The least that an operator may prefer a host.
pub const PREFERENCE_MIN: f64 = 0.01;

/// The most that an operator may prefer a host.
pub const PREFERENCE_MAX: f64 = 100.0;

/// One host, unique as long as the balancer lives; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HostId(pub u32);

/// Where a host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Launched, not ready.
    Starting,
    /// Takes requests.
    Active,
    /// Finishes what it has, takes nothing new.
    Draining,
    /// No longer there. Holds no claim.
    Gone,
}

/// What is told of a host when it joins the fleet.
#[derive(Debug, Clone)]
pub struct HostSpec {
    /// Name for people: an address, a process, an instance id.
    pub name: String,
    /// Cores that run requests, until it has said how many run slots it has; at least 1.
    pub cores: u32,
    /// Speed of one core, until it has been learned.
    pub speed: Speed,
    /// How it orders its requests. `None`: as its load report says, and until then by sharing its
    /// time, as any ordinary server does.
    pub discipline: Option<Discipline>,
    /// Price of a second of one core, relative to the reference core's: 1 for an ordinary host, 0
    /// for one that is paid for anyhow.
    pub price: f64,
}

/// What is believed of a host. Only the fleet writes it.
///
/// Claims and work left are as of `as_of`; the fleet brings them up to date before each decision.
#[derive(Debug, Clone)]
pub struct HostState {
    /// Which host.
    pub id: HostId,
    /// Where it is in its life.
    pub phase: Phase,
    /// How it orders its requests.
    pub discipline: Discipline,
    /// Cores that run requests; at least 1.
    pub cores: u32,
    /// Claims of our own.
    pub in_flight: u32,
    /// Requests of other balancers, as the host last reported them.
    pub foreign: u32,
    /// Speed of one core: learned, or as told until then.
    pub speed: Speed,
    /// Σ remaining work of `claims`.
    pub work_left: Work,
    /// What it holds: in order of arrival for `fcfs`, by remaining work otherwise. Both our own
    /// claims and those of other balancers.
    pub claims: Vec<Claim>,
    /// The job that has it for itself: it takes nothing else.
    pub reserved_for: Option<RequestId>,
    /// The instant to which claims and work left have been aged.
    pub as_of: Time,
    /// When the phase began.
    pub since: Time,
    /// The ejection lasts until here, or ended here; `Time::ZERO` where it has never been ejected.
    pub ejected_until: Time,
    /// How long the last ejection lasts.
    pub ejection_length: Duration,
    /// Since when it has not answered when it was asked how it is. It is out until it answers.
    pub down_since: Option<Time>,
    /// Whether it has been out and has not answered a request well since.
    pub is_on_probation: bool,
    /// When it last had more requests than cores, so that one may have waited for another.
    pub crowded_at: Time,
    /// Smoothed time of a request that is not its run: network, and moving the bodies.
    pub round_trip: Seconds,
    /// Smoothed fraction of its requests that failed, as of `failed_at`; see
    /// [`HostState::failure_rate_at`].
    pub failure_rate: f64,
    /// When it last failed a request.
    pub failed_at: Time,
    /// Failures since the last success.
    pub failures_in_row: u32,
    /// Ejections since it was last well for as long as the last ejection took.
    pub ejections: u32,
    /// What it last said of itself, and when; dropped when it is too old to be believed.
    pub report: Option<(Time, HostReport)>,
    /// What others measured of its CPU, and until when that is believed.
    pub cpu_told: Option<(Time, f64)>,
    /// Completions from which its speed was learned; with none, it is as told or reported.
    pub speeds_seen: u64,
    /// How uncertain its speed is: the variance of its natural logarithm.
    pub speed_variance: f64,
    /// Whether it has ever said what a request cost. One that has not is learned from by the time
    /// that its requests take.
    pub tells_costs: bool,
    /// The time of a core that each request has had which was there all along, where the requests
    /// share its cores: ∫ min(1, cores / requests) dt, in seconds.
    pub shared_secs: f64,
    /// How much an operator prefers it: a second of delay that a request adds there counts as `1 /
    /// preference` seconds. Within [`PREFERENCE_MIN`] and [`PREFERENCE_MAX`]; 1 until it is told.
    pub preference: f64,
    /// What was told of it when it joined.
    pub spec: HostSpec,
}

/// Work that a host has been given and has not been seen to finish.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Claim {
    /// The request, or `None` for one of another balancer.
    pub request: Option<RequestId>,
    /// The estimate; doubled each time that it has been outlived.
    pub expected: Work,
    /// `expected` less what it has attained so far.
    pub remaining: Work,
    /// When it was made.
    pub claimed_at: Time,
    /// `shared_secs` of its host then.
    pub shared_from: f64,
    /// Whose it is, and where it stands on the host; `None` where there is one client.
    pub owner: Option<(AccountId, HostOrder)>,
}

// === impl HostState ===

impl HostState {
    /// Whether it is out at `now`: for its failures, or because it does not answer.
    pub fn is_ejected(&self, now: Time) -> bool {
        self.is_down() || now < self.ejected_until
    }

    /// Whether it did not answer when it was last asked how it is.
    pub fn is_down(&self) -> bool {
        self.down_since.is_some()
    }

    /// Whether it is on probation and has as much as it may have then: a request for each core.
    pub fn has_its_trial(&self) -> bool {
        self.is_on_probation && self.cores <= self.in_flight
    }

    /// Requests that it has, from all balancers.
    pub fn n_requests(&self) -> u32 {
        self.in_flight + self.foreign
    }

    /// Work that all its cores do in a second.
    pub fn capacity(&self) -> Work {
        Work::saturating(self.speed.as_reference_cores() * f64::from(self.cores))
    }

    /// Fraction of it that is busy, may exceed 1: what others measured of its CPU, else what it
    /// reported of its CPU or of its run slots, or, where nothing fresh says, its requests per
    /// core.
    pub fn utilization(&self) -> f64 {
        let told = self.cpu_told.map(|(_, utilization)| utilization);
        let reported = self
            .report
            .and_then(|(_, report)| report.cpu_utilization.or(report.application_utilization));
        told.or(reported)
            .unwrap_or_else(|| f64::from(self.n_requests().min(self.cores)) / f64::from(self.cores))
    }

    /// Fraction of it that is taken, at most 1. What others measured of its CPU goes first: it is
    /// measured to be used. Then its run slots, where it says how many it has: a request takes its
    /// slot even while the machine gives the CPU to others. Else as [`HostState::utilization`].
    pub fn occupancy(&self) -> f64 {
        let has_slots = self.report.is_some_and(|(_, report)| report.slots.is_some());
        if has_slots && self.cpu_told.is_none() {
            return f64::from(self.n_requests().min(self.cores)) / f64::from(self.cores);
        }
        self.utilization().min(1.0)
    }

    /// Work that could be done within `horizon` if every request had a core of its own at once: of
    /// each what it has left, or what one core does in that time, for more cores do not help it.
    pub fn work_within(&self, horizon: Seconds) -> Work {
        let most = self.speed * horizon;
        self.claims.iter().fold(Work::ZERO, |sum, claim| sum + claim.remaining.min(most))
    }

    /// Fraction of its memory in use, where a fresh report says.
    pub fn memory_utilization(&self) -> Option<f64> {
        self.report.and_then(|(_, report)| report.mem_utilization)
    }
}
