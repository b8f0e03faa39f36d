//! Rented machines: launched, found, drained, ended, and left alone when the balancer stops.
//!
//! A host takes requests when its worker is ready, whatever the cloud says of its machine.
//!
//! # Decision: machines are found, not remembered
//!
//! The list of machines is read again and again, and the [`Ledger`] says what follows from it:
//! adopt, forget, drain or end. So a new leader needs no memory of the last one. A launch has a
//! token, so that its repetition launches nothing twice. Draining is a tag, so that every balancer
//! sees it. Only the leader carries out plans, and only after it has read the list as leader. Cost:
//! a list that lags, as EC2's may, can launch one host too many, which the next plan drains. Look
//! again when a cloud offers events that cannot be lost.

mod leaving;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use weighbridge_core::balancer::Balancer;
use weighbridge_core::host::{HostId, HostSpec};
use weighbridge_core::scale::ScalePlan;

use super::ledger::{Launched, Ledger, Step};
use super::{BACKOFF, LOOK_INTERVAL};
use crate::decide::Decide;
use crate::fleet::machines::{Discovered, Machine, MachineError, Machines};
use crate::fleet::probe::Probe;
use crate::fleet::{AddressBook, Place};
use crate::lease::{Fence, Leadership};
use crate::metrics::Metrics;

/// Time between two checks whether a host is ready.
const READY_INTERVAL: Duration = Duration::from_millis(250);

/// The most launches that run at once.
const LAUNCHES_MAX: usize = 4;

/// Carries out scale plans on a fleet of rented machines.
pub(crate) struct Executor {
    pub(crate) decide: Arc<Decide>,
    pub(crate) hosts: Arc<AddressBook>,
    pub(crate) machines: Arc<dyn Machines>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) probe: Probe,
    /// What all hosts of this fleet have in common. The name is added.
    pub(crate) spec: HostSpec,
    /// Time between two readings of the list.
    pub(crate) poll: Duration,
    /// A draining host is ended after this, even with requests.
    pub(crate) drain_max: Duration,
    /// It drains for at least this long, so that other balancers notice.
    pub(crate) drain_min: Duration,
    /// Of several balancers, one scales.
    pub(crate) leadership: Arc<Leadership>,
    pub(crate) state: MachineState,
}

/// What the executor remembers.
pub(crate) struct MachineState {
    ledger: Mutex<Ledger>,
    /// Failed launches since the last one that worked.
    failures: AtomicU64,
    /// The term as leader in which it has read the list. `None`: in no term yet.
    seen_as: Mutex<Option<Fence>>,
    launches: Semaphore,
    /// Running launches, waits and ends. They stop with the balancer.
    tasks: Mutex<JoinSet<()>>,
}

/// Why a host was drained. It decides how its machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is not needed. It finishes its requests, and its machine may be kept.
    Surplus,
    /// It does not work.
    Useless,
}

// === impl Executor ===

impl Executor {
    /// Carries out `plan`. Returns at once; the work goes on in the background.
    pub(crate) fn execute(self: &Arc<Self>, plan: &ScalePlan) {
        if plan.is_steady() || !self.may_act() {
            return;
        }
        let reason = plan.reason.name();
        for _ in 0..plan.launch {
            self.launch_one(reason);
        }
        for host in &plan.drain {
            tracing::info!(host = host.0, reason, "draining a host");
            self.metrics.scaled("drain", reason);
            self.drain(*host, Why::Surplus);
        }
        for host in &plan.replace {
            tracing::warn!(host = host.0, reason, "replacing a host that is of no use");
            self.metrics.scaled("replace", reason);
            self.drain(*host, Why::Useless);
        }
    }

    /// Reads the list again and again, until it is dropped.
    pub(crate) async fn follow(self: Arc<Self>) {
        let (mut failures, mut tidied_as) = (0, None);
        loop {
            let fence = self.leadership.fence();
            if fence.is_some() && tidied_as != fence && self.tidy().await {
                tidied_as = fence;
            }
            let pause = match self.machines.discover().await {
                Ok(discovered) => {
                    failures = 0;
                    self.reconcile(&discovered);
                    *self.state.seen_as.lock() = fence;
                    self.poll
                }
                Err(error) => {
                    failures += 1;
                    self.failed("discover", "the machines cannot be listed", &error);
                    self.poll.max(BACKOFF.wait(failures))
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Ends kept machines that are no longer wanted. False where that has to be tried again.
    async fn tidy(&self) -> bool {
        match self.machines.tidy().await {
            Ok(machines) => {
                if 0 < machines {
                    tracing::info!(machines, "machines that were kept have been let go");
                }
                true
            }
            Err(error) => {
                self.failed("tidy", "machines that were kept are not let go", &error);
                false
            }
        }
    }

    /// Each host with a machine, and the id of that machine.
    pub(crate) fn machines(&self) -> Vec<(HostId, String)> {
        self.ledger().machines()
    }

    /// Whether this balancer leads, and has read the list in this term.
    fn may_act(&self) -> bool {
        let fence = self.leadership.fence();
        fence.is_some() && *self.state.seen_as.lock() == fence
    }

    fn reconcile(self: &Arc<Self>, discovered: &Discovered) {
        if let Some((least, most)) = discovered.bounds {
            let policy_bounds = self.decide.with(|balancer, _| {
                balancer.bound_fleet(least, most);
                (balancer.policy().scale.hosts_min, balancer.policy().scale.hosts_max)
            });
            self.metrics.fleet_bounded(policy_bounds, (least, most));
        }
        let steps = self.ledger().look(&discovered.machines);
        for step in steps {
            self.take(step);
        }
    }

    fn take(self: &Arc<Self>, step: Step) {
        match step {
            Step::Adopt(machine) => self.adopt(&machine),
            Step::Named(host, id) => self.named(host, id),
            Step::Moved(host, address) => {
                // Other balancers need not know of a host that is not ready.
                if let Some(place) = self.hosts.place(host) {
                    self.hosts.insert(host, Place { address: address.into(), ..place });
                }
            }
            Step::Drain(host) => self.decide.with(|balancer, now| balancer.drain(now, host)),
            Step::End(host) if self.leadership.fence().is_some() => self.end(host, Why::Surplus),
            Step::End(_) => {}
            Step::Gone { host, id, expected } => {
                if !expected {
                    self.metrics.host_lost();
                    tracing::error!(host = id, "a host was lost");
                }
                self.forget(host);
            }
        }
    }

    fn launch_one(self: &Arc<Self>, reason: &str) {
        let token = format!("weighbridge-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        tracing::info!(token, reason, "launching a host");
        self.metrics.scaled("launch", reason);
        let spec = HostSpec { name: token.clone(), ..self.spec.clone() };
        let host = self.decide.with(|balancer, now| balancer.join(now, spec));
        self.ledger().launch(host, token.clone());
        self.spawn(self.clone().launch(host, token));
        self.spawn(self.clone().make_ready(host, Balancer::ready));
    }

    /// Asks for a machine until there is one, or until it is no longer wanted.
    async fn launch(self: Arc<Self>, host: HostId, token: String) {
        let Ok(_permit) = self.state.launches.acquire().await else { return };
        loop {
            match self.machines.launch(&token).await {
                Ok(machine) => {
                    self.state.failures.store(0, Ordering::Relaxed);
                    return self.launched(host, machine).await;
                }
                Err(error) => {
                    self.failed("launch", "a launch failed", &error);
                    let failures = self.state.failures.fetch_add(1, Ordering::Relaxed) + 1;
                    tokio::time::sleep(BACKOFF.wait(failures)).await;
                    if matches!(error, MachineError::Full(_)) {
                        break;
                    }
                }
            }
            if self.leadership.fence().is_none() || !self.ledger().has(host) {
                break;
            }
        }
        self.forget(host);
    }

    async fn launched(self: &Arc<Self>, host: HostId, machine: Option<Machine>) {
        let noted = self.ledger().launched(host, machine.as_ref());
        let Some(machine) = machine else { return };
        match noted {
            Launched::Noted => self.named(host, machine.id),
            Launched::Adopted => self.forget(host),
            Launched::Unwanted => {
                if let Err(error) = self.machines.end(&machine.id, false).await {
                    // A later list will have it, and it will be adopted.
                    self.failed("terminate", "a machine that is not wanted stays", &error);
                }
            }
        }
    }

    fn adopt(self: &Arc<Self>, machine: &Machine) {
        tracing::info!(host = machine.id, draining = machine.draining, "a host was found");
        self.metrics.scaled("adopt", "found");
        let spec = HostSpec { name: machine.id.clone(), ..self.spec.clone() };
        let host = self.decide.with(|balancer, now| {
            let host = balancer.join(now, spec);
            if machine.draining {
                balancer.drain(now, host);
            }
            host
        });
        self.ledger().adopt(host, machine);
        self.spawn(self.clone().make_ready(host, Balancer::resume));
    }

    fn named(&self, host: HostId, id: String) {
        self.decide.with(|balancer, _| balancer.name_host(host, id));
    }

    /// Lets the host take requests as soon as its worker is ready. A host that never becomes ready
    /// stays Starting, and the balancer's plan replaces it.
    async fn make_ready(
        self: Arc<Self>,
        host: HostId,
        ready: fn(&mut Balancer, weighbridge_core::units::Time, HostId),
    ) {
        let started = Instant::now();
        while self.ledger().has(host) {
            let whereabouts = self.ledger().whereabouts(host);
            if let Some((name, address)) = whereabouts
                && self.probe.says_ready(address).await
            {
                let boot_secs = started.elapsed().as_secs_f64();
                tracing::info!(host = name, %address, boot_secs, "a host is ready");
                self.hosts.insert(host, Place::plain(name, address, None));
                self.decide.with(|balancer, now| ready(balancer, now, host));
                return;
            }
            tokio::time::sleep(READY_INTERVAL).await;
        }
    }

    fn drain(self: &Arc<Self>, host: HostId, why: Why) {
        self.decide.with(|balancer, now| balancer.drain(now, host));
        let has_machine = self.ledger().drain(host);
        if has_machine {
            self.end(host, why);
        } else {
            self.forget(host);
        }
    }

    /// Ends the machine of `host` when it is empty.
    fn end(self: &Arc<Self>, host: HostId, why: Why) {
        let begun = self.ledger().begin_end(host);
        if let Some(id) = begun {
            let this = self.clone();
            self.spawn(async move {
                if why == Why::Surplus {
                    this.empty(host, &id).await;
                }
                this.terminate(host, &id, why).await;
            });
        }
    }

    /// Waits until no balancer has a request on `host`.
    async fn empty(&self, host: HostId, id: &str) {
        let started = Instant::now();
        if let Err(error) = self.machines.mark_draining(id).await {
            self.failed("mark_draining", "other balancers do not see that a host drains", &error);
        }
        while started.elapsed() < self.drain_min
            || (started.elapsed() < self.drain_max && self.is_busy(host))
        {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn terminate(&self, host: HostId, id: &str, why: Why) {
        let mut failures = 0;
        loop {
            if self.leadership.fence().is_none() {
                return self.ledger().leave_end(host);
            }
            match self.machines.end(id, why == Why::Surplus).await {
                Ok(()) => break,
                Err(error) => self.failed("terminate", "a machine could not be ended", &error),
            }
            failures += 1;
            tokio::time::sleep(BACKOFF.wait(failures)).await;
            if !self.ledger().has(host) {
                return;
            }
        }
        tracing::info!(host = id, "a host ended");
        self.ledger().ended(host);
        self.forget(host);
    }

    /// Whether any balancer has a request on `host`.
    fn is_busy(&self, host: HostId) -> bool {
        self.decide
            .look(|balancer, _| balancer.host(host).is_some_and(|state| 0 < state.n_requests()))
    }

    fn forget(&self, host: HostId) {
        self.ledger().remove(host);
        self.hosts.remove(host);
        self.decide.with(|balancer, now| balancer.leave(now, host));
    }

    fn failed(&self, name: &str, what: &'static str, error: &MachineError) {
        self.metrics.loop_failed(name);
        tracing::warn!(error = error as &dyn std::error::Error, "{what}");
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.state.ledger.lock()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.state.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Leaves everything as it is.
    pub(crate) fn abandon(&self) {
        self.state.tasks.lock().abort_all();
    }
}

impl Default for MachineState {
    fn default() -> MachineState {
        MachineState {
            ledger: Mutex::default(),
            failures: AtomicU64::new(0),
            seen_as: Mutex::default(),
            launches: Semaphore::new(LAUNCHES_MAX),
            tasks: Mutex::default(),
        }
    }
}
