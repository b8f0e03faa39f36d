//! What one client can take of the hosts' time, where routes say whose requests are.

use std::sync::{Arc, Condvar, Mutex};

use crate::balancer::{Balancer, wait};
use crate::client::{Connection, request};
use crate::host::{self, Heard, Host, Then};

/// Requests are by `x-who`, and cost what they say.
const ROUTES: &str = "client = \"header.x-who\"\nprior = \"1ms * query.ms\"\n";

/// One request runs at once, and clients are called as they call themselves.
const ONE_AT_ONCE: &str = "hosts.in_flight_max_per_core = 1\nclients.names = \"plain\"\n\
                           clients.half_life = \"1h\"\n";

/// A host that answers nothing until its gate is open.
struct Gated {
    host: Host,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn start() -> Gated {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let inner = Arc::clone(&gate);
        let host = Host::start(move |_, client| {
            let guard = inner.0.lock().expect("no panic");
            drop(inner.1.wait_while(guard, |open| !*open).expect("no panic"));
            host::answer(client, "200 OK", &[], b"ok");
            Then::Keep
        });
        Gated { host, gate }
    }

    fn open(&self) {
        *self.gate.0.lock().expect("no panic") = true;
        self.gate.1.notify_all();
    }

    /// Whose the requests were, in the order in which they came.
    fn order(&self) -> String {
        self.host.heard().iter().map(|heard| heard.headers("x-who").concat()).collect()
    }
}

/// Sends a request of `who` that is said to cost so much, and does not wait.
fn send(balancer: &Balancer, who: &str, ms: u32, more: &[&str]) -> Connection {
    let who = format!("x-who: {who}");
    let headers = [&[who.as_str()], more].concat();
    let mut connection = Connection::open(balancer.address);
    connection.send(request("GET", &format!("/held?ms={ms}"), &headers, b""));
    connection
}

fn waits(balancer: &Balancer, n: usize) {
    let waiting = || balancer.metric("weighbridge_waiting_requests");
    wait("so many wait", || (waiting() - n as f64).abs() < 0.5);
}

/// All of them are answered well.
fn assert_answered(connections: Vec<Connection>) {
    for mut connection in connections {
        let answer = connection.response("GET");
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
}

#[test]
fn a_flood_of_giants_waits_behind_the_small_requests_of_another() {
    let gated = Gated::start();
    let balancer = Balancer::before_with(&[gated.host.address], ONE_AT_ONCE, ROUTES);
    let mut all = vec![send(&balancer, "a", 2000, &[])];
    wait("the first runs", || gated.order() == "a");
    for n in 1..=5 {
        all.push(send(&balancer, "a", 2000, &[]));
        waits(&balancer, n);
    }
    for n in 6..=8 {
        all.push(send(&balancer, "b", 5, &[]));
        waits(&balancer, n);
    }
    gated.open();
    assert_answered(all);
    assert_eq!(gated.order(), "abbbaaaaa");
    let clients = balancer.look("/clients");
    assert!(
        clients.contains("\"client\": \"a\"") && clients.contains("\"client\": \"b\""),
        "{clients}"
    );
    let metrics = balancer.look("/metrics");
    let shown = "weighbridge_client_requests{class=\"default\",client=\"a\"} 6";
    assert!(metrics.contains(shown), "{metrics}");
    assert!(
        metrics.contains("weighbridge_client_fairness_ratio{class=\"default\",fleet=\"main\"}")
    );
}

#[test]
fn a_class_goes_before_another() {
    let gated = Gated::start();
    let more = format!(
        "{ONE_AT_ONCE}classes.gold.priority = 0\nclasses.gold.clients = [\"g\"]\n\
         classes.late.priority = 200\nclasses.late.clients = [\"z\"]\n"
    );
    let balancer = Balancer::before_with(&[gated.host.address], &more, ROUTES);
    let mut all = vec![send(&balancer, "g", 900, &[])];
    wait("the first runs", || gated.order() == "g");
    for (n, (who, ms)) in [("z", 5), ("o", 10), ("g", 900), ("g", 900)].into_iter().enumerate() {
        all.push(send(&balancer, who, ms, &[]));
        waits(&balancer, n + 1);
    }
    gated.open();
    assert_answered(all);
    assert_eq!(gated.order(), "gggoz");
}

#[test]
fn a_full_room_refuses_the_newest_of_the_flood_and_not_a_newcomer() {
    let gated = Gated::start();
    let more = format!("{ONE_AT_ONCE}queue.requests_max = 3\n");
    let balancer = Balancer::before_with(&[gated.host.address], &more, ROUTES);
    let mut all = vec![send(&balancer, "a", 500, &[])];
    wait("the first runs", || gated.order() == "a");
    for n in 1..=3 {
        all.push(send(&balancer, "a", 500, &[]));
        waits(&balancer, n);
    }
    send(&balancer, "a", 500, &[]).response("GET").assert_problem(503, None);
    let newcomer = send(&balancer, "b", 500, &[]);
    // It gives way without having done anything.
    let mut newest = all.pop().expect("there are four");
    newest.response("GET").assert_problem(503, None);
    all.push(newcomer);
    gated.open();
    assert_answered(all);
    assert_eq!(gated.order(), "abaa");
}

#[test]
fn a_quota_is_told_with_the_time_after_which_there_is_room() {
    let gated = Gated::start();
    let more = "clients.names = \"plain\"\nclass_defaults.client_cpu = \"4s per 8s\"\n";
    let balancer = Balancer::before_with(&[gated.host.address], more, ROUTES);
    let first = send(&balancer, "a", 4000, &[]);
    wait("the first runs", || gated.order() == "a");
    let mut second = send(&balancer, "a", 2000, &[]);
    let refused = second.response("GET");
    refused.assert_problem(429, Some("client"));
    let after: u64 = refused.header("retry-after").and_then(|text| text.parse().ok()).unwrap_or(0);
    assert!((1..=4).contains(&after), "two of four seconds come back in four: {after}");
    let other = send(&balancer, "b", 2000, &[]);
    wait("another client has its own", || gated.order().contains('b'));
    std::thread::sleep(std::time::Duration::from_secs(after));
    let again = send(&balancer, "a", 2000, &[]);
    wait("there is room by then", || gated.order() == "aba");
    gated.open();
    assert_answered(vec![first, other, again]);
}

#[test]
fn what_cannot_be_in_time_is_refused_before_it_reaches_a_host() {
    let gated = Gated::start();
    gated.open();
    let balancer = Balancer::before_with(&[gated.host.address], "", ROUTES);
    let mut late = send(&balancer, "a", 2000, &["request-timeout-ms: 500"]);
    late.response("GET").assert_problem(503, Some("deadline"));
    let mut wrong = send(&balancer, "a", 1, &["request-timeout-ms: 5s"]);
    wrong.response("GET").assert_problem(400, Some("deadline"));
    assert_eq!(gated.host.heard().len(), 0);
    assert_answered(vec![send(&balancer, "a", 20, &["request-timeout-ms: 30000"])]);
    assert!(balancer.look("/metrics").contains("weighbridge_decisions_total{kind=\"deadline\"} 1"));
}

#[test]
fn a_host_is_told_where_a_request_stands_by_the_balancer_alone() {
    let gated = Gated::start();
    gated.open();
    let secret = "x-who: a-key-that-is-nobody-else-s";
    let balancer = Balancer::before_with(&[gated.host.address], "", ROUTES);
    let mut connection = Connection::open(balancer.address);
    let headers = [secret, "weighbridge-order: 0 0.0", "weighbridge_order: 0 0"];
    for target in ["/held?ms=1", "/stream?ms=1"] {
        connection.send(request("GET", target, &headers, b""));
        assert_eq!(connection.response("GET").status, 200);
    }
    let told = |heard: &Heard| {
        let ours: Vec<String> = heard
            .all()
            .filter(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case("weighbridge-order"))
            .map(|(_, value)| value.split(' ').next().unwrap_or_default().to_owned())
            .collect();
        ours
    };
    for heard in gated.host.heard() {
        assert_eq!(told(&heard), ["100"], "the priority of the class: {heard:?}");
    }
    let shown = balancer.look("/clients") + &balancer.look("/metrics");
    assert!(!shown.contains("nobody-else"), "a key is shown by its hash");
}
