//! Several balancers: any answers for any job, and takes over what another held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{accept, objects, place, roto, serve};
use crate::client::pattern;
use crate::harness::{eventually, until};
use crate::host::{Host, Then, answer};
use crate::service::{Gate, ask, echo, gated, result, text};

#[test]
fn any_balancer_answers_for_a_job_of_another() {
    let roto = roto();
    let host = echo();
    let places = [(); 2].map(|()| place(&[&host], (&roto.url(), &roto.url()), ""));
    let [one, other] = [serve(&places[0], 1), serve(&places[1], 1)];
    let location = accept(&one, "/a?x=1", &[], b"body");
    let answer = result(other.listen, &location);
    assert_eq!((answer.status, text(&answer).as_str()), (200, "POST /a?x=1 HTTP/1.1|body"));
    assert_eq!(answer.header("x-kept"), Some("yes"));
    // A repeat finds it wherever it comes.
    let key = ["Prefer: respond-async", "Idempotency-Key: \"one\""];
    let first = accept(&one, "/b", &key[1..], b"body");
    let repeated = ask(other.listen, "POST", "/b", &key, b"body");
    assert_eq!(repeated.header("location"), Some(first.as_str()));
    assert_eq!(ask(other.listen, "POST", "/b", &key, b"another").status, 422);
    result(other.listen, &first);
    assert_eq!(host.heard().len(), 2);
    // What operators see is the same, soon.
    until("both are listed by both", || {
        [&one, &other].iter().all(|balancer| {
            let listed = balancer.json("/jobs?state=succeeded");
            listed["jobs"].as_array().is_some_and(|jobs| jobs.len() == 2)
        })
    });
    until("they are counted", || {
        (other.metric("weighbridge_jobs", "state=\"succeeded\"") - 2.0).abs() < f64::EPSILON
    });
}

#[test]
fn long_bodies_and_results_go_through_the_bucket() {
    let roto = roto();
    let host = Host::mirror();
    let url = roto.url();
    let place = place(&[&host], (&url, &url), "retention = \"3s\"\naws.link_for = \"1m\"\n");
    let balancer = serve(&place, 1);
    let body = pattern(9 << 20);
    let location = accept(&balancer, "/a", &[], &body);
    let at = eventually("it has ended", || {
        let told = ask(balancer.listen, "GET", &location, &["Prefer: wait=10"], b"");
        told.header("location").filter(|_| told.status == 303).map(str::to_owned)
    });
    assert_eq!(objects(&roto), 2);
    let sent = ask(balancer.listen, "GET", &at, &[], b"");
    assert_eq!(sent.status, 307, "{}", text(&sent));
    let link = sent.header("location").expect("a link").to_owned();
    let path = link.strip_prefix(&url).expect("it leads to the bucket");
    let fetched = ask(roto.address(), "GET", path, &[], b"");
    assert_eq!((fetched.status, fetched.body.len()), (200, body.len()));
    assert!(fetched.body == body, "other bytes");
    until("the job is forgotten", || {
        ask(balancer.listen, "GET", &location, &[], b"").status == 410
    });
    until("its objects are gone", || objects(&roto) == 0);
}

#[test]
fn a_killed_balancers_jobs_are_taken_over_when_its_leases_end() {
    let roto = roto();
    let gate = Gate::default();
    let host = gated(&gate);
    let keys = "lease_min = \"2s\"\nlease_max = \"2s\"\n";
    let places = [(); 2].map(|()| place(&[&host], (&roto.url(), &roto.url()), keys));
    let mut one = serve(&places[0], 1);
    let location = accept(&one, "/a", &[], b"body");
    until("a host has it", || host.heard().len() == 1);
    let other = serve(&places[1], 1);
    one.process.kill();
    until("it is begun again", || host.heard().len() == 2);
    gate.open(10);
    assert_eq!(text(&result(other.listen, &location)), "body");
    let told = other.json(&location);
    assert_eq!((&told["state"], &told["attempt"]), (&"succeeded".into(), &2.into()), "{told}");
}

/// Each job counts itself at the host; two balancers race for each of them.
#[test]
fn of_a_hundred_jobs_of_two_balancers_each_runs_once() {
    let roto = roto();
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let host = Host::start(move |heard, client| {
        counted.fetch_add(1, Ordering::AcqRel);
        answer(client, "200 OK", &[], &heard.body);
        Then::Keep
    });
    let places = [(); 2].map(|()| place(&[&host], (&roto.url(), &roto.url()), ""));
    let balancers = places.each_ref().map(|place| serve(place, 1));
    let locations: Vec<String> = (0..100)
        .map(|n| accept(&balancers[n % 2], "/a", &[], format!("body {n}").as_bytes()))
        .collect();
    for (n, location) in locations.iter().enumerate() {
        let answer = result(balancers[(n + 1) % 2].listen, location);
        assert_eq!(text(&answer), format!("body {n}"));
        let told = balancers[0].json(location);
        assert_eq!(told["attempt"], 1, "{told}");
    }
    assert_eq!(ran.load(Ordering::Acquire), 100);
}
