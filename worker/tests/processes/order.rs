//! The shortest remaining request first, whatever the way to park.

use std::time::Duration;

use weighbridge_instrument::ProcessClock;
use weighbridge_worker::{ParkChoice, Worker, WorkerError, park_ways};

use crate::fixture::{
    BUSY, PREEMPTIONS, READY, Running, WAITING, config, eventually, pid_of, report_of,
};

/// Whether the system allows it; the reason is printed.
fn is_possible(way: &'static str) -> bool {
    let mut config = config(1);
    config.run.as_mut().expect("it runs a server").park = ParkChoice::Only(way);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let bound =
        runtime.expect("it starts").block_on(async { Worker::bind(config).await.map(drop) });
    if let Err(WorkerError::Run(mistakes)) = &bound {
        println!("skipped: {mistakes}");
        return false;
    }
    bound.expect("there is nothing else wrong");
    true
}

fn a_shorter_one_is_answered_first(way: &'static str) {
    if !is_possible(way) {
        return;
    }
    let worker = Running::configured(2, |run| run.park = ParkChoice::Only(way));
    worker.wait_for(READY, 2.0);
    // It takes many times what the shorter one does, on however busy a machine.
    let mut giant = worker.send("/burn?ms=2000", &["weighbridge-estimate: 2"]);
    worker.wait_for(BUSY, 1.0);
    let mut dwarf = worker.send("/burn?ms=1", &["weighbridge-estimate: 0.001"]);
    let dwarf = dwarf.response();
    assert_eq!(dwarf.status, 200);
    let in_flight = report_of(&dwarf).named_metrics["in_flight"];
    assert!((in_flight - 1.0).abs() < f64::EPSILON, "the giant is still there: {in_flight}");
    let giant = giant.response();
    assert_eq!(giant.status, 200);
    assert_ne!(pid_of(&giant), pid_of(&dwarf));
    let cpu_secs = report_of(&giant).request_cost["cpu_seconds"];
    assert!((1.8..3.0).contains(&cpu_secs), "{cpu_secs}");
    assert!(0.0 < worker.metric(PREEMPTIONS));
    // Both processes run again.
    let both = ["a", "b"].map(|name| worker.send(&format!("/{name}"), &[]));
    for mut one in both {
        assert_eq!(one.response().status, 200);
    }
}

#[test]
fn a_shorter_one_is_answered_first_with_control_groups() {
    a_shorter_one_is_answered_first("cgroup");
}

#[test]
fn a_shorter_one_is_answered_first_with_the_idle_policy() {
    a_shorter_one_is_answered_first("idle");
}

#[test]
fn a_shorter_one_is_answered_first_with_niceness() {
    a_shorter_one_is_answered_first("nice");
}

#[test]
fn a_shorter_one_is_answered_first_with_signals() {
    a_shorter_one_is_answered_first("stop");
}

#[test]
fn what_is_stopped_for_long_runs_for_a_moment() {
    let worker = Running::configured(2, |run| run.park = ParkChoice::Only("stop"));
    worker.wait_for(READY, 2.0);
    // The process that was used last is used next.
    let pid = pid_of(&worker.get("/"));
    let _giant = worker.send("/burn?ms=100000", &["weighbridge-estimate: 1000"]);
    worker.wait_for(BUSY, 1.0);
    let _dwarf = worker.send("/burn?ms=100000", &["weighbridge-estimate: 100"]);
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
        stat.rsplit_once(") ").expect("a state").1.chars().next()
    };
    eventually(|| if state() == Some('T') { Ok(()) } else { Err("not stopped".to_owned()) });
    let clock = ProcessClock::of(pid).expect("it lives");
    let used = || clock.cpu_time().expect("it lives");
    let before = used();
    eventually(|| match used() {
        used if before + Duration::from_millis(1) < used => Ok(()),
        used => Err(format!("at {used:?}")),
    });
    eventually(|| if state() == Some('T') { Ok(()) } else { Err("not stopped".to_owned()) });
}

#[test]
fn every_way_is_tested() {
    let ways: Vec<&str> = park_ways().map(|(name, _)| name).collect();
    assert_eq!(ways, ["cgroup", "idle", "nice", "stop"]);
}

#[test]
fn what_waits_for_one_process_goes_shortest_first() {
    let worker = Running::start(1);
    let mut first = worker.send("/burn?ms=500", &["weighbridge-estimate: 0.5"]);
    worker.wait_for(BUSY, 1.0);
    let mut long = worker.send("/burn?ms=300", &["weighbridge-estimate: 0.3"]);
    worker.wait_for(WAITING, 1.0);
    let mut short = worker.send("/burn?ms=1", &["weighbridge-estimate: 0.001"]);
    assert_eq!(first.response().status, 200);
    let left = report_of(&short.response()).named_metrics["in_flight"];
    assert!((left - 1.0).abs() < f64::EPSILON, "the longer one is still there: {left}");
    assert_eq!(long.response().status, 200);
}

#[test]
fn a_server_of_threads_has_as_many_as_it_may() {
    let worker = Running::configured(1, |run| {
        run.concurrency = 3;
        run.command = run.command.replace("server.py", "threads.py");
    });
    worker.wait_for(READY, 1.0);
    let mut at_once: Vec<_> =
        (0..3).map(|_| worker.send("/burn?ms=300", &["weighbridge-estimate: 0.3"])).collect();
    worker.wait_for(BUSY, 3.0);
    let mut waits = worker.send("/burn?ms=1", &[]);
    worker.wait_for(WAITING, 1.0);
    let costs = at_once.iter_mut().map(|one| {
        let answer = one.response();
        let report = report_of(&answer);
        assert!((report.named_metrics["discipline_ps"] - 1.0).abs() < f64::EPSILON);
        report.request_cost["cpu_seconds"]
    });
    let costs = costs.sum::<f64>();
    assert!((0.8..2.0).contains(&costs), "{costs}");
    assert_eq!(waits.response().status, 200);
}
