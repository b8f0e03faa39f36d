//! A balancer with something to see: hosts that hold requests until they are let go.

use std::net::SocketAddr;

use serde_json::Value;

use crate::client::{Connection, Response, request};
use crate::harness::balancer::{Balancer, Place};
use crate::host::Host;
use crate::service::{Gate, gated, json};

/// One request in a core at once, and the rest waits.
const CONFIG: &str = "hosts.in_flight_max_per_core = 1\n\
                      hosts.eject_failures = 1000\nrepeats.entries_max = 0\n\
                      queue.wait_max = \"10m\"\nqueue.requests_max = 20000\n\
                      limits.requests_max = 30000\nfleet.kind = \"static\"\n";

/// Routes whose cost is declared, by a parameter of the query.
const ROUTES: &str = "[[routes]]\nname = \"held\"\npath = \"/held\"\nprior = \"1s * query.secs\"\n\
                      [[routes]]\nname = \"stream\"\npath = \"/stream\"\nbody = \"stream\"\n";

/// See the module.
pub(crate) struct Scene {
    pub(crate) balancer: Balancer,
    pub(crate) gate: Gate,
    pub(crate) hosts: Vec<Host>,
    place: Place,
}

impl Scene {
    /// With `n` hosts. `more` begins the configuration, `tables` ends it.
    pub(crate) fn start(n: usize, more: &str, tables: &str) -> Scene {
        let gate = Gate::default();
        let hosts: Vec<Host> = (0..n).map(|_| gated(&gate)).collect();
        let listed: Vec<String> =
            hosts.iter().map(|host| format!("{{ address = \"{}\" }}", host.address)).collect();
        let listed = format!("fleet.static.hosts = [{}]\n", listed.join(", "));
        // Many hosts are asked more seldom: in this build each answer has all claims looked at.
        let interval = if n < 10 { "250ms" } else { "2s" };
        let interval = format!("timeouts.report_interval = \"{interval}\"\n");
        let place = Place::new(&format!("{more}{interval}{CONFIG}{listed}{ROUTES}{tables}"));
        let balancer = place.serve();
        balancer.has_active(n);
        Scene { balancer, gate, hosts, place }
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.place.as_ref()
    }

    /// Asks for `target` on a connection of its own, and does not wait for the answer.
    pub(crate) fn send(&self, target: &str) -> Connection {
        let mut connection = Connection::open(self.balancer.listen);
        connection.send(request("POST", target, &[], b"body"));
        connection
    }

    /// The same, and waits until the host has it, or it waits.
    pub(crate) fn send_all(&self, targets: &[&str]) -> Vec<Connection> {
        let connections: Vec<Connection> = targets.iter().map(|target| self.send(target)).collect();
        crate::harness::until("they are here", || {
            let told = self.balancer.json("/requests");
            let count = |kind: &str| told[kind]["count"].as_u64().expect("a number");
            count("running") + count("waiting") == targets.len() as u64
        });
        connections
    }

    /// What the admin address answers to `method` at `path`.
    pub(crate) fn operator(&self, method: &str, path: &str, headers: &[&str]) -> Response {
        ask(self.balancer.admin, method, path, headers)
    }

    /// The ids of the requests of a kind that the admin address tells of.
    pub(crate) fn ids(&self, kind: &str) -> Vec<String> {
        let told = self.balancer.json("/requests");
        let largest = told[kind]["largest"].as_array().expect("a list");
        largest.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
    }
}

/// What the admin address `admin` answers.
pub(crate) fn ask(admin: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Response {
    let mut connection = Connection::open(admin);
    let lines: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
    let host = if headers.iter().any(|line| line.starts_with("Host: ")) {
        String::new()
    } else {
        format!("Host: {admin}\r\n")
    };
    connection.send(format!("{method} {path} HTTP/1.1\r\n{host}{lines}Content-Length: 0\r\n\r\n"));
    connection.response(method)
}

/// The JSON of an answer of this status.
#[track_caller]
pub(crate) fn told(answer: &Response, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    json(answer)
}
