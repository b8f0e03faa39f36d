//! Signals that operators and log rotation send, and the limit of a file's size.

use std::fs;
use std::thread;

use rustix::process::Signal;

use crate::harness::balancer::Place;
use crate::harness::client::Client;
use crate::harness::requests::ray_trace;
use crate::harness::until;

#[test]
fn no_request_is_lost_by_a_signal_that_does_not_ask_for_the_end() {
    let place = Place::new("");
    let mut balancer = place.up("1..1");
    balancer.has_active(1);
    let log = place.as_ref().join("access.jsonl");
    let moved = place.as_ref().join("access.jsonl.1");
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::XFSZ] {
        let address = balancer.listen;
        // About a second of work.
        let asked = thread::spawn(move || Client::new(address).ask(&ray_trace(700, 60)));
        balancer.has_in_flight(1);
        fs::rename(&log, &moved).expect("the log is there");
        balancer.process.send(signal);
        if [Signal::HUP, Signal::USR1].contains(&signal) {
            until("the log is made anew", || log.exists());
        } else {
            fs::rename(&moved, &log).expect("it was moved");
        }
        let answer = asked.join().expect("no panic").expect("an answer");
        assert_eq!(answer.status, 200, "{signal:?}: {}", answer.text());
        until("it is logged", || !place.log().is_empty());
    }
    balancer.process.send(Signal::TERM);
    assert!(balancer.process.ends().success());
}

#[test]
fn no_request_is_lost_where_the_access_log_may_not_grow() {
    let place = Place::new("[store]\nkind = \"off\"\n");
    let balancer = place.serve_with_small_files(8);
    balancer.has_active(1);
    let mut client = Client::new(balancer.listen);
    until("lines are lost", || {
        let answer = client.ask(&ray_trace(8, 1)).expect("it is answered");
        assert_eq!(answer.status, 200, "{}", answer.text());
        0.0 < balancer.metric("weighbridge_access_log_dropped_lines_total", "")
    });
    assert_eq!(client.ask(&ray_trace(8, 1)).expect("it is answered").status, 200);
}
