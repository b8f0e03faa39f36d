//! How far a job is, as its worker says.

use std::net::SocketAddr;

use crate::harness::balancer::{Place, worker};
use crate::harness::eventually;
use crate::harness::requests::scene;
use crate::service::{ask, config, json, text};

/// More than any test waits for.
const ENDLESS: &str = "/raytracer?scols=2000&srows=2000&wcols=2000&wrows=2000&coff=0&roff=0";

/// What the worker says that it has spent on attempts of jobs, in CPU-seconds.
fn spent(worker: SocketAddr) -> Vec<f64> {
    let report = json(&ask(worker, "GET", "/load", &[], b""));
    let named = report["named_metrics"].as_object().expect("an object").clone();
    let spent = named.into_iter().filter(|(name, _)| name.starts_with("spent_"));
    spent.filter_map(|(_, secs)| secs.as_f64()).collect()
}

#[test]
fn a_job_is_as_far_as_its_worker_says() {
    let (_process, address) = worker(SocketAddr::from(([127, 0, 0, 1], 0)));
    let place = Place::new(&config(&[address], "prior = \"10s\"\n", ""));
    let balancer = place.serve();
    balancer.has_active(1);
    let prefer = ["Prefer: respond-async"];
    let accepted = ask(balancer.listen, "POST", ENDLESS, &prefer, &scene(1000));
    assert_eq!(accepted.status, 202, "{}", text(&accepted));
    let location = accepted.header("location").expect("a place").to_owned();
    let told = || json(&ask(balancer.listen, "GET", &location, &[], b""));
    let work = told()["work_seconds"].as_f64().expect("a number");
    let before = eventually("the worker has begun", || {
        let spent = spent(address);
        assert!(spent.len() <= 1, "{spent:?}");
        spent.first().copied().filter(|secs| 0.05 * work < *secs)
    });
    // What is asked of the balancer is between what the worker says before and after.
    let progress = eventually("the balancer has heard of it", || {
        told()["progress"].as_f64().filter(|part| before <= part * work)
    });
    let after = spent(address).first().copied().expect("it runs");
    assert!(progress * work <= after, "{progress} of {work} s, {before} s to {after} s");
    let page = ask(balancer.listen, "GET", &location, &["Accept: text/html"], b"");
    assert!(text(&page).contains("<progress max=\"1\" value=\"0."), "{}", text(&page));
    assert!(told()["predicted_finish"].is_string());
    let cancelled = ask(balancer.listen, "DELETE", &location, &[], b"");
    assert_eq!(cancelled.status, 202);
    eventually("the worker has given it up", || spent(address).is_empty().then_some(()));
}
