//! Clients that want much, and many clients.

use std::sync::{Arc, Barrier};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::balancer::Balancer;
use crate::client::{Connection, Response, ask};
use crate::host::{self, Host, Then};
use crate::tools::assert_problem;

/// A request of the client that a trusted proxy says it is.
fn ask_as(balancer: &Balancer, client: &str, target: &str) -> Response {
    let mut connection = Connection::open(balancer.listeners[0]);
    connection
        .send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n"));
    connection.response("GET")
}

#[test]
fn a_client_has_so_many_connections() {
    let host = Host::mirror();
    let balancer = Balancer::before(host.address, "limits.client_connections_max = 3\n");
    let address = balancer.listeners[0];
    let mut open: Vec<Connection> = (0..3).map(|_| Connection::open(address)).collect();
    for connection in &mut open {
        assert_eq!(connection.ask("GET", "/held", b"").status, 200);
    }
    let mut fourth = Connection::open(address);
    assert!(fourth.ends(), "it is closed");
    let series = "weighbridge_connections_refused_total{reason=\"client_limit\"}";
    assert_eq!(balancer.metric(series), 1.0);
    // One that ends makes room for another.
    drop(open.pop());
    balancer.wait("there is room", || {
        let mut next = Connection::open(address);
        // Fails where it has been closed by now.
        let _closed = next.try_send(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        !next.rest().is_empty()
    });
}

#[test]
fn a_client_has_so_many_requests_at_once() {
    let gate = Arc::new(Barrier::new(3));
    let inner = gate.clone();
    let host = Host::start(move |heard, client| {
        if heard.is_for("/held/wait") {
            inner.wait();
        }
        host::answer(client, "200 OK", &[], b"");
        Then::Keep
    });
    let more = "limits.client_requests_max = 2\nforwarded.trusted_proxies = [\"127.0.0.1\"]\n\
                fleet.static.cores = 8\n";
    let balancer = Arc::new(Balancer::before(host.address, more));
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let balancer = balancer.clone();
            std::thread::spawn(move || ask_as(&balancer, "192.0.2.1", "/held/wait").status)
        })
        .collect();
    balancer.wait("both are at the host", || host.heard().len() == 2);
    let third = ask_as(&balancer, "192.0.2.1", "/held");
    assert_problem(&third, 429, "client");
    assert_eq!(third.header("retry-after"), Some("1"));
    assert_eq!(ask_as(&balancer, "192.0.2.2", "/held").status, 200);
    gate.wait();
    for waiting in waiting {
        assert_eq!(waiting.join().expect("no panic"), 200);
    }
    balancer.wait("they are given back", || ask_as(&balancer, "192.0.2.1", "/held").status == 200);
    assert_eq!(balancer.metric("weighbridge_client_limited_total{reason=\"at_once\"}"), 1.0);
}

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let host = Host::mirror();
    // What has been used up does not come back while the test runs.
    let more = "limits.client_rate = 0.001\nlimits.client_burst = 3\n\
                forwarded.trusted_proxies = [\"127.0.0.1\"]\n";
    let balancer = Balancer::before(host.address, more);
    for client in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        for _ in 0..3 {
            assert_eq!(ask_as(&balancer, client, "/held").status, 200);
        }
        let refused = ask_as(&balancer, client, "/stream");
        assert_problem(&refused, 429, "client");
        let after: f64 = refused.header("retry-after").expect("it says so").parse().expect("secs");
        assert!((900.0..=1000.0).contains(&after), "{after}");
    }
    // The network of IPv6 is the client.
    assert_eq!(ask_as(&balancer, "2001:db8::ffff:1", "/held").status, 429);
    assert_eq!(ask_as(&balancer, "2001:db8:0:1::1", "/held").status, 200);
    assert_eq!(host.heard().len(), 10);
}

#[test]
fn file_descriptors_are_raised_to_what_clients_need() {
    const CLIENTS: usize = 1500;
    let own = getrlimit(Resource::Nofile);
    let needed = 2 * CLIENTS as u64;
    if own.current.is_some_and(|current| current < needed) {
        let raised = Rlimit { current: Some(needed), maximum: own.maximum };
        setrlimit(Resource::Nofile, raised).expect("this test needs that many itself");
    }
    let host = Host::mirror();
    let balancer = Balancer::limited(host.address, "", "ulimit -Sn 1024");
    let address = balancer.listeners[0];
    let mut open: Vec<Connection> = (0..CLIENTS).map(|_| Connection::open(address)).collect();
    for connection in &mut open {
        assert_eq!(connection.ask("GET", "/held", b"").status, 200);
    }
    assert_eq!(balancer.metric("weighbridge_connections"), CLIENTS as f64);
    assert_eq!(balancer.look("/healthz").status, 200);
}

#[test]
fn a_system_that_forbids_file_descriptors_is_told_of_and_nobody_is_refused() {
    let host = Host::mirror();
    let more = "limits.connections_max = 5000\n";
    let balancer = Balancer::limited(host.address, more, "ulimit -n 600");
    assert!(
        balancer.log().contains("the system allows 600 file descriptors"),
        "{}",
        balancer.log()
    );
    let connections: Vec<_> = (0..300).map(|_| Connection::open(balancer.listeners[0])).collect();
    // Those that are not taken yet wait for others to end.
    assert_eq!(balancer.look("/healthz").status, 200);
    drop(connections);
    assert_eq!(ask(balancer.listeners[0], "GET", "/held", b"").status, 200);
}
