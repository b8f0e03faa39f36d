//! Tells Kubernetes which pods to end first: those whose hosts have the least work left.
//!
//! Every `kubernetes.interval` the pods are listed, each is found among the hosts by its address,
//! and the annotation `controller.kubernetes.io/pod-deletion-cost` is set where the cost has
//! changed much ([`deletion`]). A `ReplicaSet` that is scaled down, by KEDA, an autoscaler or a
//! person, then ends the pod that has the least to do. Several balancers may do so at once: each
//! believes much the same of a host. Where the API server does not answer or refuses, the loop
//! pauses and goes on.

mod api;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use prometheus::{IntCounter, Registry};

use weighbridge_core::host::HostId;
use weighbridge_core::scale::deletion;

use crate::backoff::Backoff;
use crate::config::PodsConfig;
use crate::front::{Current, Front};
use crate::metrics::registered;

use api::{Api, ApiError, Pod};

/// Pauses after failures in a row.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(2), max: Duration::from_mins(5) };

/// The most pods that are told in one turn; the others are told in the next ones.
const TOLD_MAX: usize = 64;

/// Counts how often a pod was told anew.
pub(crate) fn counter(registry: &Registry) -> prometheus::Result<IntCounter> {
    let help = "Times that a pod of Kubernetes was told anew what it costs to end it.";
    registered(registry, IntCounter::new("weighbridge_pods_told_total", help)?)
}

/// Goes on for as long as the balancer lives, and counts what it tells.
pub(crate) async fn tell(config: PodsConfig, current: Current, told: IntCounter) {
    let mut failures = 0;
    loop {
        let front = current.load_full();
        let pause = match turn(&config, &front, &told).await {
            Ok(()) => {
                failures = 0;
                config.interval
            }
            Err(error) => {
                failures += 1;
                front.ledger.metrics.loop_failed("pods");
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, failures, "pods are not told which of them is to end first");
                BACKOFF.wait(failures).max(config.interval)
            }
        };
        drop(front);
        tokio::time::sleep(pause).await;
    }
}

/// Looks at all pods once, and tells those of which there is news.
async fn turn(config: &PodsConfig, front: &Front, told: &IntCounter) -> Result<(), ApiError> {
    let costs = costs(front);
    if costs.is_empty() {
        return Ok(());
    }
    let mut api = Api::connect(config).await?;
    for (pod, cost) in news(api.pods().await?, &costs) {
        api.tell(&pod, cost).await?;
        told.inc();
        tracing::debug!(pod = pod.name, cost, "a pod has a deletion cost");
    }
    Ok(())
}

/// What it costs to end the hosts at each address.
fn costs(front: &Front) -> BTreeMap<IpAddr, Vec<i32>> {
    let mut costs: BTreeMap<IpAddr, Vec<i32>> = BTreeMap::new();
    let fleets = front.dispatch.fleets.all().iter();
    let hosts = fleets.flat_map(|fleet| -> Vec<(HostId, i32)> {
        fleet.look(|balancer, _| {
            balancer.hosts().map(|host| (host.id, deletion::cost(host))).collect()
        })
    });
    for (host, cost) in hosts {
        let place = front.dispatch.hosts.place(host);
        if let Some(address) = place.and_then(|place| place.address.tcp()) {
            costs.entry(address.ip().to_canonical()).or_default().push(cost);
        }
    }
    costs
}

/// The pods of which there is news, and what they are to be told; the cheapest first.
fn news(pods: Vec<Pod>, costs: &BTreeMap<IpAddr, Vec<i32>>) -> Vec<(Pod, i32)> {
    let cost = |pod: Pod| {
        let hosts = costs.get(&pod.address?)?;
        let cost = deletion::sum(hosts.iter().copied());
        deletion::is_news(pod.told, cost).then_some((pod, cost))
    };
    let mut news: Vec<(Pod, i32)> = pods.into_iter().filter_map(cost).collect();
    news.sort_by_key(|(_, cost)| *cost);
    news.truncate(TOLD_MAX);
    news
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_without_a_host_or_news_are_left_alone() {
        let pod = |name: &str, address: &str, told| Pod {
            name: name.to_owned(),
            address: address.parse().ok(),
            told,
        };
        let costs = ["10.0.0.1 900", "10.0.0.2 0", "10.0.0.3 500"].map(|line| {
            let (address, cost) = line.split_once(' ').unwrap();
            (address.parse().unwrap(), vec![cost.parse().unwrap()])
        });
        let pods = vec![
            pod("busy", "10.0.0.1", None),
            pod("idle", "10.0.0.2", Some(700)),
            pod("same", "10.0.0.3", Some(501)),
            pod("other", "10.0.0.9", None),
            pod("pending", "", None),
        ];
        let news = news(pods, &costs.into_iter().collect());
        let news: Vec<_> = news.iter().map(|(pod, cost)| (pod.name.as_str(), *cost)).collect();
        assert_eq!(news, [("idle", 0), ("busy", 900)]);
    }
}
