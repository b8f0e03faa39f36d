//! What operators are shown, of one moment: hosts, requests, routes. Each fleet is looked at once.

mod hosts;
mod requests;
mod routes;

use serde::Serialize;

use weighbridge_core::queue::QueueState;

use crate::config::FleetIndex;
use crate::front::Front;
use crate::timeline::{Past, unix_secs};

pub(super) use hosts::HostView;
pub(super) use requests::{RequestView, Requests};
pub(super) use routes::RouteView;

/// Requests of each kind that are told of, unless more are asked for.
pub(super) const REQUESTS: usize = 50;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Snapshot {
    /// When, in seconds since 1970.
    pub(super) at: f64,
    /// Whether it takes requests, and a host that answers does.
    pub(super) ready: bool,
    /// Hosts, fleet by fleet, by their numbers.
    pub(super) hosts: Vec<HostView>,
    /// What waits.
    pub(super) waiting: Waiting,
    /// Requests that run and wait.
    pub(super) requests: Requests,
    /// Routes, fleet by fleet, in the order of the configuration.
    pub(super) routes: Vec<RouteView>,
}

/// What waits in all fleets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Waiting {
    /// How many requests.
    pub(super) requests: usize,
    /// How many bytes of bodies.
    pub(super) bytes: u64,
    /// Predicted work, in CPU-seconds of the reference core.
    pub(super) work_seconds: f64,
}

/// A snapshot, and how it has been before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) snapshot: Snapshot,
    pub(super) timeline: Past,
}

// === impl Snapshot ===

impl Snapshot {
    /// How it is now, with `most` requests of each kind.
    pub(super) fn take(front: &Front, most: usize) -> Snapshot {
        let mut snapshot = Snapshot::look(front, Some(most));
        snapshot.requests.sort(most);
        routes::fill_in(&mut snapshot.routes, &front.ledger.metrics.flows());
        snapshot
    }

    /// The same, of hosts and of what waits for them alone.
    pub(super) fn of_hosts(front: &Front) -> Snapshot {
        Snapshot::look(front, None)
    }

    /// Looks at each fleet once; at requests and routes where `most` says how many requests are
    /// wanted.
    fn look(front: &Front, most: Option<usize>) -> Snapshot {
        let mut snapshot = Snapshot { at: unix_secs(), ..Snapshot::default() };
        let names = front.config.fleet_names();
        for ((nth, fleet), name) in front.dispatch.fleets.all().iter().enumerate().zip(names) {
            let index = FleetIndex(nth);
            let (hosts, rest) = fleet.look(|balancer, now| {
                snapshot.waiting.add(balancer.waiting());
                let rest = most.map(|most| {
                    let routes = routes::learned(&front.config, (index, name), balancer);
                    ((balancer.here(most), now), routes)
                });
                (hosts::of(name, balancer, now), rest)
            });
            snapshot.hosts.extend(hosts.into_iter().map(|host| host.placed(front)));
            if let Some((here, routes)) = rest {
                snapshot.requests.add(front, (index, fleet), here);
                snapshot.routes.extend(routes);
            }
        }
        snapshot.ready = !front.is_leaving() && snapshot.hosts.iter().any(HostView::serves);
        snapshot
    }
}

// === impl Shown ===

impl Shown {
    /// How it is now and has been of late.
    pub(super) fn take(front: &Front, most: usize) -> Shown {
        let timeline = front.ledger.metrics.timeline.past();
        Shown { snapshot: Snapshot::take(front, most), timeline }
    }
}

// === impl Waiting ===

impl Waiting {
    fn add(&mut self, waiting: QueueState) {
        self.requests += waiting.requests;
        self.bytes += waiting.bytes;
        self.work_seconds += waiting.work.as_cpu_secs();
    }
}
