//! Workers, proxies and requests, ready to be measured.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::setpriority_process;

use super::{CompareError, Discipline, Proxy, Scheduling};
use crate::compare::NICE;
use crate::compare::proxies::Purpose;
use crate::compare::running::{Before, RunningError, RunningProxy, RunningWorker};
use crate::load::arrivals::{Plan, Profile};
use crate::load::send::Sender;
use crate::load::tally::LoadResult;
use crate::load::workload::{Run, Workload};
use crate::load::{CAPACITY_IN_FLIGHT, CAPACITY_LENGTH};

/// All that runs during a comparison.
#[derive(Debug)]
pub(super) struct Stage {
    proxies: Vec<(RunningProxy, Sender)>,
    workers: Vec<RunningWorker>,
    pub(super) workload: Workload,
    /// Right answers per second at the most.
    pub(super) capacity: f64,
    /// Whether what sends and carries requests goes before the workers.
    pub(super) goes_first: bool,
}

/// What was measured of one proxy in one round.
#[derive(Debug)]
pub(in crate::compare) struct Slice {
    /// Its name.
    pub(in crate::compare) proxy: &'static str,
    /// Fraction of the capacity.
    pub(in crate::compare) load: f64,
    /// Requests per second that were meant to be sent.
    pub(in crate::compare) rate: f64,
    pub(in crate::compare) result: LoadResult,
    /// CPU seconds of the proxy.
    pub(in crate::compare) proxy_cpu: f64,
    /// CPU seconds of all workers.
    pub(in crate::compare) workers_cpu: f64,
}

/// An answer that takes longer has failed.
const TIMEOUT: Duration = Duration::from_mins(2);
const IN_FLIGHT_MAX: usize = 4096;
const REQUESTS_MAX: u64 = 10_000_000;
const N_CLASSES: usize = 4;

impl Stage {
    /// Starts everything and measures the requests alone and the capacity.
    pub(super) async fn set(asked: &Scheduling, present: &[Proxy]) -> Result<Stage, CompareError> {
        // Only with a privilege; workers go back to where they would have been.
        let goes_first = setpriority_process(None, -NICE).is_ok();
        let mut workers = start_workers(asked, asked.discipline, goes_first)?;
        let hosts: Vec<SocketAddr> = workers.iter().map(|worker| worker.address).collect();
        let mut peers_hosts = hosts.clone();
        if asked.peers_discipline.is_some() {
            let others = start_workers(asked, asked.peers_discipline, goes_first)?;
            peers_hosts = others.iter().map(|worker| worker.address).collect();
            workers.extend(others);
        }
        let alone = Sender::new(&format!("http://{}", hosts[0]), TIMEOUT);
        let workload = Workload::new(&asked.pool, &alone).await?;
        let mut proxies = Vec::new();
        for proxy in present {
            let hosts = if *proxy == Proxy::Weighbridge { &hosts } else { &peers_hosts };
            proxies.push(start_proxy(*proxy, hosts, asked.cores as usize, &workload).await?);
        }
        let capacity = capacity(&proxies, &workload).await?;
        Ok(Stage { proxies, workers, workload, capacity, goes_first })
    }

    /// Lets every proxy carry requests for `length`, which are not counted.
    pub(super) async fn warm_up(&self, length: Duration) {
        for (_, sender) in &self.proxies {
            self.workload.run(sender, self.run(0.5, length, 0), "warm-up").await;
        }
    }

    /// Measures the proxy of index `proxy` for `length`. The same `number` gives the same arrivals.
    pub(super) async fn measure(
        &self,
        proxy: usize,
        load: f64,
        length: Duration,
        number: u64,
    ) -> Slice {
        let (running, sender) = &self.proxies[proxy];
        let workers_cpu =
            || self.workers.iter().map(|worker| worker.process.cpu_seconds()).sum::<f64>();
        let (proxy_before, workers_before) = (running.process.cpu_seconds(), workers_cpu());
        let run = self.run(load, length, number);
        let result = self.workload.run(sender, run, running.proxy.name()).await;
        Slice {
            proxy: running.proxy.name(),
            load,
            rate: run.plan.rate,
            result,
            proxy_cpu: running.process.cpu_seconds() - proxy_before,
            workers_cpu: workers_cpu() - workers_before,
        }
    }

    fn run(&self, load: f64, length: Duration, number: u64) -> Run {
        let (profile, rate) = (Profile::Steady, self.capacity * load);
        let plan = Plan { profile, rate, length, requests_max: REQUESTS_MAX };
        Run { plan, in_flight_max: IN_FLIGHT_MAX, n_classes: N_CLASSES, number }
    }
}

fn start_workers(
    asked: &Scheduling,
    discipline: Option<Discipline>,
    yields: bool,
) -> Result<Vec<RunningWorker>, RunningError> {
    let (cores, discipline) = (asked.cores as usize, discipline.map(Discipline::name));
    (0..asked.workers).map(|_| RunningWorker::start(cores, discipline, yields)).collect()
}

/// Starts a proxy and waits for a right answer of it.
async fn start_proxy(
    proxy: Proxy,
    hosts: &[SocketAddr],
    cores: usize,
    workload: &Workload,
) -> Result<(RunningProxy, Sender), CompareError> {
    let before = Before { purpose: Purpose::Scheduling, hosts, cores, pin: None };
    let running = RunningProxy::start(proxy, before)?;
    let sender = Sender::new(&running.url(), TIMEOUT);
    let answered = workload.wait_right(&sender).await;
    answered.map_err(|failure| no_answer(proxy, failure))?;
    Ok((running, sender))
}

/// Measured behind the bare proxy where there is one, which orders nothing and costs little.
async fn capacity(
    proxies: &[(RunningProxy, Sender)],
    workload: &Workload,
) -> Result<f64, CompareError> {
    let bare = proxies.iter().find(|(running, _)| running.proxy == Proxy::Pingora);
    let Some((running, sender)) = bare.or(proxies.first()) else {
        return Err(CompareError::NoProxies);
    };
    let capacity = workload.capacity(sender, CAPACITY_IN_FLIGHT, CAPACITY_LENGTH).await;
    capacity.map_err(|failure| no_answer(running.proxy, failure))
}

fn no_answer(proxy: Proxy, failure: impl std::fmt::Display) -> CompareError {
    CompareError::NoAnswer { proxy: proxy.name(), failure: failure.to_string() }
}
