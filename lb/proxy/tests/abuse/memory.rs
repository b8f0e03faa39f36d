//! Memory: announced and not sent, sent slowly, answered and not read.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::balancer::{Balancer, wait};
use crate::client::{Connection, chunked, head, pattern};
use crate::host::{self, Host, Then};
use crate::http2::Http2;
use crate::ordinary::{assert_served, measure};

/// A budget of a few MiB, of which one client may have half.
const SMALL: &str = "limits.body_bytes = \"2MiB\"\nlimits.buffer_bytes_total = \"16MiB\"\n";

/// Says how long the body was.
fn counting() -> Host {
    Host::start(|heard, client| {
        host::answer(client, "200 OK", &[], heard.body.len().to_string().as_bytes());
        Then::Keep
    })
}

#[test]
fn what_is_announced_takes_no_room() {
    let host = counting();
    let balancer = Balancer::before(&[host.address], "");
    let before = measure(&balancer);
    let mut greedy: Vec<Connection> = (0..24)
        .map(|_| {
            let mut greedy = Connection::open(balancer.address);
            greedy.send(head("POST", "/held", &["Content-Length: 33554432"]) + "a");
            greedy
        })
        .collect();
    assert_served(&balancer, before);
    assert!(balancer.metric("weighbridge_buffered_bytes") < 1e6);
    for greedy in &mut greedy {
        greedy.send("b");
    }
}

#[test]
fn streams_of_one_connection_take_no_room_by_saying_so() {
    let host = counting();
    let balancer = Balancer::before(&[host.address], "");
    let before = measure(&balancer);
    let mut greedy = Http2::open(balancer.address, 65_535);
    for _ in 0..40 {
        let stream = greedy.begin("POST", "/held", &[("content-length", "33554432")]);
        greedy.data(stream, b"a");
    }
    assert_served(&balancer, before);
    assert!(balancer.metric("weighbridge_buffered_bytes") < 1e6);
}

#[test]
fn what_one_client_has_sent_leaves_room_for_others() {
    let host = counting();
    let balancer = Balancer::before(&[host.address], SMALL);
    let before = measure(&balancer);
    // More than there is room for, of which the last byte is kept back.
    let body = vec![b'a'; (2 << 20) - 1];
    let threads: Vec<_> = (0..12)
        .map(|_| {
            let mut greedy = Connection::open(balancer.address);
            let body = body.clone();
            std::thread::spawn(move || {
                greedy.send(head("POST", "/held", &["Content-Length: 2097152"]));
                // What finds no room waits in the sockets.
                let _cut_off = greedy.try_send(&body);
                greedy
            })
        })
        .collect();
    wait("the client's part is full", || 5e6 < balancer.metric("weighbridge_buffered_bytes"));
    assert_served(&balancer, before);
    assert!(balancer.metric("weighbridge_buffered_bytes") < 8.5 * f64::from(1 << 20));
    drop(balancer);
    for thread in threads {
        drop(thread.join());
    }
}

#[test]
fn bodies_without_a_length_stay_within_the_budget_and_wait_for_each_other() {
    let host = counting();
    let balancer = Balancer::before(&[host.address], SMALL);
    let before = measure(&balancer);
    let body = chunked(&pattern(2_000_000), 50_000);
    let answers: Vec<_> = (0..16)
        .map(|_| {
            let mut client = Connection::open(balancer.address);
            let body = body.clone();
            std::thread::spawn(move || {
                client.send(head("POST", "/held", &["Transfer-Encoding: chunked"]));
                client.send(&body);
                client.response("POST")
            })
        })
        .collect();
    let mut most = 0.0_f64;
    while !answers.iter().all(std::thread::JoinHandle::is_finished) {
        most = most.max(balancer.metric("weighbridge_buffered_bytes"));
    }
    assert!(most < 8.5 * f64::from(1 << 20), "{most}");
    for answer in answers {
        let answer = answer.join().expect("it is answered");
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"2000000".as_slice()));
    }
    assert_served(&balancer, before);
}

#[test]
fn a_body_that_comes_too_slowly_is_told_so() {
    let host = counting();
    let more = "timeouts.body_read = \"300ms\"\nlimits.rate_min = \"1KiB\"\n";
    let balancer = Balancer::before(&[host.address], more);
    let before = measure(&balancer);
    let mut slow = Connection::open(balancer.address);
    slow.send(head("POST", "/held", &["Content-Length: 1000000"]));
    // It has sent most of it fast: that buys no time for the rest.
    slow.send(vec![b'a'; 900_000]);
    let started = Instant::now();
    let mut n_sent = 0;
    let refused = std::thread::scope(|scope| {
        let mut sending = Connection::open(balancer.address);
        sending.send(head("POST", "/held", &["Content-Length: 1000000"]));
        // A byte now and then is no pause, and no rate either.
        while started.elapsed() < Duration::from_secs(2) && sending.try_send(b"a").is_ok() {
            n_sent += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
        scope.spawn(move || sending.response("POST")).join().expect("it is answered")
    });
    refused.assert_problem(408, Some("body"));
    slow.response("POST").assert_problem(408, Some("body"));
    println!("{n_sent} bytes were sent");
    assert_served(&balancer, before);
    assert!(balancer.metric("weighbridge_buffered_bytes") < 1.0);
}

#[test]
fn a_body_has_a_time_for_all_of_it() {
    let host = counting();
    let balancer = Balancer::before(&[host.address], "timeouts.body_total = \"500ms\"\n");
    let mut slow = Connection::open(balancer.address);
    slow.send(head("POST", "/held", &["Content-Length: 30000000"]));
    let piece = vec![b'a'; 10_000];
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(1) && slow.try_send(&piece).is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    slow.response("POST").assert_problem(408, Some("body"));
}

#[test]
fn answers_that_nobody_reads_are_bounded_and_end() {
    let body = pattern(900_000);
    let host = Host::start(move |heard, client| {
        let body = if heard.line.contains("ordinary") { b"ok".as_slice() } else { &body };
        host::answer(client, "200 OK", &[], body);
        Then::Keep
    });
    let more = format!("{SMALL}timeouts.answer_write = \"3s\"\nlimits.rate_min = \"1MiB\"\n");
    let balancer = Balancer::before(&[host.address], &more);
    let before = measure(&balancer);
    let mut greedy: Vec<Http2> = (0..3)
        .map(|_| {
            let mut greedy = Http2::open(balancer.address, 0);
            for _ in 0..20 {
                greedy.ask("/held", &[]);
            }
            greedy
        })
        .collect();
    wait("answers are held", || 3e6 < balancer.metric("weighbridge_buffered_bytes"));
    assert_served(&balancer, before);
    assert!(balancer.metric("weighbridge_buffered_bytes") < 8.5 * f64::from(1 << 20));
    wait("they are given up", || balancer.metric("weighbridge_buffered_bytes") < 1e5);
    assert!(greedy[0].frame().is_some());
}

#[test]
fn what_is_to_be_explained_takes_its_room_from_the_same_budget() {
    let host = counting();
    let more = format!("{SMALL}timeouts.body_read = \"1s\"\n");
    let balancer = Balancer::before(&[host.address], &more);
    let before = measure(&balancer);
    let mut slow = std::net::TcpStream::connect(balancer.admin).expect("it listens");
    let head = "POST /explain/held HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("it reads");
    slow.write_all(&vec![b'a'; 1_000_000]).expect("it reads");
    wait("it is held", || 9e5 < balancer.metric("weighbridge_buffered_bytes"));
    assert_served(&balancer, before);
    wait("it is given up", || balancer.metric("weighbridge_buffered_bytes") < 1.0);
}
