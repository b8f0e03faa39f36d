//! Clients that are gone.

use weighbridge_worker::{HANG_UP_SIGNALS, OnHangUp};

use crate::fixture::{BUSY, READY, Running, STARTS, WAITING, pid_of};

const ABANDONED: &str = "weighbridge_worker_abandoned_requests_total{operation=\"run\"}";

#[test]
fn what_waits_leaves_at_once() {
    let worker = Running::start(1);
    let mut runs = worker.send("/burn?ms=700", &[]);
    worker.wait_for(BUSY, 1.0);
    let waits = worker.send("/exit?status=1", &[]);
    worker.wait_for(WAITING, 1.0);
    drop(waits);
    worker.wait_for(WAITING, 0.0);
    worker.wait_for(ABANDONED, 1.0);
    assert_eq!(runs.response().status, 200);
    worker.get("/");
    assert!((worker.metric(STARTS) - 1.0).abs() < f64::EPSILON, "the other one never ran");
}

#[test]
fn a_process_gets_its_next_request_when_it_is_free_again() {
    let worker = Running::start(1);
    let pid = pid_of(&worker.get("/"));
    let runs = worker.begin("/burn?ms=500", &["weighbridge-estimate: 0.5"]);
    drop(runs);
    worker.wait_for(ABANDONED, 1.0);
    assert_eq!(pid_of(&worker.get("/")), pid);
    worker.wait_for(BUSY, 0.0);
}

#[test]
fn what_goes_on_for_nobody_gives_way_to_all_others() {
    let worker = Running::start(2);
    let gone = worker.begin("/burn?ms=1500", &["weighbridge-estimate: 0.001"]);
    drop(gone);
    worker.wait_for(ABANDONED, 1.0);
    // It is believed to be longer, and goes first all the same.
    let mut long = worker.send("/burn?ms=50", &["weighbridge-estimate: 100"]);
    assert_eq!(long.response().status, 200);
    worker.wait_for(BUSY, 0.0);
    worker.get("/");
}

#[test]
fn a_process_that_is_not_free_in_time_is_replaced() {
    let worker = Running::configured(1, |run| {
        run.start_timeout = std::time::Duration::from_secs(3);
    });
    worker.wait_for(READY, 1.0);
    let pid = pid_of(&worker.get("/"));
    let runs = worker.begin("/burn?ms=1000000", &[]);
    drop(runs);
    worker.wait_for(STARTS, 2.0);
    worker.wait_for(READY, 1.0);
    assert_ne!(pid_of(&worker.get("/")), pid);
}

#[test]
fn a_process_is_told_by_a_signal_where_that_is_asked_for() {
    let signal = HANG_UP_SIGNALS.iter().find(|signal| signal.name == "SIGUSR1").expect("it is one");
    let worker = Running::configured(1, |run| run.on_hang_up = OnHangUp::Tell(*signal));
    worker.wait_for(READY, 1.0);
    let pid = pid_of(&worker.get("/"));
    let runs = worker.begin("/until_told?", &[]);
    drop(runs);
    worker.wait_for(ABANDONED, 1.0);
    assert_eq!(pid_of(&worker.get("/")), pid, "it gave up, and serves on");
    assert!((worker.metric(STARTS) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_process_is_replaced_at_once_where_that_is_asked_for() {
    let worker = Running::configured(1, |run| run.on_hang_up = OnHangUp::Replace);
    worker.wait_for(READY, 1.0);
    let runs = worker.begin("/burn?ms=1000000", &[]);
    drop(runs);
    worker.wait_for(STARTS, 2.0);
    worker.wait_for(READY, 1.0);
    worker.get("/");
}
