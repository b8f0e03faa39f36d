//! Who is answered first.

use std::sync::mpsc::channel;
use std::thread;

use weighbridge_instrument::LoadReport;
use weighbridge_worker::disciplines;

use crate::client::{Response, get, request};
use crate::fixture::{Running, endless, raytrace_target, sphere};

const BUSY: &str = "weighbridge_worker_busy_slots";
const PREEMPTIONS: &str = "weighbridge_worker_preemptions_total{operation=\"raytrace\"}";

/// Races after which a giant has been parked, on however busy a machine.
const RACES_MAX: u32 = 20;

/// A request and the estimate that it comes with.
type Estimated = (String, Vec<u8>, &'static str);

/// Some tenths of a second, wherever it runs.
fn giant() -> Estimated {
    (raytrace_target(300, 200), endless().1, "weighbridge-estimate: 5.0")
}

fn dwarf() -> Estimated {
    (raytrace_target(4, 3), sphere(), "weighbridge-estimate: 0.001")
}

fn answer(worker: &Running, (target, body, estimate): &Estimated) -> Response {
    let answer = request(worker.address, "POST", target, &[estimate], body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn start(discipline: &str) -> Running {
    Running::configured(|config| {
        config.cores = 1;
        discipline.clone_into(&mut config.discipline);
    })
}

/// Sends a giant and, once that runs, a dwarf. The answers, first one first.
fn race(worker: &Running) -> [(&'static str, Response); 2] {
    let (tell, told) = channel();
    thread::scope(|scope| {
        let first = tell.clone();
        scope.spawn(move || first.send(("giant", answer(worker, &giant()))));
        worker.wait_for(BUSY, 1.0);
        scope.spawn(move || tell.send(("dwarf", answer(worker, &dwarf()))));
    });
    let answers = told.iter().collect::<Vec<_>>();
    answers.try_into().expect("both are answered")
}

/// What does not depend on the machine's load.
fn counts(answer: &Response) -> [Option<f64>; 4] {
    let report = answer.header("endpoint-load-metrics").expect("every operation has one");
    let cost = LoadReport::decode_header(report).expect("it is a report").request_cost;
    ["instructions", "basic_blocks", "methods", "bytes_allocated"]
        .map(|name| cost.get(name).copied())
}

/// One of the times in `queue;dur=0.123, run;dur=12.500`.
fn milliseconds(answer: &Response, span: &str) -> f64 {
    let timing = answer.header("server-timing").expect("what ran has one");
    let mut spans = timing.split(", ").filter_map(|entry| entry.split_once(";dur="));
    let (_, value) = spans.find(|(name, _)| *name == span).expect("it is told");
    value.parse().expect("it is a number")
}

#[test]
fn a_dwarf_is_answered_before_a_giant_that_runs_already() {
    let worker = start("srpt");
    let alone = answer(&worker, &giant());
    // A giant that the machine lets reach no checkpoint meanwhile gets the lowest priority instead
    // of being parked: then the dwarf is first as well, and nothing counts.
    for _ in 0..RACES_MAX {
        let [(first, _), (second, preempted)] = race(&worker);
        assert_eq!((first, second), ("dwarf", "giant"));
        assert_eq!(preempted.body, alone.body, "it went on where it stopped");
        assert_eq!(counts(&preempted), counts(&alone), "and cost the same");
        if 1.0 <= worker.metric(PREEMPTIONS) {
            return;
        }
    }
    panic!("the giant was never parked");
}

#[test]
fn first_come_first_served_lets_the_dwarf_wait_for_the_giant() {
    let worker = start("fcfs");
    let answers = race(&worker);
    let dwarf = answers.iter().find(|(name, _)| *name == "dwarf").expect("it is answered");
    // Not by whose answer is here first: the giant's is much longer.
    let [waited, ran] = ["queue", "run"].map(|span| milliseconds(&dwarf.1, span));
    assert!(ran < waited, "waited {waited} ms, ran {ran} ms");
    assert!(worker.metric(PREEMPTIONS).abs() < f64::EPSILON);
}

#[test]
fn processor_sharing_runs_more_requests_than_there_are_slots() {
    let worker = start("ps");
    thread::scope(|scope| {
        let giants = [(); 3].map(|()| scope.spawn(|| answer(&worker, &giant())));
        worker.wait_for(BUSY, 3.0);
        for giant in giants {
            giant.join().expect("no panic");
        }
    });
}

#[test]
fn a_report_tells_the_discipline_and_the_work_that_is_left() {
    for (discipline, _) in disciplines() {
        let worker = start(discipline);
        let report = || LoadReport::decode_json(get(worker.address, "/load").text());
        let named = report().expect("it is a report").named_metrics;
        for (other, _) in disciplines() {
            let told = named.get(&format!("discipline_{other}")).copied();
            assert_eq!(told, (other == discipline).then_some(1.0), "{named:?}");
        }
        for (name, value) in [("slots", 1.0), ("work_left", 0.0)] {
            assert!((named[name] - value).abs() < f64::EPSILON, "{name}: {named:?}");
        }

        thread::scope(|scope| {
            let giant = scope.spawn(|| answer(&worker, &giant()));
            worker.wait_for(BUSY, 1.0);
            let named = report().expect("it is a report").named_metrics;
            assert!((0.1..=5.0).contains(&named["work_left"]), "{named:?}");
            giant.join().expect("no panic");
        });
        let named = report().expect("it is a report").named_metrics;
        assert!(!named.contains_key("speed"), "only estimates would tell one: {named:?}");
        assert!(named["work_left"].abs() < f64::EPSILON, "{named:?}");
    }
}
