//! What a request has cost, measured from outside.

use crate::client::get;
use crate::fixture::{READY, Running, STARTS, eventually, pid_of, report_of};

#[test]
fn the_report_has_the_cpu_time_that_the_server_measures_itself() {
    let worker = Running::start(2);
    for ms in [20, 100, 400] {
        let answer = worker.get(&format!("/burn?ms={ms}"));
        let own = answer.json()["cpu_seconds"].as_f64().expect("a number");
        let cost = &report_of(&answer).request_cost;
        let measured = cost["cpu_seconds"];
        assert!(own * 0.9 <= measured && measured <= own * 1.3 + 0.01, "{own} {measured}");
        assert!(1e6 < cost["memory_bytes"], "{cost:?}");
    }
}

#[test]
fn what_it_forks_counts_too() {
    let worker = Running::start(1);
    let answer = worker.get("/fork?ms=200");
    let own = answer.json()["child_seconds"].as_f64().expect("a number");
    assert!(0.15 < own, "{own}");
    let measured = report_of(&answer).request_cost["cpu_seconds"];
    assert!(own * 0.8 <= measured, "{own} {measured}");
    // And is not counted again.
    let measured = report_of(&worker.get("/burn?ms=1")).request_cost["cpu_seconds"];
    assert!(measured < own / 2.0, "{measured}");
}

#[test]
fn the_load_has_the_run_queue_and_what_the_processes_use() {
    let worker = Running::start(2);
    let mut busy = worker.send("/burn?ms=1500", &["weighbridge-estimate: 1.5"]);
    eventually(|| {
        let load = get(worker.address, "/load").json();
        let named = &load["named_metrics"];
        let is_so = named["in_flight"] == 1.0
            && named["slots"] == 1.0
            && named["discipline_srpt"] == 1.0
            && named["work_left"].as_f64().is_some_and(|left| 0.0 < left && left <= 1.5)
            && load["cpu_utilization"].as_f64().is_some_and(|used| 0.2 < used);
        if is_so { Ok(()) } else { Err(load.to_string()) }
    });
    assert_eq!(busy.response().status, 200);
}

#[test]
fn a_process_with_too_much_memory_is_replaced() {
    let worker = Running::configured(1, |run| run.memory_bytes_max = Some(200 << 20));
    worker.wait_for(READY, 1.0);
    let first = pid_of(&worker.get("/"));
    // It may be noticed while the request runs.
    get(worker.address, "/hold?mib=300");
    worker.wait_for(STARTS, 2.0);
    worker.wait_for(READY, 1.0);
    assert_ne!(pid_of(&worker.get("/")), first);
}
