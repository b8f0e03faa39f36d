//! Hosts that answer what they should not.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::balancer::Balancer;
use crate::client::{Connection, request};
use crate::host::{self, Heard, Host, Then};
use crate::ordinary::{assert_served, measure};

const ROUTES: [&str; 2] = ["/held", "/stream"];

/// Answers ordinary requests, and others by `answer`.
fn odd(answer: impl Fn(&Heard, &mut TcpStream) -> Then + Send + Sync + 'static) -> Host {
    Host::start(move |heard, client| {
        if heard.line.contains("ordinary") {
            host::answer(client, "200 OK", &[], b"ok");
            return Then::Keep;
        }
        answer(heard, client)
    })
}

#[test]
fn an_answer_of_too_many_fields_is_told_and_fails_no_host() {
    let fields = "X-Another: a\r\n".repeat(300);
    let host = odd(move |_, client| {
        host::raw(client, format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"));
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "");
    let before = measure(&balancer);
    for target in ROUTES {
        for _ in 0..5 {
            let mut connection = Connection::open(balancer.address);
            connection.send(request("GET", target, &[], b""));
            connection.response("GET").assert_problem(502, None);
        }
    }
    let n_asked = host.heard().iter().filter(|heard| !heard.line.contains("ordinary")).count();
    assert_eq!(n_asked, 10, "none is tried again");
    assert!(balancer.look("/fleet").contains("\"failures_in_row\": 0"));
    assert_served(&balancer, before);
}

#[test]
fn a_switch_that_nobody_asked_for_is_a_bad_answer() {
    let host = odd(|_, client| {
        host::raw(
            client,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        );
        host::answer(client, "200 OK", &[], b"smuggled");
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "retry.tries_max = 1\n");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        connection.send(request("GET", target, &[], b""));
        connection.response("GET").assert_problem(502, None);
    }
}

#[test]
fn a_host_that_drips_its_head_does_not_outlive_the_time_for_it() {
    let host = odd(|heard, client| {
        let drips: &[u8] =
            if heard.line.contains("interim") { b"HTTP/1.1 103 Early Hints\r\n\r\n" } else { b"a" };
        let _left = client.write_all(b"HTTP/1.1 103 Early Hints\r\nX: ");
        if drips.len() != 1 {
            let _left = client.write_all(b"\r\n\r\n");
        }
        for _ in 0..100 {
            if client.write_all(drips).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Then::Close
    });
    let more = "timeouts.response = \"500ms\"\nretry.tries_max = 1\n";
    let balancer = Balancer::before(&[host.address], more);
    let before = measure(&balancer);
    // Interim answers are passed on until then.
    for (target, n_interim_max) in
        [("/held/head", 0), ("/held/interim", 16), ("/stream/interim", 60)]
    {
        let mut connection = Connection::open(balancer.address);
        connection.send(request("GET", target, &[], b""));
        let mut n_interim = 0;
        let answer = loop {
            let answer = connection.response("GET");
            if answer.status != 103 {
                break answer;
            }
            n_interim += 1;
        };
        assert!(answer.status == 502 || answer.status == 504, "{target} {}", answer.status);
        assert!(n_interim <= n_interim_max, "{target} {n_interim}");
    }
    assert_served(&balancer, before);
}
