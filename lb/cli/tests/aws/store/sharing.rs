//! Models: one balancer trains, all use what it learned, and nobody reads more for more requests.

use std::sync::Arc;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use super::{CONFIG, ROUTES, has_models, leader, leads, place, place_with};
use crate::emulators::Emulator;
use crate::harness::balancer::Balancer;
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{Job, jobs, mixed};
use crate::harness::until;
use crate::wire::Wire;

/// Operations that read.
const READS: [&str; 2] = ["Query", "GetItem"];

/// Asks for all jobs, again and again, until it is so.
#[track_caller]
fn ask_until(what: &str, balancer: &Balancer, jobs: &[Job], is_so: impl Fn() -> bool) {
    let mut client = Client::new(balancer.listen);
    balancer.has_learned(what, || {
        for job in jobs {
            job.check(&client.ask(&job.request).expect("it answers")).expect("a right answer");
        }
        is_so().then_some(())
    });
}

/// The number behind `mark`.
fn told(timing: &str, mark: &str) -> f64 {
    let rest = timing.split(mark).nth(1).expect("it is told");
    rest.split([';', ',']).next().and_then(|ms| ms.parse().ok()).expect("a number")
}

#[test]
fn a_new_balancer_predicts_well_from_its_first_request() {
    let roto = Emulator::roto(None);
    let places = [place(&roto.url()), place(&roto.url())];
    let first = places[0].up("1..1");
    first.has_active(1);
    let jobs = jobs(&mut Client::new(first.listen), mixed());
    ask_until("models of all routes", &first, &jobs, || has_models(&first));

    let second = places[1].up("1..1");
    assert!(has_models(&second), "{}", second.json("/models"));
    second.has_active(1);
    for job in jobs.iter().take(ROUTES.len()) {
        let answer = second.ask(&job.request);
        job.check(&answer).expect("a right answer");
        let timing = answer.headers("server-timing");
        assert!(timing.contains("desc=\"model\""), "{timing}");
        let estimate = told(&timing, "estimate;dur=");
        // What a new worker meets for the first time costs it more, and so do busy neighbours.
        let again = (0..4).map(|_| second.ask(&job.request).headers("server-timing"));
        let works = std::iter::once(timing.clone()).chain(again);
        let work = works.map(|timing| told(&timing, "work;dur=")).fold(f64::INFINITY, f64::min);
        assert!(estimate < 5.0 * work && work < 5.0 * estimate, "{work} {timing}");
    }
    assert!(!leads(&second), "the first has the lease");
}

#[test]
fn of_two_balancers_one_trains_and_when_it_dies_the_other_does() {
    let roto = Emulator::roto(None);
    let places = [place(&roto.url()), place(&roto.url())];
    let mut pair = [places[0].up("1..1"), places[1].up("1..1")];
    let leading = leader(&[&pair[0], &pair[1]]);
    let other = 1 - leading;
    pair[other].has_active(1);
    // Only the one that does not train has requests.
    let jobs = jobs(&mut Client::new(pair[other].listen), mixed());
    ask_until("models of all routes", &pair[other], &jobs, || has_models(&pair[other]));
    assert!(leads(&pair[leading]) && !leads(&pair[other]));
    assert!(has_models(&pair[leading]), "it trained them: {}", pair[leading].json("/models"));

    pair[leading].process.kill();
    until("the other takes over", || leads(&pair[other]));
    let load = Load::closed(pair[other].listen, &jobs, 2);
    until("requests are served", || 20 < load.answered());
    load.stop().assert_faultless();
}

#[test]
fn a_balancer_that_stops_gives_its_lease_back() {
    let roto = Emulator::roto(None);
    let places = [(); 2].map(|()| place_with(&CONFIG.replace("\"6s\"", "\"10m\""), &roto.url()));
    let mut first = places[0].up("1..1");
    until("the first leads", || leads(&first));
    let second = places[1].up("1..1");
    second.has_active(1);
    assert!(!leads(&second));
    first.process.send(rustix::process::Signal::TERM);
    assert!(first.process.ends().success());
    drop(second);
    let second = places[1].up("1..1");
    until("the second leads, though the term has not ended", || leads(&second));
}

/// Reads of DynamoDB in `span`.
fn reads_in(wire: &Wire, span: Duration) -> u64 {
    let before = wire.count(&READS);
    let begun = Instant::now();
    while begun.elapsed() < span {
        park_timeout(span.saturating_sub(begun.elapsed()));
    }
    wire.count(&READS) - before
}

#[test]
fn reads_do_not_grow_with_the_rate_of_requests() {
    const SPAN: Duration = Duration::from_secs(4);
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let place = place(&wire.url());
    let balancer = place.up("1..1");
    balancer.has_active(1);
    until("it leads", || leads(&balancer));
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    ask_until("models of all routes", &balancer, &jobs, || has_models(&balancer));

    let idle = reads_in(&wire, SPAN);
    let one: Arc<[Job]> = jobs.iter().take(1).cloned().collect();
    let load = Load::closed(balancer.listen, &one, 4);
    let busy = reads_in(&wire, SPAN);
    let tally = load.stop();
    tally.assert_faultless();
    println!("{idle} reads without requests, {busy} with {}", tally.right);
    assert!(100 < tally.right, "{}", tally.right);
    // The looks are 0.3 to 0.5 s apart, and a model may be trained meanwhile.
    assert!(busy <= 2 * idle + 60, "{idle} reads without requests, {busy} with {}", tally.right);
    assert_eq!(wire.count(&["Scan"]), 0);
}
