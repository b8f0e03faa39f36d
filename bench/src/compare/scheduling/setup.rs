//! Starts workers and proxies, and measures the requests alone and the capacity.

use std::net::SocketAddr;

use super::{CompareError, Discipline, Proxy, Scheduling};
use crate::compare::proxies::Purpose;
use crate::compare::running::{Before, RunningError, RunningWorker};
use crate::compare::stage::{Contestant, Stage, TIMEOUT, go_first};
use crate::load::CAPACITY_LENGTH;
use crate::load::send::Sender;
use crate::load::workload::Workload;

/// Starts everything and measures the requests alone and the capacity.
pub(super) async fn set(asked: &Scheduling, present: &[Proxy]) -> Result<Stage, CompareError> {
    let goes_first = go_first();
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
    let mut contestants = Vec::new();
    for proxy in present {
        let hosts = if *proxy == Proxy::Weighbridge { &hosts } else { &peers_hosts };
        let cores = asked.cores as usize;
        let before = Before { purpose: Purpose::Scheduling, hosts, cores, pin: None };
        contestants.push(Contestant::start(proxy.name(), *proxy, before, &workload).await?);
    }
    // Behind the bare proxy where there is one, which orders nothing and costs little.
    let bare = contestants.iter().find(|one| one.running.proxy == Proxy::Pingora);
    let behind = bare.or(contestants.first()).ok_or(CompareError::NoProxies)?;
    let capacity = behind.capacity(&workload, CAPACITY_LENGTH).await?;
    let service = workers.into_iter().map(|worker| worker.process).collect();
    Ok(Stage { contestants, service, workload, capacity, goes_first, folder: None })
}

fn start_workers(
    asked: &Scheduling,
    discipline: Option<Discipline>,
    yields: bool,
) -> Result<Vec<RunningWorker>, RunningError> {
    let (cores, discipline) = (asked.cores as usize, discipline.map(Discipline::name));
    (0..asked.workers).map(|_| RunningWorker::start(cores, discipline, yields)).collect()
}
