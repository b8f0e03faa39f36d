//! The rules that say how many hosts are desired. One file a rule.

mod cpu_and_backlog;
mod cpu;
mod backlog;
mod queue_depth;
mod step;
mod stopped_pool;

use std::fmt::{self, Debug};

use serde::Serialize;

use super::ScalePolicy;
use crate::jobs::LineWork;
use crate::units::{Seconds, Work};

/// Every rule there is. To add one: a file beside the others, and a line here.
pub const ALL: &[&dyn Rule] = &[
    &cpu_and_backlog::CpuAndBacklog,
    &cpu::Cpu,
    &backlog::Backlog,
    &queue_depth::QueueDepth,
    &step::Step,
    &stopped_pool::StoppedPool,
];

/// Says how many hosts are desired.
pub trait Rule: Debug + Sync {
    /// Its name in the configuration: that of its file.
    fn name(&self) -> &'static str;

    /// How many hosts are desired; the interval of the policy comes later.
    fn desired(&self, view: &View, policy: &ScalePolicy) -> Desire;
}

/// The rule of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Rule> {
    ALL.iter().copied().find(|rule| rule.name() == name)
}

/// What a rule sees of the fleet.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Hosts that take requests.
    pub active: usize,
    /// Those, and those that are starting.
    pub kept: usize,
    /// Hosts' worth of busy time over the stable window, for each host that is active now; above 1
    /// where more were active.
    pub utilization: f64,
    /// Requests that run or wait.
    pub requests: usize,
    /// Requests that ran or waited over the panic window, for each active core.
    pub requests_per_core: f64,
    /// Predicted work left, on the hosts and in the waiting room. Of each request it counts at most
    /// what one core does within the time to boot and `backlog_max`.
    pub backlog: Work,
    /// Work that one host does in a second.
    pub host_capacity: Work,
    /// The time that a host needs to boot.
    pub boot_time: Seconds,
    /// Jobs that wait.
    pub line: LineWork,
    /// Cores of the active hosts.
    pub cores: usize,
    /// The time since hosts were last launched or drained.
    pub since_change: Seconds,
}

/// How many hosts are desired, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desire {
    /// How many.
    pub hosts: usize,
    /// Why.
    pub reason: ScaleReason,
}

/// Why the fleet is scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleReason {
    /// It is not.
    #[default]
    Steady,
    /// Fewer hosts than the least.
    HostsMin,
    /// More hosts than the most.
    HostsMax,
    /// The mean CPU utilization is above the threshold.
    CpuHigh,
    /// The mean CPU utilization has been below the threshold for the stable window.
    CpuLow,
    /// The predicted backlog would not drain in time.
    Backlog,
    /// There has been no backlog for the stable window.
    BacklogLow,
    /// What runs and waits, or what waits, by number.
    QueueDepth,
    /// A burst.
    Panic,
    /// A host was lost, never became ready, or keeps failing.
    HostFailed,
}

// === impl ScaleReason ===

impl ScaleReason {
    /// Every reason, in order.
    pub const ALL: [ScaleReason; 10] = [
        ScaleReason::Steady,
        ScaleReason::HostsMin,
        ScaleReason::HostsMax,
        ScaleReason::CpuHigh,
        ScaleReason::CpuLow,
        ScaleReason::Backlog,
        ScaleReason::BacklogLow,
        ScaleReason::QueueDepth,
        ScaleReason::Panic,
        ScaleReason::HostFailed,
    ];

    /// Its name, as in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            ScaleReason::Steady => "steady",
            ScaleReason::HostsMin => "hosts_min",
            ScaleReason::HostsMax => "hosts_max",
            ScaleReason::CpuHigh => "cpu_high",
            ScaleReason::CpuLow => "cpu_low",
            ScaleReason::Backlog => "backlog",
            ScaleReason::BacklogLow => "backlog_low",
            ScaleReason::QueueDepth => "queue_depth",
            ScaleReason::Panic => "panic",
            ScaleReason::HostFailed => "host_failed",
        }
    }
}

impl fmt::Display for ScaleReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

// === impl Desire ===

impl Desire {
    /// The nearest within `least..=most`, with the bound as the reason where it is one.
    pub(super) fn clamp(self, least: usize, most: usize) -> Desire {
        if self.hosts < least {
            return Desire { hosts: least, ..self };
        }
        Desire { hosts: self.hosts.min(most), ..self }
    }
}

// === impl View ===

impl View {
    /// Hosts for which `busy` per active host is `target`: `⌈active × busy / target⌉`, at least as
    /// many as are active where `busy` is not below `target`.
    pub(super) fn hosts_for(&self, busy: f64, target: f64) -> usize {
        let hosts = self.active as f64 * busy / target.max(0.01);
        // A hair over a whole number is float noise, not a further host.
        (hosts - 1e-9).ceil().clamp(0.0, 1e6) as usize
    }

    /// Requests and jobs that wait for a core.
    pub(super) fn waiting(&self) -> usize {
        self.requests.saturating_sub(self.cores) + self.line.jobs
    }

    /// Hosts that do the jobs' work within every horizon by which it is due, beside the backlog:
    /// the most of `⌈(backlog + due within h) / (c · h)⌉`, with `h` not shorter than hosts that are
    /// launched now may take. None where no job waits.
    pub(super) fn hosts_for_jobs(&self, policy: &ScalePolicy) -> usize {
        let soonest = self.boot_time.0 + policy.backlog_max.as_secs_f64();
        let capacity = self.host_capacity.as_cpu_secs().max(f64::MIN_POSITIVE);
        let due = self.line.due.iter().zip(LineWork::HORIZONS);
        let due = due.filter(|(due, _)| Work::ZERO < **due);
        let hosts = due.map(|(due, horizon)| {
            let horizon = horizon.as_secs_f64().max(soonest).max(1e-3);
            let hosts = (self.backlog + *due).as_cpu_secs() / (capacity * horizon);
            (hosts - 1e-9).ceil().clamp(0.0, 1e6) as usize
        });
        let least = usize::from(self.line.jobs != 0);
        hosts.fold(least, usize::max)
    }

    /// Hosts for the requests there are, each on a core of its own at the target utilization: what
    /// a burst wants. None where nothing waits for a core.
    pub(super) fn burst(&self, policy: &ScalePolicy) -> usize {
        if self.requests_per_core <= 1.0 {
            return 0;
        }
        let target = policy.cpu_target;
        self.hosts_for(self.requests_per_core, target).max(usize::from(self.active == 0))
    }
}
