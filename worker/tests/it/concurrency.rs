//! More requests than slots, and clients that hang up.

use std::thread;

use crate::client::{Connection, post};
use crate::fixture::{Running, bmp, data_url, endless, raytrace_target, sphere};

const BUSY: &str = "weighbridge_worker_busy_slots";
const WAITING: &str = "weighbridge_worker_waiting_requests";
const ABANDONED: &str = "weighbridge_worker_abandoned_requests_total{operation=\"raytrace\"}";

/// A connection whose request takes longer than any test.
fn occupy(worker: &Running) -> Connection {
    let (target, body) = endless();
    let mut connection = Connection::open(worker.address);
    connection.request("POST", &target, &[], &body);
    connection
}

#[test]
fn one_slot_answers_74_requests_at_once() {
    let worker = Running::start(1);
    let body = data_url("bmp", &bmp(60, 40));
    let expected = post(worker.address, "/blurimage", &body).body;
    thread::scope(|scope| {
        let clients = (0..74).map(|_| scope.spawn(|| post(worker.address, "/blurimage", &body)));
        for client in clients.collect::<Vec<_>>() {
            let answer = client.join().expect("no panic");
            assert_eq!(answer.status, 200);
            assert_eq!(answer.body, expected);
        }
    });
    assert!((worker.metric(BUSY) + worker.metric(WAITING)).abs() < f64::EPSILON);
}

#[test]
fn a_client_that_hangs_up_frees_its_slot() {
    let worker = Running::start(1);
    let long = occupy(&worker);
    worker.wait_for(BUSY, 1.0);

    let mut short = Connection::open(worker.address);
    short.request("POST", &raytrace_target(4, 3), &[], &sphere());
    worker.wait_for(WAITING, 1.0);
    drop(long);
    assert_eq!(short.response().status, 200);
    worker.wait_for(ABANDONED, 1.0);
    worker.wait_for(BUSY, 0.0);
}

#[test]
fn a_client_that_hangs_up_leaves_the_queue() {
    let worker = Running::start(1);
    let _long = occupy(&worker);
    worker.wait_for(BUSY, 1.0);

    let waits = occupy(&worker);
    worker.wait_for(WAITING, 1.0);
    drop(waits);
    worker.wait_for(WAITING, 0.0);
    worker.wait_for(ABANDONED, 1.0);
    worker.wait_for(BUSY, 1.0);
}

#[test]
fn a_client_that_hangs_up_in_its_body_is_counted() {
    let worker = Running::start(1);
    let mut connection = Connection::open(worker.address);
    connection.send(
        b"POST /raytracer HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    assert_eq!(connection.response().status, 100);
    drop(connection);
    worker.wait_for("weighbridge_worker_requests_total{code=\"400\",operation=\"raytrace\"}", 1.0);
}

#[test]
fn a_full_queue_refuses_and_says_when_to_come_back() {
    let worker = Running::configured(|config| (config.cores, config.queue_max) = (1, 1));
    let runs = occupy(&worker);
    worker.wait_for(BUSY, 1.0);
    let waits = occupy(&worker);
    worker.wait_for(WAITING, 1.0);

    let refused = post(worker.address, &raytrace_target(4, 3), &sphere());
    let detail = refused.assert_problem(503, None);
    assert_eq!(detail, "the run queue is full: `1` requests wait");
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop((runs, waits));
    worker.wait_for(BUSY, 0.0);
    assert_eq!(post(worker.address, &raytrace_target(4, 3), &sphere()).status, 200);
}
