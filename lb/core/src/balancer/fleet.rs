//! The events of hosts: join, ready, drain, leave, report; and the tick.

use std::time::Duration;

use super::{Balancer, Grant, Tick};
use crate::host::{HostId, HostSpec};
use crate::jobs::LineWork;
use crate::observe::HostReport;
use crate::request::RouteId;
use crate::units::{Seconds, Time, Work};

/// Training that has gone on for this long has been lost.
const TRAINING_MAX: Duration = Duration::from_mins(1);

/// Bounds of what a refused client is told to wait, in seconds.
const RETRY_AFTER_SECS: (f64, f64) = (1.0, 60.0);

// === impl Balancer ===

impl Balancer {
    /// The first host to join gets the number `first`, instead of 0: where there are several
    /// fleets, a number stands for one host.
    pub fn number_hosts_from(&mut self, first: u32) {
        self.fleet.number_from(first);
    }

    /// A host joins, in phase Starting.
    pub fn join(&mut self, now: Time, host: HostSpec) -> HostId {
        self.set_now(now);
        self.counters.joins += 1;
        let id = self.fleet.join(self.now, host);
        self.check_invariants();
        id
    }

    /// A host is ready for requests.
    pub fn ready(&mut self, now: Time, host: HostId) {
        self.set_now(now);
        if let Some(boot) = self.fleet.ready(self.now, host) {
            self.scaler.booted(boot);
        }
        self.check_invariants();
    }

    /// The name of a host has become known.
    pub fn name_host(&mut self, host: HostId, name: String) {
        self.fleet.name(host, name);
    }

    /// A host is ready that had been running before it joined: it teaches nothing of booting.
    pub fn resume(&mut self, now: Time, host: HostId) {
        self.set_now(now);
        self.fleet.ready(self.now, host);
        self.check_invariants();
    }

    /// A host takes nothing new from now on.
    pub fn drain(&mut self, now: Time, host: HostId) {
        self.set_now(now);
        self.fleet.drain(self.now, host);
        self.check_invariants();
    }

    /// A host that drains is wanted again. It is in phase Starting until it is ready.
    pub fn undrain(&mut self, now: Time, host: HostId) {
        self.set_now(now);
        self.fleet.undrain(self.now, host);
        self.check_invariants();
    }

    /// An operator prefers a host by that much; see
    /// [`preference`](crate::host::HostState::preference). False where it is not in the fleet.
    pub fn prefer(&mut self, host: HostId, preference: f64) -> bool {
        self.fleet.prefer(host, preference)
    }

    /// A host is gone. Its claims are released; `complete`, `fail` or `abandon` of their requests
    /// may still come, and release nothing more.
    pub fn leave(&mut self, now: Time, host: HostId) {
        self.set_now(now);
        if let Some(host) = self.fleet.leave(host) {
            self.counters.leaves += 1;
            for id in host.claims.iter().filter_map(|claim| claim.request) {
                if let Some(request) = self.requests.get_mut(&id) {
                    request.grant = Grant::Nothing;
                    request.tried.push(host.id);
                }
            }
        }
        self.check_invariants();
    }

    /// A host says how it is.
    pub fn report(&mut self, now: Time, host: HostId, report: &HostReport) {
        self.set_now(now);
        self.fleet.report(self.now, host, report);
        self.check_invariants();
    }

    /// Others have measured that `utilization` of a host's CPU is busy. Believed for `valid`,
    /// before what the host itself says.
    pub fn tell_cpu(&mut self, now: Time, host: HostId, utilization: f64, valid: Duration) {
        self.set_now(now);
        self.fleet.tell_cpu(host, utilization, self.now + valid);
        self.check_invariants();
    }

    /// The provider of the hosts keeps between `least` and `most` of them: these bounds go before
    /// those of the policy.
    pub fn bound_fleet(&mut self, least: usize, most: usize) {
        self.scaler.bound(least, most);
    }

    /// A host was asked how it is: whether it answered at all. One that did not is out until it
    /// does.
    pub fn probed(&mut self, now: Time, host: HostId, answered: bool) {
        self.set_now(now);
        self.counters.ejections += u64::from(self.fleet.probed(self.now, host, answered));
        self.check_invariants();
    }

    /// The jobs that wait for this fleet, as of now: they count for its size until this is told
    /// anew.
    pub fn tell_line(&mut self, line: LineWork) {
        self.line = line;
    }

    /// The periodic call: ages what is believed, plans the fleet, says which models to train.
    pub fn tick(&mut self, now: Time) -> Tick {
        self.set_now(now);
        self.fleet.advance(self.now);
        self.fleet.expire_reports(self.now);
        let waiting = (self.queue.state(), &self.line);
        let plan = self.scaler.plan(self.now, &self.fleet, waiting);
        if !plan.is_steady() {
            *self.counters.scale_events.entry(plan.reason).or_default() += 1;
            self.counters.launches += plan.launch as u64;
            self.counters.drains += (plan.drain.len() + plan.replace.len()) as u64;
        }
        let train = self.due_for_training();
        self.check_invariants();
        Tick { plan, train }
    }

    /// How many hosts are wanted, for others who scale the fleet; see [`Scaler::wanted`].
    ///
    /// [`Scaler::wanted`]: crate::scale::Scaler::wanted
    pub fn hosts_wanted(&self) -> Option<usize> {
        self.scaler.wanted()
    }

    /// Whether a request or a job is here, at a host or waiting.
    pub fn has_work(&self) -> bool {
        let n_waiting = self.queue.state().requests + self.line.jobs;
        0 < n_waiting || self.fleet.hosts().iter().any(|host| 0 < host.n_requests())
    }

    /// What to tell a client that is refused: when the backlog will have drained, as it looks now.
    pub fn retry_after(&self) -> Duration {
        let mut backlog = self.queue.state().work.as_cpu_secs();
        let mut capacity = 0.0;
        for host in self.hosts() {
            backlog += host.work_left.as_cpu_secs();
            capacity += host.capacity().as_cpu_secs();
        }
        let (least, most) = RETRY_AFTER_SECS;
        let secs = if 0.0 < capacity { backlog / capacity } else { self.scaler.boot_time().0 };
        Seconds(secs.ceil().clamp(least, most)).to_duration()
    }

    /// How long the fleet takes until it has done what it has, what waits here and `more`, as it
    /// looks now. Without a host: as long as one takes to boot.
    pub fn time_for(&self, more: Work) -> Duration {
        let mut backlog = self.queue.state().work.as_cpu_secs() + more.as_cpu_secs();
        let mut capacity = 0.0;
        for host in self.hosts() {
            backlog += host.work_left.as_cpu_secs();
            capacity += host.capacity().as_cpu_secs();
        }
        let boot = self.scaler.boot_time();
        let secs = if 0.0 < capacity { Seconds(backlog / capacity) } else { boot };
        secs.to_duration()
    }

    /// Routes whose model should be trained and is not being trained already.
    fn due_for_training(&self) -> Vec<RouteId> {
        let routes = self.routes.iter().take(self.policy.routes.len()).enumerate();
        let due = routes.filter(|(_, route)| {
            let goes_on = route.training.is_some_and(|at| self.now.since(at) < TRAINING_MAX);
            !goes_on && route.predictor.training_due().is_now()
        });
        due.map(|(n, _)| RouteId(n as u16)).collect()
    }
}
