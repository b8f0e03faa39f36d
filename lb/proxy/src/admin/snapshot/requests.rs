//! Requests that run and wait, as operators are shown them.

use std::sync::Arc;

use serde::Serialize;

use weighbridge_core::balancer::{Here, RequestHere, Whereabouts};
use weighbridge_core::units::Time;

use crate::config::FleetIndex;
use crate::decide::Decide;
use crate::front::Front;
use crate::record::source_name;

/// Requests that are here: how many, and those with the most work left, that first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Requests {
    /// Those that have been sent somewhere.
    pub(crate) running: Kind,
    /// Those that wait.
    pub(crate) waiting: Kind,
}

/// Those of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Kind {
    /// How many there are.
    pub(crate) count: usize,
    /// The ones with the most work left.
    pub(crate) largest: Vec<RequestView>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RequestView {
    /// What it is cancelled by.
    pub(crate) id: String,
    /// Its route.
    pub(crate) route: String,
    /// Its method, while it is known.
    pub(crate) method: Option<String>,
    /// Its path, without the query.
    pub(crate) path: Option<String>,
    /// The address of its client, where there is one.
    pub(crate) client: Option<String>,
    /// The job that it is an attempt of.
    pub(crate) job: Option<String>,
    /// The host that has it.
    pub(crate) host: Option<String>,
    /// The function that has it.
    pub(crate) function: Option<String>,
    /// How long it has been here.
    pub(crate) age_seconds: f64,
    /// Predicted work, in CPU-seconds of the reference core.
    pub(crate) estimate_seconds: f64,
    /// Nine of ten such requests need no more.
    pub(crate) estimate_p90_seconds: f64,
    /// What the estimate is from.
    pub(crate) estimate_source: &'static str,
    /// What is left of the estimate.
    pub(crate) work_left_seconds: f64,
    /// How often it was sent somewhere.
    pub(crate) tries: usize,
}

// === impl Requests ===

impl Requests {
    /// Adds those that are in a fleet.
    pub(super) fn add(
        &mut self,
        front: &Front,
        fleet: (FleetIndex, &Arc<Decide>),
        (here, now): (Here, Time),
    ) {
        let view = |request: &RequestHere| RequestView::new(front, fleet, (request, now));
        for (kind, count, largest) in [
            (&mut self.running, here.running, &here.largest_running),
            (&mut self.waiting, here.waiting, &here.largest_waiting),
        ] {
            kind.count += count;
            kind.largest.extend(largest.iter().map(view));
        }
    }

    /// Keeps the `most` largest of all fleets, in order.
    pub(super) fn sort(&mut self, most: usize) {
        for kind in [&mut self.running, &mut self.waiting] {
            kind.largest.sort_by(|a, b| b.work_left_seconds.total_cmp(&a.work_left_seconds));
            kind.largest.truncate(most);
        }
    }
}

// === impl RequestView ===

impl RequestView {
    fn new(
        front: &Front,
        (index, fleet): (FleetIndex, &Arc<Decide>),
        (request, now): (&RequestHere, Time),
    ) -> RequestView {
        let entry = fleet.register().get(request.id);
        let entry = entry.as_deref();
        let (host, function) = match request.whereabouts {
            Whereabouts::Host(host) => (front.dispatch.hosts.place(host), None),
            Whereabouts::Lambda(function) => (None, Some(front.config.function_name(function))),
            Whereabouts::Waiting | Whereabouts::Nowhere => (None, None),
        };
        RequestView {
            id: format!("{}-{}", index.0, request.id.0),
            route: front.config.route(request.route).name.clone(),
            method: entry.map(|entry| entry.method.to_string()),
            path: entry.map(|entry| entry.path().to_owned()),
            client: entry.and_then(|entry| entry.client).map(|client| client.to_string()),
            job: entry.and_then(|entry| entry.job()).map(str::to_owned),
            host: host.map(|place| place.name),
            function: function.map(str::to_owned),
            age_seconds: now.since(request.arrived).as_secs_f64(),
            estimate_seconds: request.estimate.mean.as_cpu_secs(),
            estimate_p90_seconds: request.estimate.p90.as_cpu_secs(),
            estimate_source: source_name(request.estimate.source),
            work_left_seconds: request.work_left.as_cpu_secs(),
            tries: request.tries,
        }
    }
}
