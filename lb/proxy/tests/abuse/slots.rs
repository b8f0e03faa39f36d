//! Places at hosts, and places here.

use crate::balancer::{Balancer, wait};
use crate::client::{Connection, pattern, request};
use crate::host::{self, Host, Then};
use crate::http2::Http2;
use crate::ordinary::{assert_served, measure};

#[test]
fn readers_of_large_answers_keep_no_place_at_a_host() {
    let body = pattern(9_000_000);
    let host = Host::start(move |heard, client| {
        let body = if heard.line.contains("ordinary") { b"ok".as_slice() } else { &body };
        host::answer(client, "200 OK", &[], body);
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "hosts.in_flight_max_per_core = 4\n");
    let before = measure(&balancer);
    let mut slow: Vec<Connection> = (0..12)
        .map(|_| {
            let mut slow = Connection::open(balancer.address);
            slow.send(request("GET", "/held/large", &[], b""));
            slow
        })
        .collect();
    let n_large = || host.heard().iter().filter(|heard| heard.line.contains("large")).count();
    wait("all of them reach the host", || n_large() == 12);
    assert_served(&balancer, before);
    // They get all of it when they read at last.
    for slow in &mut slow {
        assert_eq!(slow.response("GET").body.len(), 9_000_000);
    }
}

#[test]
fn streams_of_all_connections_together_have_a_limit() {
    let (open, opened) = (std::sync::Mutex::new(false), std::sync::Condvar::new());
    let gate = std::sync::Arc::new((open, opened));
    let inner = gate.clone();
    let host = Host::start(move |heard, client| {
        if !heard.line.contains("ordinary") {
            let guard = inner.0.lock().expect("no panic");
            drop(inner.1.wait_while(guard, |open| !*open).expect("no panic"));
        }
        host::answer(client, "200 OK", &[], b"ok");
        Then::Keep
    });
    let more = "limits.requests_max = 50\nqueue.requests_max = 1000\n";
    let balancer = Balancer::before(&[host.address], more);
    let mut many = Http2::open(balancer.address, 65_535);
    let streams: Vec<u32> = (0..60).map(|_| many.ask("/held", &[])).collect();
    // The ten that are too many are told so.
    let mut n_answered = 0;
    while n_answered < 10 {
        let (kind, _, _) = many.frame().expect("the connection stays");
        n_answered += usize::from(kind == 1);
    }
    *gate.0.lock().expect("no panic") = true;
    gate.1.notify_all();
    while n_answered < streams.len() {
        let (kind, _, _) = many.frame().expect("the connection stays");
        n_answered += usize::from(kind == 1);
    }
    let metrics = balancer.look("/metrics");
    let refused = metrics
        .lines()
        .find(|line| line.starts_with("weighbridge_requests_total") && line.contains("\"503\""));
    assert!(refused.is_some_and(|line| line.ends_with(" 10")), "{refused:?}");
    measure(&balancer);
}
