//! One host, as operators are shown it.

use std::time::Duration;

use serde::Serialize;

use weighbridge_core::balancer::Balancer;
use weighbridge_core::host::{Discipline, HostId, HostState, Phase};
use weighbridge_core::units::Time;

use crate::front::Front;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HostView {
    /// Its number.
    pub(crate) id: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its fleet.
    pub(crate) fleet: String,
    /// Where it answers, if that is known.
    pub(crate) address: Option<String>,
    /// Its process, where it is one of this machine.
    pub(crate) pid: Option<u32>,
    /// Where it is in its life.
    pub(crate) phase: Phase,
    /// For how long.
    pub(crate) phase_seconds: f64,
    /// How it orders its requests.
    pub(crate) discipline: Discipline,
    /// Its cores.
    pub(crate) cores: u32,
    /// Requests that it has, from all balancers.
    pub(crate) in_flight: u32,
    /// Predicted work that it has left, in CPU-seconds of the reference core.
    pub(crate) work_left_seconds: f64,
    /// How long all its cores take for that.
    pub(crate) seconds_left: f64,
    /// Speed of one core, in reference cores.
    pub(crate) speed: f64,
    /// How much an operator prefers it.
    pub(crate) weight: f64,
    /// Fraction of it that is busy.
    pub(crate) utilization: f64,
    /// Fraction of its memory that is in use, where it says so.
    pub(crate) memory: Option<f64>,
    /// Whether it is out, for its failures or for not answering.
    pub(crate) ejected: bool,
    /// Whether that is because it does not answer.
    pub(crate) down: bool,
    /// For how much longer, where that is known.
    pub(crate) ejected_seconds: Option<f64>,
    /// Failures since the last success.
    pub(crate) failures_in_row: u32,
    /// Smoothed fraction of its requests that failed.
    pub(crate) failure_rate: f64,
    /// Whether an operator can let it drain.
    pub(crate) is_listed: bool,
}

/// The hosts of `balancer`, whose fleet has this name.
pub(super) fn of(fleet: &str, balancer: &Balancer, now: Time) -> Vec<HostView> {
    let forgets = balancer.policy().hosts.eject_base;
    balancer.hosts().map(|host| HostView::new((fleet, host), now, forgets)).collect()
}

impl HostView {
    /// `host` of the fleet with this name, at `now`. Failures are forgotten by half in `forgets`.
    fn new((fleet, host): (&str, &HostState), now: Time, forgets: Duration) -> HostView {
        let ejected = host.is_ejected(now);
        let work_left = host.work_left.as_cpu_secs();
        HostView {
            id: host.id.0,
            name: host.spec.name.clone(),
            fleet: fleet.to_owned(),
            address: None,
            pid: None,
            phase: host.phase,
            phase_seconds: now.since(host.since).as_secs_f64(),
            discipline: host.discipline,
            cores: host.cores,
            in_flight: host.n_requests(),
            work_left_seconds: work_left,
            seconds_left: work_left / host.capacity().as_cpu_secs().max(f64::MIN_POSITIVE),
            speed: host.speed.as_reference_cores(),
            weight: host.preference,
            utilization: host.utilization(),
            memory: host.memory_utilization(),
            ejected,
            down: host.is_down(),
            ejected_seconds: (ejected && !host.is_down())
                .then(|| host.ejected_until.since(now).as_secs_f64()),
            failures_in_row: host.failures_in_row,
            failure_rate: host.failure_rate_at(now, forgets),
            is_listed: false,
        }
    }

    /// Whether it takes requests and answers.
    pub(super) fn serves(&self) -> bool {
        let is_active = match self.phase {
            Phase::Active => true,
            Phase::Starting | Phase::Draining | Phase::Gone => false,
        };
        is_active && !self.down
    }

    /// The same with what is not the balancer's to know: where it is.
    pub(super) fn placed(self, front: &Front) -> HostView {
        let id = HostId(self.id);
        let place = front.dispatch.hosts.place(id);
        HostView {
            address: place.as_ref().map(|place| place.address.to_string()),
            pid: place.and_then(|place| place.pid),
            is_listed: front.dispatch.roster.has(id),
            ..self
        }
    }
}
