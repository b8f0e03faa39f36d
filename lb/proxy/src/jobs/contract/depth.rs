//! How many messages wait in the queues of contracts for workers here: jobs that no balancer has
//! taken yet. They count for the size of the fleet, each as a request that nothing is known of.

use std::collections::BTreeMap;

use tokio::time::Instant;

use weighbridge_core::jobs::LineWork;
use weighbridge_core::request::RouteId;
use weighbridge_core::units::Work;

use crate::jobs::{JobRoom, now};

/// The most messages of a queue that are counted.
const COUNTED_MAX: usize = 1_000_000;

/// What was last seen of the queues. One that could not be looked at has as many as before.
#[derive(Debug, Default)]
pub(crate) struct Depths {
    waiting: BTreeMap<String, usize>,
    look_at: Option<Instant>,
}

impl Depths {
    /// Looks at each queue, once in `jobs.aws.look`.
    pub(crate) async fn look(&mut self, room: &JobRoom) {
        let Some(messages) = room.contracts.outside.messages.clone() else { return };
        if self.look_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.look_at = Some(Instant::now() + room.settings().aws.look);
        for (route, queue) in room.queues_for_workers() {
            match messages.waiting(&queue).await {
                Ok(waiting) => drop(self.waiting.insert(route, waiting.min(COUNTED_MAX))),
                Err(error) => room.exchange_failed("jobs_depth", &error),
            }
        }
    }

    /// Adds what waits for `fleet` to its `line`.
    pub(crate) fn add_to(&self, line: &mut LineWork, (room, fleet): (&JobRoom, &str)) {
        let rooms = room.rooms();
        for (name, waiting) in &self.waiting {
            let Some(route) = room.route_named(name) else { continue };
            if rooms.config.fleet_names().nth(rooms.config.route(route).fleet.0) == Some(fleet) {
                let work = room.usual_work(route);
                let allowance = room.age().allowance(work);
                line.add_all(*waiting, now(), work, now() + allowance);
            }
        }
    }
}

// === impl JobRoom ===

impl JobRoom {
    /// The routes whose messages are worked on here, and their queues.
    fn queues_for_workers(&self) -> Vec<(String, String)> {
        let rooms = self.rooms();
        let queues = rooms.config.routes.iter().filter_map(|route| {
            let exchange = route.contract.as_ref()?.exchange.as_ref()?;
            exchange.part.is_workers().then(|| (route.name.clone(), exchange.requests.clone()))
        });
        queues.collect()
    }

    /// The estimate for a request of `route` of which nothing is known.
    fn usual_work(&self, route: RouteId) -> Work {
        let rooms = self.rooms();
        let fleet = rooms.dispatch.fleets.of(route);
        fleet.look(|balancer, _| balancer.predictor(route).estimate_without_features().mean)
    }
}
