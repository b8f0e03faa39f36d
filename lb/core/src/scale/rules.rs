//! The rules that say how many hosts are desired. One file a rule.

use std::fmt::Debug;

use super::{ScaleReason, backlog, cpu, cpu_and_backlog, queue_depth};
use crate::policy::{ScalePolicy, ScaleRule};
use crate::units::{Seconds, Work};

/// What a rule sees of the fleet.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Hosts that take requests.
    pub active: usize,
    /// Those, and those that are starting.
    pub kept: usize,
    /// What has been busy over the stable window, for each active host; above 1 where there were more.
    pub utilization: f64,
    /// Requests that run or wait.
    pub requests: usize,
    /// Requests that ran or waited over the panic window, for each active core.
    pub requests_per_core: f64,
    /// Predicted work left, on the hosts and in the waiting room, of which a core each could do what
    /// counts here within the time to boot and `backlog_max`.
    pub backlog: Work,
    /// Work that one host does in a second.
    pub host_capacity: Work,
    /// The time that a host needs to boot.
    pub boot_time: Seconds,
}

/// How many hosts are desired, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desire {
    /// How many.
    pub hosts: usize,
    /// Why.
    pub reason: ScaleReason,
}

/// Says how many hosts are desired.
pub trait Rule: Debug + Sync {
    /// Its name: that of its file.
    fn name(&self) -> &'static str;

    /// How many hosts are desired; the interval of the policy comes later.
    fn desired(&self, view: &View, policy: &ScalePolicy) -> Desire;
}

/// The rule of that name.
pub fn of(rule: ScaleRule) -> &'static dyn Rule {
    match rule {
        ScaleRule::CpuAndBacklog => &cpu_and_backlog::CpuAndBacklog,
        ScaleRule::Cpu => &cpu::Cpu,
        ScaleRule::Backlog => &backlog::Backlog,
        ScaleRule::QueueDepth => &queue_depth::QueueDepth,
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

    /// Hosts for the requests there are, each on a core of its own at the target utilization: what a
    /// burst wants. None where nothing waits for a core.
    pub(super) fn burst(&self, policy: &ScalePolicy) -> usize {
        if self.requests_per_core <= 1.0 {
            return 0;
        }
        let target = policy.cpu_target;
        self.hosts_for(self.requests_per_core, target).max(usize::from(self.active == 0))
    }
}
