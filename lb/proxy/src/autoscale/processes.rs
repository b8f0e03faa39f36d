//! Worker processes of this machine: launched, drained, and ended with the balancer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use weighbridge_core::host::{HostId, HostSpec, Phase};
use weighbridge_core::scale::ScalePlan;

use super::{BACKOFF, LOOK_INTERVAL};
use crate::decide::Decide;
use crate::fleet::probe::Probe;
use crate::fleet::{AddressBook, Fleet, Launched, Place};
use crate::metrics::Metrics;

/// How long a worker may take to finish its requests after it was told to end.
const GRACE: Duration = Duration::from_secs(30);

/// Carries out scale plans on a fleet of processes. They belong to this balancer alone.
pub(crate) struct Executor {
    pub(crate) decide: Arc<Decide>,
    pub(crate) hosts: Arc<AddressBook>,
    pub(crate) fleet: Arc<dyn Fleet>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) probe: Probe,
    /// What all hosts of this fleet have in common. The name is added.
    pub(crate) spec: HostSpec,
    /// A host that is not ready after this is given up.
    pub(crate) boot_timeout: Duration,
    /// A draining host is ended after this, even with requests.
    pub(crate) drain_max: Duration,
    pub(crate) state: ProcessState,
}

/// What the executor remembers.
#[derive(Debug, Default)]
pub(crate) struct ProcessState {
    launched: AtomicU64,
    failures: AtomicU64,
    ending: Mutex<BTreeSet<HostId>>,
}

impl Executor {
    /// Carries out `plan`. Returns at once; the work goes on in the background.
    pub(crate) fn execute(self: &Arc<Self>, plan: &ScalePlan) {
        for _ in 0..plan.launch {
            let name =
                format!("worker-{}", self.state.launched.fetch_add(1, Ordering::Relaxed) + 1);
            tracing::info!(host = name, reason = plan.reason.name(), "launching a host");
            self.metrics.scaled("launch", plan.reason.name());
            let spec = HostSpec { name: name.clone(), ..self.spec.clone() };
            let host = self.decide.with(|balancer, now| balancer.join(now, spec));
            tokio::spawn(self.clone().run(host, name));
        }
        for host in &plan.drain {
            tracing::info!(host = host.0, reason = plan.reason.name(), "draining a host");
            self.metrics.scaled("drain", plan.reason.name());
            self.decide.with(|balancer, now| balancer.drain(now, *host));
            self.end(*host, self.drain_max);
        }
        for host in &plan.replace {
            tracing::warn!(host = host.0, "replacing a host that is of no use");
            self.metrics.scaled("replace", plan.reason.name());
            self.end(*host, Duration::ZERO);
        }
    }

    /// Drains and ends every host, or ends it `at_once`. Returns when they are gone.
    pub(crate) async fn end_all(self: &Arc<Self>, at_once: bool) {
        let grace = if at_once { Duration::ZERO } else { GRACE };
        let hosts = self.hosts.all();
        for (host, _) in &hosts {
            self.decide.with(|balancer, now| balancer.drain(now, *host));
        }
        let ends = hosts.into_iter().map(|(host, place)| {
            let this = self.clone();
            async move { this.terminate(host, place, grace).await }
        });
        futures_util::future::join_all(ends).await;
    }

    /// The life of one host, from its launch to its end.
    async fn run(self: Arc<Self>, host: HostId, name: String) {
        let failures = self.state.failures.load(Ordering::Relaxed);
        if 0 < failures {
            tokio::time::sleep(BACKOFF.wait(failures)).await;
        }
        match self.fleet.launch(&name).await {
            Ok(launched) => {
                self.state.failures.store(0, Ordering::Relaxed);
                self.follow(host, launched).await;
            }
            Err(error) => {
                self.state.failures.fetch_add(1, Ordering::Relaxed);
                self.metrics.loop_failed("launch");
                tracing::error!(
                    host = name,
                    error = &error as &dyn std::error::Error,
                    "launch failed"
                );
            }
        }
        self.forget(host);
    }

    async fn follow(&self, host: HostId, launched: Launched) {
        let Launched { place, mut gone } = launched;
        tracing::info!(host = place.name, address = %place.address, pid = place.pid, "a host listens");
        self.hosts.insert(host, place.clone());
        let why = tokio::select! {
            why = &mut gone => why,
            () = self.make_ready(host, &place) => gone.await,
        };
        if self.ending().contains(&host) {
            tracing::info!(host = place.name, why, "a host ended");
        } else {
            self.metrics.host_lost();
            tracing::error!(host = place.name, why, "a host was lost");
        }
    }

    /// Lets the host take requests as soon as it is ready. A host that never becomes ready stays
    /// Starting, and the balancer's plan replaces it.
    async fn make_ready(&self, host: HostId, place: &Place) {
        let started = Instant::now();
        while started.elapsed() < self.boot_timeout {
            if self.probe.is_ready(&place.target()).await {
                self.decide.with(|balancer, now| balancer.ready(now, host));
                let boot_secs = started.elapsed().as_secs_f64();
                tracing::info!(host = place.name, boot_secs, "a host is ready");
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Ends `host` when it is empty, or after `drain_max`. One that has no time to drain is of no
    /// use, and is killed: what it has is sent to others.
    fn end(self: &Arc<Self>, host: HostId, drain_max: Duration) {
        if !self.ending().insert(host) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let started = Instant::now();
            while started.elapsed() < drain_max && this.is_busy(host) {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            match this.hosts.place(host) {
                Some(place) if drain_max.is_zero() => {
                    this.terminate(host, place, Duration::ZERO).await;
                }
                Some(place) => this.terminate(host, place, GRACE).await,
                None => this.forget(host),
            }
        });
    }

    async fn terminate(&self, host: HostId, place: Place, grace: Duration) {
        self.ending().insert(host);
        // When it ends, `run` sees that and forgets it.
        if let Err(error) = self.fleet.terminate(&place, grace).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(host = place.name, error, "a host could not be ended");
            self.forget(host);
        }
    }

    fn is_busy(&self, host: HostId) -> bool {
        self.decide.look(|balancer, _| {
            balancer
                .host(host)
                .is_some_and(|state| 0 < state.in_flight && state.phase != Phase::Gone)
        })
    }

    fn forget(&self, host: HostId) {
        self.hosts.remove(host);
        self.decide.with(|balancer, now| balancer.leave(now, host));
        self.ending().remove(&host);
    }

    fn ending(&self) -> MutexGuard<'_, BTreeSet<HostId>> {
        self.state.ending.lock()
    }
}
