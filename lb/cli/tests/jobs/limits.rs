//! Limits: what exceeds one is refused with a clear word, and nothing acknowledged is lost.

use crate::client::{Connection, head};
use crate::service::{Gate, Service, gated, json, text};

const PREFER: &str = "Prefer: respond-async";

#[test]
fn one_job_too_many_is_refused_and_comes_later() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "waiting_max = 2\n");
    let kept = [service.accept("/1", &[], b"one"), service.accept("/2", &[], b"two")];
    let refused = service.ask("POST", "/3", &[PREFER], b"three");
    assert_eq!(refused.status, 503, "{}", text(&refused));
    assert!(refused.header("retry-after").is_some());
    assert!(text(&refused).contains("jobs.waiting_max"), "{}", text(&refused));
    gate.open(2);
    for (location, body) in kept.iter().zip(["one", "two"]) {
        assert_eq!(text(&service.result(location)), body);
    }
    gate.open(1);
    let third = service.accept("/3", &[], b"three");
    assert_eq!(text(&service.result(&third)), "three");
}

#[test]
fn requests_and_results_have_a_length_and_the_ledger_a_size() {
    let gate = Gate::default();
    gate.open(100);
    let host = gated(&gate);
    let jobs = "input_bytes_max = \"100KiB\"\nresult_bytes_max = \"50KiB\"\n\
                inline_bytes_max = \"1KiB\"\nbytes_max = \"1MiB\"\nretention = \"1h\"\n";
    let service = Service::start(&[&host], "", jobs);
    let long = vec![b'x'; 101 << 10];
    let announced = service.ask("POST", "/a", &[PREFER], &long);
    assert_eq!(announced.status, 413, "{}", text(&announced));
    let mut chunked = Connection::open(service.balancer.listen);
    chunked.send(head("POST", "/a", &[PREFER, "Transfer-Encoding: chunked"]));
    // It is refused before its end.
    let _refused = chunked.try_send(&crate::client::chunked(&long, 4096));
    assert_eq!(chunked.response("POST").status, 413);
    // The host sends back what it gets, which is more than may be kept.
    let location = service.accept("/a", &[], &long[..90 << 10]);
    let result = service.result(&location);
    assert_eq!(result.status, 413, "{}", text(&result));
    assert_eq!(service.operators(&location)["state"], "failed");
    let fits = service.accept("/a", &[], &long[..40 << 10]);
    assert_eq!(service.result(&fits).body.len(), 40 << 10);
    // 1 MiB is full after some of them; what was taken is there.
    let mut taken = Vec::new();
    let refused = loop {
        let answer = service.ask("POST", "/a", &[PREFER], &long[..40 << 10]);
        match answer.header("location") {
            Some(location) => taken.push(location.to_owned()),
            None => break answer,
        }
        assert!(taken.len() < 40, "1 MiB has been exceeded");
    };
    assert_eq!(refused.status, 503, "{}", text(&refused));
    assert!(json(&refused)["detail"].as_str().expect("text").contains("jobs.bytes_max"));
    for location in taken {
        assert_eq!(service.result(&location).body.len(), 40 << 10);
    }
}

#[test]
fn who_cannot_wait_any_longer_is_told_how_the_job_is() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "wait_max = \"0s\"\npolls_max = 1\n");
    let location = service.accept("/a", &[], b"");
    let told = service.ask("GET", &location, &["Prefer: wait=3600"], b"");
    assert_eq!((told.status, told.header("preference-applied")), (200, Some("wait=3600")));
    let none = Service::start(&[&host], "", "polls_max = 0\n");
    let location = none.accept("/a", &[], b"");
    let told = none.ask("GET", &location, &["Prefer: wait=3600"], b"");
    assert_eq!((told.status, told.header("preference-applied")), (200, None));
    let accepted = none.ask("POST", "/a", &["Prefer: respond-async, wait=3600"], b"");
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    gate.open(9);
}
