//! What goes on beside the requests. Each loop survives its errors, pauses, and counts them.

pub(crate) mod fleet_full;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::autoscale::{Executor, machines};
use crate::decide::Decide;
use crate::fleet::Place;
use crate::fleet::machines::CpuMonitor;
use crate::fleet::probe::{Asked, Probe, ProbeError};
use crate::forward::Connections;
use crate::front::{Current, Front};
use crate::learn::CurrentTrainer;
use crate::metrics::Metrics;
use crate::observe;
use crate::timeline::{self, Sample};
use fleet_full::FleetFull;
use weighbridge_core::balancer::Balancer;
use weighbridge_core::host::HostId;
use weighbridge_core::units::Speed;

/// Between two looks at waiting requests, for those that have waited too long. Where none waits,
/// nobody looks.
const EXPIRE_INTERVAL: Duration = Duration::from_millis(20);

/// Between two looks at idle connections to hosts, for those that are to be closed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A host that has not answered in time so many times in a row is taken to hang. It is out until it
/// answers.
const SILENCES_MAX: u32 = 3;

/// Until the first host is known, it is looked for this often.
const EMPTY_INTERVAL: Duration = Duration::from_secs(1);

/// Sheds requests that have waited too long, and lets others go whose patience has changed.
pub(crate) async fn expire_waiting(current: Current) {
    loop {
        let fleets = current.load_full().dispatch.fleets.clone();
        if fleets.all().iter().any(|decide| decide.has_waiting()) {
            sleep(EXPIRE_INTERVAL).await;
            for decide in fleets.all() {
                decide.with(|_, _| ());
            }
        } else {
            fleets.waits().notified().await;
        }
    }
}

/// Closes connections to hosts that have been idle for too long.
pub(crate) async fn close_idle(connections: Arc<Connections>) {
    let mut ticks = ticks(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        connections.sweep();
    }
}

/// Takes a sample of the fleets and of the requests, for those who ask how it has been of late.
pub(crate) async fn sample(current: Current) {
    let mut ticks = ticks(timeline::EVERY);
    loop {
        ticks.tick().await;
        let front = current.load_full();
        let mut sample = Sample::new(timeline::unix_secs());
        for fleet in front.dispatch.fleets.all() {
            fleet.look(|balancer, _| sample.add(balancer.hosts(), balancer.waiting()));
        }
        front.ledger.metrics.timeline.sampled(sample);
        front.ledger.metrics.keep_reading();
    }
}

/// Ticks the balancer: carries out what it plans and trains what it wants trained.
pub(crate) async fn tick(decide: Arc<Decide>, executor: Option<Executor>, current: CurrentTrainer) {
    let mut pace = Pace::new(current.load().config.timeouts.tick_interval);
    let mut training: Option<JoinHandle<()>> = None;
    let mut full = FleetFull::default();
    loop {
        let every = current.load().config.timeouts.tick_interval;
        pace.tick(every).await;
        let trainer = current.load_full();
        let tick = decide.with(Balancer::tick);
        if let Some(executor) = &executor {
            executor.execute(&tick.plan);
        }
        if executor.is_some() {
            full.look(decide.look(|balancer, _| fleet_full::most(&trainer.config, balancer)));
        }
        if training.as_ref().is_none_or(JoinHandle::is_finished) && !tick.train.is_empty() {
            training = Some(tokio::spawn(async move {
                for route in tick.train {
                    trainer.train(route).await;
                }
            }));
        }
    }
}

/// Asks every host for its load report, so that idle hosts and the work of other balancers are
/// seen, and so that hosts that are not there get no request until they are.
pub(crate) async fn ask_for_load(current: Current, executor: Option<Executor>, probe: Probe) {
    let interval = || current.load().config.timeouts.report_interval;
    let mut pace = Pace::new(interval());
    // Those that have not answered yet: nobody waits for one that hangs.
    let mut asked: HashSet<HostId> = HashSet::new();
    // How many times in a row a host has not answered in time.
    let mut silences: HashMap<HostId, u32> = HashMap::new();
    let mut asks = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = pace.tick(interval()) => {}
            Some((host, is_silent)) = asks.next() => {
                asked.remove(&host);
                if is_silent {
                    *silences.entry(host).or_default() += 1;
                } else {
                    silences.remove(&host);
                }
                continue;
            }
        }
        let front = current.load_full();
        let hosts = front.dispatch.hosts.all();
        silences.retain(|host, _| hosts.iter().any(|(known, _)| known == host));
        for (host, place) in hosts {
            if asked.insert(host) {
                let before = silences.get(&host).copied().unwrap_or(0);
                let rooms = (front.clone(), executor.as_ref());
                asks.push(ask_one_for_load(rooms, &probe, (host, place), before));
            }
        }
    }
}

/// Asks one host, and says whether it was silent.
async fn ask_one_for_load(
    (front, executor): (Arc<Front>, Option<&Executor>),
    probe: &Probe,
    (host, place): (HostId, Place),
    silences_before: u32,
) -> (HostId, bool) {
    let (dispatch, metrics) = (&front.dispatch, &front.ledger.metrics);
    let asked = probe.load(&place.target()).await;
    let is_silent = matches!(asked, Err(ProbeError::Timeout(_)));
    let answered = has_answered(&asked, silences_before + u32::from(is_silent));
    // A health check says it, where there is one.
    let answered = answered.filter(|_| !dispatch.roster.is_checked(host));
    let speed = dispatch.fleets.of_host(host).with(|balancer, now| {
        if let Some(answered) = answered {
            balancer.probed(now, host, answered);
        }
        if let Ok(asked) = &asked {
            balancer.report(now, host, &observe::reported(&asked.report).host);
        }
        balancer.host(host).map_or(Speed::ONE, |host| host.speed)
    });
    if let (Ok(asked), Some(jobs)) = (&asked, &front.jobs) {
        jobs.hear(&asked.report.named_metrics, speed);
    }
    if let (Ok(Asked { leaves: true, .. }), Some(executor)) = (&asked, executor) {
        executor.leaves(host);
    }
    if let Err(error) = asked {
        if let ProbeError::Report(error) = &error {
            metrics.report_rejected();
            dispatch.hosts.report_rejected(host, error);
        }
        if is_failure(&error) {
            metrics.loop_failed("load_report");
        }
        tracing::debug!(host = place.name, %error, "no load report");
    }
    (host, is_silent)
}

/// What CloudWatch, or whoever else measures CPUs from outside, says is believed for so many of the
/// intervals in which it is asked.
const CPU_VALID_INTERVALS: u32 = 3;

/// Asks `monitor` how busy the CPUs of the hosts are.
pub(crate) async fn ask_for_cpu(
    (decide, metrics): (Arc<Decide>, Arc<Metrics>),
    executor: Arc<machines::Executor>,
    monitor: Arc<dyn CpuMonitor>,
    every: Duration,
) {
    let mut ticks = ticks(every);
    loop {
        ticks.tick().await;
        let machines = executor.machines();
        if machines.is_empty() {
            ticks.reset_after(every.min(EMPTY_INTERVAL));
            continue;
        }
        let ids: Vec<String> = machines.iter().map(|(_, id)| id.clone()).collect();
        let told: HashMap<String, f64> = match monitor.utilization(&ids).await {
            Ok(told) => told.into_iter().collect(),
            Err(error) => {
                metrics.loop_failed("cpu");
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "nobody says how busy CPUs are");
                continue;
            }
        };
        for (host, id) in machines {
            if let Some(utilization) = told.get(&id) {
                let valid = every * CPU_VALID_INTERVALS;
                decide.with(|balancer, now| {
                    balancer.tell_cpu(now, host, *utilization, valid);
                });
            }
        }
    }
}

/// Whether to ask a host has failed. One that answers otherwise than with a load report is an
/// ordinary service, which has none to give.
fn is_failure(error: &ProbeError) -> bool {
    match error {
        ProbeError::Status(_) | ProbeError::Report(_) => false,
        ProbeError::Unreachable(_) | ProbeError::Timeout(_) | ProbeError::Body(_) => true,
    }
}

/// Whether a host is there that has been silent so many times in a row. `None` where that is not
/// known: a busy host may take too long now and then, and one that breaks off is there in some way.
fn has_answered(asked: &Result<Asked, ProbeError>, silences: u32) -> Option<bool> {
    match asked {
        Ok(_) | Err(ProbeError::Status(_) | ProbeError::Report(_)) => Some(true),
        Err(ProbeError::Unreachable(_)) => Some(false),
        Err(ProbeError::Timeout(_)) => (SILENCES_MAX <= silences).then_some(false),
        Err(ProbeError::Body(_)) => None,
    }
}

/// The time between two turns of a loop, which a new configuration may change.
struct Pace {
    every: Duration,
    ticks: tokio::time::Interval,
}

impl Pace {
    fn new(every: Duration) -> Pace {
        Pace { every, ticks: ticks(every) }
    }

    /// Waits for the next turn, `every` after the last one.
    async fn tick(&mut self, every: Duration) {
        if self.every != every {
            *self = Pace::new(every);
            self.ticks.reset();
        }
        self.ticks.tick().await;
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
