//! What a job comes to by what hosts answer, and how often it is tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::host::{Host, Then, answer};
use crate::service::{Service, json, text};

/// A host whose nth answer has the nth of these statuses, and the last one from then on.
fn answering(statuses: &'static [&'static str]) -> (Host, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let nth = Arc::clone(&count);
    let host = Host::start(move |_, client| {
        let n = nth.fetch_add(1, Ordering::SeqCst);
        let status = statuses[n.min(statuses.len() - 1)];
        let headers: &[&str] = if status.starts_with("503") { &["Retry-After: 0"] } else { &[] };
        answer(client, status, headers, status.as_bytes());
        Then::Keep
    });
    (host, count)
}

#[test]
fn a_job_is_tried_again_until_a_host_answers_for_good() {
    for (statuses, state, attempts, body) in [
        (&["200 OK"][..], "succeeded", 1, "200 OK"),
        (&["302 Found"], "succeeded", 1, "302 Found"),
        (&["404 Not Found"], "failed", 1, "404 Not Found"),
        (&["500 Oops", "500 Oops", "200 OK"], "succeeded", 3, "200 OK"),
        (&["429 Too Many", "200 OK"], "succeeded", 2, "200 OK"),
    ] {
        let (host, count) = answering(statuses);
        let service = Service::start(&[&host], "", "backoff_max = \"20ms\"\n");
        let location = service.accept("/a", &[], b"");
        let result = service.result(&location);
        assert_eq!(text(&result), body, "{statuses:?}");
        let told = service.operators(&location);
        assert_eq!(told["state"], state, "{told}");
        assert_eq!(told["attempt"], attempts, "{told}");
        assert_eq!(count.load(Ordering::SeqCst), attempts, "{statuses:?}");
    }
}

#[test]
fn a_job_whose_attempts_are_spent_is_dead_until_an_operator_retries_it() {
    let (host, count) = answering(&["500 Oops", "500 Oops", "500 Oops", "200 OK"]);
    let service = Service::start(&[&host], "", "attempts_max = 3\nbackoff_max = \"20ms\"\n");
    let location = service.accept("/a", &[], b"");
    let told = service.becomes(&location, "dead");
    assert_eq!(told["reason"], "a host answered 500");
    assert_eq!(count.load(Ordering::SeqCst), 3);
    // To its client it has ended, without a result.
    let status = service.status(&location);
    assert_eq!((status["state"].as_str(), status["result"].as_str()), (Some("dead"), None));
    assert_eq!(service.ask("GET", &format!("{location}/result"), &[], b"").status, 404);
    assert_eq!(service.ask("DELETE", &location, &[], b"").status, 409);
    let admin = service.balancer.admin;
    let retried = crate::service::ask(admin, "POST", &format!("{location}/retry"), &[], b"");
    assert_eq!(retried.status, 202, "{}", text(&retried));
    assert_eq!(text(&service.result(&location)), "200 OK");
    let again = crate::service::ask(admin, "POST", &format!("{location}/retry"), &[], b"");
    assert_eq!(again.status, 409, "{}", text(&again));
}

#[test]
fn a_job_outlives_its_balancer_and_its_result_does_too() {
    let (host, _) = answering(&["200 OK"]);
    let mut service = Service::start(&[&host], "", "");
    let location = service.accept("/a", &[], b"body");
    assert_eq!(text(&service.result(&location)), "200 OK");
    service.balancer.process.kill();
    let again = service.place.serve();
    assert_eq!(text(&crate::service::result(again.listen, &location)), "200 OK");
    let metric = again.metric("weighbridge_jobs", "state=\"succeeded\"");
    crate::harness::until("it is counted", || {
        (again.metric("weighbridge_jobs", "state=\"succeeded\"") - 1.0).abs() < f64::EPSILON
    });
    assert!(metric <= 1.0);
}

#[test]
fn a_job_expires_that_no_host_takes_in_time() {
    let (host, count) = answering(&["200 OK"]);
    let text = crate::service::config(&[host.address], "", "expire_after = \"1s\"\n");
    drop(host);
    // Nobody listens there.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nowhere.local_addr().expect("it is bound");
    drop(nowhere);
    let text = with_host_at(&text, address);
    let place = crate::harness::balancer::Place::new(&text);
    let balancer = place.serve();
    let headers = ["Prefer: respond-async"];
    let accepted = crate::service::ask(balancer.listen, "POST", "/a", &headers, b"");
    assert_eq!(accepted.status, 202, "{}", crate::service::text(&accepted));
    let location = accepted.header("location").expect("a place").to_owned();
    crate::harness::until("it expires", || balancer.json(&location)["state"] == "expired");
    let told = crate::service::ask(balancer.listen, "GET", &location, &[], b"");
    assert_eq!((told.status, json(&told)["state"].as_str()), (200, Some("expired")));
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

/// `text` with `address` in place of that of its host.
fn with_host_at(text: &str, address: std::net::SocketAddr) -> String {
    let (before, rest) = text.split_once("address = \"").expect("a host");
    let (_, after) = rest.split_once('"').expect("its end");
    format!("{before}address = \"{address}\"{after}")
}

#[test]
fn a_job_that_a_host_has_room_for_runs_as_it_is_accepted() {
    let (host, count) = answering(&["200 OK"]);
    let service = Service::start(&[&host], "", "");
    // Now and then the line is looked at, and a job that comes then waits for that.
    let states: Vec<String> = (0..20)
        .map(|_| {
            let accepted = service.ask("POST", "/a", &["Prefer: respond-async"], b"");
            assert_eq!(accepted.status, 202, "{}", text(&accepted));
            service.result(accepted.header("location").expect("a place"));
            json(&accepted)["state"].as_str().expect("a state").to_owned()
        })
        .collect();
    assert!(states.iter().any(|state| state == "running"), "{states:?}");
    assert!(states.iter().all(|state| ["running", "queued"].contains(&&**state)), "{states:?}");
    assert_eq!(count.load(Ordering::SeqCst), states.len(), "each runs once");
}
