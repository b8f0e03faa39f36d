//! Films over sockets: among other requests, and for clients that go away.

use std::sync::mpsc::channel;
use std::thread;

use super::look::look;
use super::{FORM, Form, small};
use crate::client::{Connection, Response, request};
use crate::fixture::{Running, png, raytrace_target, sphere};

const BUSY: &str = "weighbridge_worker_busy_slots";
const ABANDONED: &str = "weighbridge_worker_abandoned_requests_total{operation=\"video\"}";
const PREEMPTIONS: &str = "weighbridge_worker_preemptions_total{operation=\"video\"}";

/// Films after which one has been parked, on however busy a machine.
const RACES_MAX: u32 = 20;

/// Some seconds of work: hundreds of frames that fade.
fn long() -> Form {
    let form = (1..4).fold(Form::default(), |form, nth| form.photo(&png(400 * nth, 300)));
    form.size(640, 360).text("seconds", "0.1").text("fade", 3)
}

fn content_type() -> String {
    format!("Content-Type: {FORM}")
}

fn answer(worker: &Running, form: &Form, estimate: &str) -> Response {
    let headers = [&content_type()[..], estimate];
    let answer = request(worker.address, "POST", "/video", &headers, &form.body());
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer
}

#[test]
fn a_film_is_answered_with_its_cost() {
    let worker = Running::start(1);
    let answer = answer(&worker, &small(64), "Accept: video/mp4");
    assert_eq!(answer.header("content-type"), Some("video/mp4"));
    assert_eq!(look(&answer.body, &[]).times.len(), 6);
    let report = answer.header("endpoint-load-metrics").expect("every operation has one");
    for name in ["instructions", "cpu_seconds"] {
        assert!(report.contains(name), "{report}");
    }
}

#[test]
fn a_wrong_request_is_a_problem() {
    let worker = Running::start(1);
    let body = Form::default().text("fps", 61).body();
    let refused = request(worker.address, "POST", "/video", &[&content_type()], &body);
    let detail = refused.assert_problem(400, Some("body"));
    let expected = "`fps`: it is `61`, expected a whole number from 1 to 60; `photos`: there is \
                    none, expected 1 to 200 files";
    assert_eq!(detail, expected);
}

#[test]
fn a_client_that_hangs_up_frees_its_slot() {
    let worker = Running::start(1);
    let mut connection = Connection::open(worker.address);
    connection.request("POST", "/video", &[&content_type()], &long().body());
    worker.wait_for(BUSY, 1.0);
    drop(connection);
    worker.wait_for(ABANDONED, 1.0);
    worker.wait_for(BUSY, 0.0);
}

#[test]
fn a_film_is_parked_for_a_shorter_request_and_goes_on() {
    let worker = Running::start(1);
    // Of many small frames: a film that reaches no checkpoint in time gets the lowest priority
    // instead of being parked.
    let film = (1..4).fold(Form::default(), |form, nth| form.photo(&png(400 * nth, 300)));
    let film = film.size(64, 48).text("seconds", "0.1").text("fade", 10).text("fps", 60);
    let alone = answer(&worker, &film, "weighbridge-estimate: 50.0");
    for _ in 0..RACES_MAX {
        let (tell, told) = channel();
        thread::scope(|scope| {
            let first = tell.clone();
            let (film, worker) = (&film, &worker);
            scope.spawn(move || {
                first.send(("film", answer(worker, film, "weighbridge-estimate: 50.0")))
            });
            worker.wait_for(BUSY, 1.0);
            scope.spawn(move || {
                let headers = ["weighbridge-estimate: 0.001"];
                let target = raytrace_target(4, 3);
                let dwarf = request(worker.address, "POST", &target, &headers, &sphere());
                tell.send(("dwarf", dwarf))
            });
        });
        let answers: Vec<(&str, Response)> = told.iter().collect();
        assert_eq!((answers[0].0, answers[1].0), ("dwarf", "film"));
        assert!(answers[1].1.body == alone.body, "it went on where it stopped");
        if 1.0 <= worker.metric(PREEMPTIONS) {
            return;
        }
    }
    panic!("the film was never parked");
}
