//! Jobs are their clients': charged to them, bound by their quotas, and in their turn.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::{Gate, Service, text};

/// Clients go by a header, and are called by what it says.
const ROUTE: &str = "client = \"header.x-api-key\"\nprior = \"1s\"";
const NAMES: &str = "[clients]\nnames = \"plain\"\n";

/// A host that waits at `gate`, and the bodies that it has got, in their order.
fn host(gate: &Gate) -> (Host, Arc<Mutex<Vec<String>>>) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let (gate, got) = (gate.clone(), Arc::clone(&heard));
    let host = Host::start(move |asked, client| {
        if !asked.body.is_empty() {
            got.lock().push(String::from_utf8_lossy(&asked.body).into_owned());
            gate.pass();
        }
        answer(client, "200 OK", &[], &asked.body);
        Then::Keep
    });
    (host, heard)
}

fn of(client: &str) -> String {
    format!("x-api-key: {client}")
}

/// What the balancer says of `client`.
fn shown(service: &Service, client: &str) -> Value {
    let told = service.balancer.json("/clients");
    let mut clients = told["fleets"][0]["clients"].as_array().expect("a list").iter();
    clients.find(|one| one["client"] == client).cloned().unwrap_or_default()
}

#[test]
fn jobs_of_a_flood_wait_behind_the_first_one_of_another_client() {
    let gate = Gate::default();
    let (host, heard) = host(&gate);
    let service = Service::start(&[&host], ROUTE, NAMES);
    let (flood, other) = (of("flood"), of("other"));
    let mut kept: Vec<String> =
        (0..8).map(|n| service.accept("/a", &[&flood], format!("flood {n}").as_bytes())).collect();
    until("the host's four cores are taken", || heard.lock().len() == 4);
    kept.push(service.accept("/a", &[&other], b"other"));
    gate.open(1);
    until("a fifth one runs", || heard.lock().len() == 5);
    assert_eq!(heard.lock()[4], "other");
    gate.open(8);
    for location in &kept {
        assert_eq!(service.result(location).status, 200);
    }
    // Tries that found no room are not counted.
    until("all are charged", || shown(&service, "flood")["here"] == 0);
    assert_eq!(shown(&service, "flood")["requests"], 8);
    assert_eq!(shown(&service, "other")["requests"], 1);
}

#[test]
fn jobs_wait_while_their_client_has_as_many_cores_as_it_may() {
    let gate = Gate::default();
    let (host, heard) = host(&gate);
    let quota = "[class_defaults]\nclient_cores = 1\n";
    let service = Service::start(&[&host], ROUTE, &format!("{NAMES}{quota}"));
    let (one, other) = (of("one"), of("other"));
    let mut kept: Vec<String> =
        (0..3).map(|n| service.accept("/a", &[&one], format!("one {n}").as_bytes())).collect();
    kept.push(service.accept("/a", &[&other], b"other"));
    until("each client has one", || heard.lock().len() == 2);
    // There are two more cores. A request that cannot wait is refused, and no job is.
    let refused = service.ask("POST", "/a", &[&one], b"now");
    assert_eq!(refused.status, 429, "{}", text(&refused));
    assert_eq!(shown(&service, "one")["here"], 1);
    gate.open(4);
    for location in &kept {
        assert_eq!(service.result(location).status, 200);
    }
    let mut heard = heard.lock().clone();
    heard.sort();
    assert_eq!(heard, ["one 0", "one 1", "one 2", "other"]);
}
