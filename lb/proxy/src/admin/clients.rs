//! `/clients`: who has had what, and how evenly.

use serde_json::{Value, json};

use crate::front::Front;

/// The most clients of each fleet that are listed.
const LISTED_MAX: usize = 1000;

/// The clients and classes of each fleet, those first that have attained most.
pub(super) fn clients(front: &Front) -> Value {
    let names = front.config.fleet_names();
    let fleets = front.dispatch.fleets.all().iter().zip(names);
    let fleets = fleets.map(|(fleet, name)| {
        fleet.look(|balancer, now| {
            let shares = balancer.shares();
            let mut clients = shares.clients(now);
            let n_clients = clients.len();
            clients.truncate(LISTED_MAX);
            let classes = shares.classes(now);
            json!({ "fleet": name, "classes": classes, "n_clients": n_clients, "clients": clients })
        })
    });
    json!({ "fleets": fleets.collect::<Vec<_>>() })
}
