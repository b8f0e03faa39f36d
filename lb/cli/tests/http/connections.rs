//! What happens between the requests of one connection, and beside them.

use crate::balancer::Balancer;
use crate::client::{Connection, ask, head, request};
use crate::host::{self, Host, Then};

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let mut connection = Connection::open(balancer.address);
    let mut all = Vec::new();
    for i in 0..20 {
        let target = ["/held", "/stream", "/", "/nowhere"][i % 4];
        all.extend(request("POST", target, &[], format!("body {i}").as_bytes()));
    }
    connection.send(&all);
    for i in 0..20 {
        let answer = connection.response("POST");
        match i % 4 {
            0 | 1 => assert_eq!(answer.body, format!("body {i}").as_bytes()),
            2 => assert_eq!(answer.status, 200),
            _ => answer.assert_problem(404, Some("path")),
        }
    }
}

#[test]
fn a_request_pipelined_behind_a_running_one_is_served_after_it() {
    let gate = std::sync::Arc::new(std::sync::Barrier::new(2));
    let inner = gate.clone();
    let slow = Host::start(move |heard, client| {
        if heard.is_for("/held/slow") || heard.is_for("/stream/slow") {
            inner.wait();
        }
        host::answer(client, "200 OK", &[], heard.line.as_bytes());
        Then::Keep
    });
    let balancer = Balancer::before(&[slow.address], "");
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        connection.send(request("GET", &format!("{target}/slow"), &[], b""));
        connection.send(request("GET", &format!("{target}/next"), &[], b""));
        gate.wait();
        let first = connection.response("GET").body;
        assert_eq!(first, format!("GET {target}/slow HTTP/1.1").as_bytes());
        let next = connection.response("GET").body;
        assert_eq!(next, format!("GET {target}/next HTTP/1.1").as_bytes());
    }
}

/// pingora's timer thread wakes a hundred times a second for as long as the process lives. Only
/// the idle time of HTTP/2 needs it.
#[cfg(target_os = "linux")]
#[test]
fn no_thread_ticks_for_the_times_that_connections_may_take() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        for _ in 0..2 {
            connection.send(request("POST", target, &[], b"a body"));
            assert_eq!(connection.response("POST").status, 200);
        }
    }
    let threads = balancer.threads();
    assert!(threads.iter().any(|name| name == "balancer"), "{threads:?}");
    assert!(!threads.iter().any(|name| name.starts_with("Timer")), "{threads:?}");
}

#[test]
fn close_means_close_and_keep_alive_is_for_those_who_know_it() {
    let balancer = Balancer::before(&[Host::mirror().address], "");
    for target in ["/held", "/stream", "/", "/nowhere"] {
        let mut connection = Connection::open(balancer.address);
        connection.send(head("GET", target, &["Connection: close"]));
        assert_eq!(connection.response("GET").header("connection"), Some("close"));
        assert!(connection.ends(), "{target}");

        let mut old = Connection::open(balancer.address);
        for _ in 0..2 {
            old.send(format!("GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
            old.response("GET");
        }
        old.send(format!("GET {target} HTTP/1.0\r\n\r\n"));
        old.response("GET");
        assert!(old.ends(), "{target}");
    }
}

#[test]
fn a_client_that_closes_its_half_with_its_request_is_answered() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let host = Host::start(move |heard, client| {
        if heard.line.contains("/slow") {
            wait.lock().expect("nobody panics").recv().expect("it is told");
        }
        host::answer(client, "200 OK", &[], &heard.body);
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held/slow", "/stream/slow"] {
        for body in [&b"all there is"[..], b""] {
            let mut connection = Connection::open(balancer.address);
            connection.send(request("POST", target, &[], body));
            connection.close_half();
            // Meanwhile the balancer has seen the close.
            for _ in 0..20 {
                assert_eq!(ask(balancer.address, "GET", "/held", b"").status, 200);
            }
            go.send(()).expect("the host waits");
            let response = connection.response("POST");
            assert_eq!((response.status, response.body), (200, body.to_vec()), "{target}");
            assert!(connection.ends());
        }
    }
}

#[test]
fn silent_clients_are_disconnected_after_the_idle_time() {
    let balancer = Balancer::before(&[Host::mirror().address], "timeouts.idle = \"1s\"\n");
    let mut silent = Connection::open(balancer.address);
    let mut undecided = Connection::open(balancer.address);
    undecided.send("PRI * HT");
    let mut halting = Connection::open(balancer.address);
    halting.send("GET / HTTP/1.1\r\nHost: ");
    let mut idle = Connection::open(balancer.address);
    assert_eq!(idle.ask("GET", "/", b"").status, 200);
    for connection in [&mut silent, &mut undecided, &mut halting, &mut idle] {
        assert!(connection.ends());
    }
}

#[test]
fn further_connections_wait_until_there_is_room() {
    let balancer = Balancer::before(&[Host::mirror().address], "limits.connections_max = 2\n");
    let mut first = Connection::open(balancer.address);
    assert_eq!(first.ask("GET", "/", b"").status, 200);
    let mut second = Connection::open(balancer.address);
    assert_eq!(second.ask("GET", "/", b"").status, 200);
    let mut third = Connection::open(balancer.address);
    third.send(request("GET", "/", &[], b""));
    assert_eq!(second.ask("GET", "/", b"").status, 200);
    drop(first);
    assert_eq!(third.response("GET").status, 200);
}

#[test]
fn a_host_may_switch_protocols_on_a_streaming_route() {
    let host = Host::start(|heard, client| {
        assert_eq!(heard.headers("upgrade"), ["websocket"]);
        host::raw(client, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
        host::raw(client, "Upgrade: websocket\r\n\r\nhello");
        Then::Close
    });
    let balancer = Balancer::before(&[host.address], "");
    let mut connection = Connection::open(balancer.address);
    connection.send(head("GET", "/stream", &["Connection: Upgrade", "Upgrade: websocket"]));
    let answer = connection.response("GET");
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")));
    assert_eq!(connection.rest(), b"hello");
}
