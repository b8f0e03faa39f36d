//! Heads that do not end, and connections that say nothing.

use std::time::Duration;

use crate::balancer::{Balancer, wait};
use crate::client::{Connection, head};
use crate::host::Host;
use crate::http2::Http2;
use crate::ordinary::{assert_served, measure};

#[test]
fn clients_at_a_byte_now_and_then_keep_no_connection() {
    let host = Host::mirror();
    let more = "limits.connections_max = 40\ntimeouts.head_read = \"500ms\"\n";
    let balancer = Balancer::before(&[host.address], more);
    let before = measure(&balancer);
    let mut slow: Vec<Connection> = (0..40).map(|_| Connection::open(balancer.address)).collect();
    for slow in &mut slow {
        slow.send("GET /held HTTP/1.1\r\nHost: a\r\nX: ");
    }
    let sending = std::thread::spawn(move || {
        for _ in 0..30 {
            std::thread::sleep(Duration::from_millis(20));
            for slow in &mut slow {
                // Fails once it has been refused.
                let _refused = slow.try_send(b"a");
            }
        }
        slow
    });
    assert_served(&balancer, before);
    for mut slow in sending.join().expect("it sends") {
        slow.response("GET").assert_problem(408, Some("head"));
    }
}

#[test]
fn a_head_behind_another_request_has_its_time_too() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "timeouts.head_read = \"300ms\"\n");
    let mut slow = Connection::open(balancer.address);
    slow.send(head("GET", "/held", &[]) + "GET /held HT");
    assert_eq!(slow.response("GET").status, 200);
    slow.response("GET").assert_problem(408, Some("head"));
    assert!(slow.ends());
}

#[test]
fn half_a_preface_costs_nothing_and_ends() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "timeouts.head_read = \"1500ms\"\n");
    let before = measure(&balancer);
    let open = |n: usize| -> Vec<Connection> {
        let mut some: Vec<_> = (0..n).map(|_| Connection::open(balancer.address)).collect();
        for one in &mut some {
            one.send("PRI");
        }
        some
    };
    let left = open(100);
    wait("they are there", || 100.0 <= balancer.metric("weighbridge_connections"));
    drop(left);
    wait("that they have left is noticed", || balancer.metric("weighbridge_connections") < 10.0);
    let mut staying = open(100);
    assert_served(&balancer, before);
    assert!(staying.iter_mut().all(Connection::ends));
}

#[test]
fn a_beginning_that_may_be_either_is_read_as_what_it_becomes() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let mut http1 = Connection::open(balancer.address);
    for piece in ["P", "R", "I", "X /held HTTP/1.1\r\nHost: a\r\n", "\r\n"] {
        std::thread::sleep(Duration::from_millis(20));
        http1.send(piece);
    }
    assert_eq!(http1.response("PRIX").status, 200);
    assert!(host.last().line.starts_with("PRIX /held"));
    let mut http2 = Http2::in_pieces(balancer.address, Duration::from_millis(20));
    let stream = http2.ask("/held", &[]);
    assert!(http2.is_answered(stream));
}

#[test]
fn a_connection_that_says_nothing_ends() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "timeouts.idle = \"300ms\"\n");
    let before = measure(&balancer);
    let mut silent: Vec<_> = (0..100).map(|_| Connection::open(balancer.address)).collect();
    assert_served(&balancer, before);
    assert!(silent.iter_mut().all(Connection::ends));
}

#[test]
fn more_fields_than_are_read_are_too_many() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for (fields, bytes) in [(300, 1), (1, 2 << 20), (10, 100_000)] {
        let field = format!("X-Another: {}\r\n", "a".repeat(bytes));
        let mut connection = Connection::open(balancer.address);
        // Fails where it is refused before its end.
        let _cut_off =
            connection.try_send(head("GET", "/held", &[&field.repeat(fields)]).as_bytes());
        connection.response("GET").assert_problem(431, Some("head"));
        assert!(connection.ends());
    }
    assert!(host.heard().is_empty());
}
