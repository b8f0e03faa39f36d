//! What a worker says of itself.

use std::collections::BTreeMap;
use std::time::Instant;

use weighbridge_instrument::{Counting, LoadReport, counting, off_reason};

use crate::client::{Connection, DEADLINE, Response, get, post};
use crate::fixture::{Running, data_url, endless, png, raytrace_target, sphere};

/// What does not depend on the machine's load.
const COUNTS: [&str; 4] = ["instructions", "basic_blocks", "methods", "bytes_allocated"];

#[track_caller]
fn report_of(answer: &Response) -> LoadReport {
    let report = answer.header("endpoint-load-metrics").expect("every operation has one");
    LoadReport::decode_header(report).expect("it is a report")
}

/// One request of each operation; each has a target and a body.
fn requests() -> Vec<(String, Vec<u8>)> {
    vec![
        ("/blurimage".to_owned(), data_url("png", &png(90, 70))),
        ("/enhanceimage".to_owned(), data_url("jpg", &png(120, 110))),
        (raytrace_target(60, 40), sphere()),
    ]
}

fn counts(worker: &Running, (target, body): &(String, Vec<u8>)) -> BTreeMap<String, f64> {
    let answer = post(worker.address, target, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut cost = report_of(&answer).request_cost;
    assert!(cost.get("cpu_seconds").is_some_and(|&seconds| 0.0 < seconds), "{cost:?}");
    cost.retain(|name, _| COUNTS.contains(&name.as_str()));
    cost
}

#[test]
fn every_answer_of_an_operation_has_a_report() {
    let worker = Running::start(2);
    let answer = post(worker.address, &raytrace_target(60, 40), &sphere());
    let report = report_of(&answer);
    assert!((0.0..=1.0).contains(&report.mem_utilization), "{report:?}");
    assert!(report.application_utilization.abs() < f64::EPSILON, "{report:?}");
    assert!(report.named_metrics["in_flight"].abs() < f64::EPSILON, "{report:?}");
    let build = report.named_metrics["build"];
    assert!(build.fract().abs() < f64::EPSILON && build < 2_f64.powi(48), "{build}");
    let timing = answer.header("server-timing").expect("it ran");
    assert!(timing.starts_with("queue;dur=") && timing.contains(", run;dur="), "{timing}");

    let refused = post(worker.address, "/blurimage", b"");
    assert!(report_of(&refused).request_cost.is_empty(), "it did not run");
    assert_eq!(refused.header("server-timing"), None);
    let failed = post(worker.address, "/blurimage", b"no image");
    assert!(report_of(&failed).request_cost.contains_key("cpu_seconds"), "it ran");
    assert_eq!(get(worker.address, "/").header("endpoint-load-metrics"), None);
}

#[test]
fn the_load_is_reported_to_who_asks() {
    let worker = Running::start(1);
    let (target, body) = endless();
    let mut long = Connection::open(worker.address);
    long.request("POST", &target, &[], &body);
    worker.wait_for("weighbridge_worker_busy_slots", 1.0);

    let answer = get(worker.address, "/load");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let report = LoadReport::decode_json(answer.text()).expect("it is a report");
    assert!((report.application_utilization - 1.0).abs() < f64::EPSILON, "{report:?}");
    assert!((report.named_metrics["in_flight"] - 1.0).abs() < f64::EPSILON, "{report:?}");
    assert!(report.request_cost.is_empty(), "{report:?}");
}

#[test]
fn utilization_shows_a_busy_core() {
    let worker = Running::start(1);
    let (target, body) = endless();
    let mut long = Connection::open(worker.address);
    long.request("POST", &target, &[], &body);
    let (mut report, start) = (LoadReport::default(), Instant::now());
    while report.cpu_utilization < 0.1 {
        assert!(start.elapsed() < DEADLINE, "{report:?}");
        let answer = get(worker.address, "/load");
        report = LoadReport::decode_json(answer.text()).expect("it is a report");
    }
    assert!(0.0 < report.mem_utilization, "{report:?}");
}

#[test]
fn the_same_request_costs_the_same_whatever_runs_beside_it() {
    if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        assert_ne!(counting(), Counting::Off, "{}", off_reason().unwrap_or_default());
    }
    let worker = Running::start(2);
    let alone = requests().iter().map(|one| counts(&worker, one)).collect::<Vec<_>>();
    let again = requests().iter().map(|one| counts(&worker, one)).collect::<Vec<_>>();
    assert_eq!(alone, again);

    let (target, body) = endless();
    let mut beside = Connection::open(worker.address);
    beside.request("POST", &target, &[], &body);
    worker.wait_for("weighbridge_worker_busy_slots", 1.0);
    let crowded = requests().iter().map(|one| counts(&worker, one)).collect::<Vec<_>>();
    assert_eq!(alone, crowded);
    if counting() != Counting::Off {
        assert!(alone.iter().all(|cost| cost.len() == COUNTS.len()), "{alone:?}");
    }
}
