//! `/clients`: who has had what, and how evenly.

use serde::Serialize;
use serde_json::{Value, json};

use weighbridge_core::share::{ClassShown, ClientShown};

use crate::front::Front;

/// The most clients of each fleet that are listed.
const LISTED_MAX: usize = 1000;

/// How one fleet is shared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Sharing {
    /// The name of the fleet.
    pub(super) fleet: String,
    /// Its classes; none where all requests are of one client.
    pub(super) classes: Vec<ClassShown>,
    /// How many clients are remembered.
    pub(super) n_clients: usize,
    /// Those that have attained most, the most first.
    pub(super) clients: Vec<ClientShown>,
}

/// The clients and classes of each fleet.
pub(super) fn clients(front: &Front) -> Value {
    json!({ "fleets": sharing(front, LISTED_MAX) })
}

/// How each fleet is shared, with the first `most` clients of each.
pub(super) fn sharing(front: &Front, most: usize) -> Vec<Sharing> {
    let names = front.config.fleet_names();
    let fleets = front.dispatch.fleets.all().iter().zip(names);
    let fleets = fleets.map(|(fleet, name)| {
        fleet.look(|balancer, now| {
            let shares = balancer.shares();
            let mut clients = shares.clients(now);
            let n_clients = clients.len();
            clients.truncate(most);
            Sharing { fleet: name.to_owned(), classes: shares.classes(now), n_clients, clients }
        })
    });
    fleets.collect()
}
