//! The failure matrix, a test of each row's name. "Webhook target away" is beside the callbacks,
//! "scale-in" in `followed.rs`; "clock jumps" is in the core, for no clock of this machine can be
//! moved for a test. The embedded queue is in the ledger: "queue away" is "ledger away".

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::client::{Connection, Response, request};
use crate::harness::balancer::{Balancer, Place, worker};
use crate::harness::process::Process;
use crate::harness::requests::scene;
use crate::harness::{eventually, until};
use crate::host::{Host, Then, answer};
use crate::service::{Gate, Service, ask, config, echo, gated, json, result, text};

const PREFER: &str = "Prefer: respond-async";

/// Some seconds of work of a worker: it does not end before it is killed.
const LONG: &str = "/raytracer?scols=1500&srows=1500&wcols=1500&wrows=1500&coff=0&roff=0";

/// More than any test waits for.
const ENDLESS: &str = "/raytracer?scols=2000&srows=2000&wcols=2000&wrows=2000&coff=0&roff=0";

/// Workers of their own, and where they are.
fn workers(n: usize) -> (Vec<Process>, Vec<SocketAddr>) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    (0..n).map(|_| worker(any)).unzip()
}

#[track_caller]
fn accept(balancer: &Balancer, target: &str, body: &[u8]) -> String {
    let accepted = ask(balancer.listen, "POST", target, &[PREFER], body);
    assert_eq!(accepted.status, 202, "{}", text(&accepted));
    accepted.header("location").expect("a place").to_owned()
}

/// The answer to a request that is no job, once no worker has it any longer.
#[track_caller]
fn ask_first(balancer: &Balancer, body: &[u8]) -> Response {
    let answer = ask(balancer.listen, "POST", LONG, &[], body);
    balancer.assert_idle();
    answer
}

/// Where the worker is that runs a request: the balancer counts one before it is there.
#[track_caller]
fn busy(balancer: &Balancer) -> SocketAddr {
    let addresses: Vec<SocketAddr> =
        balancer.hosts().iter().map(|host| host.address().parse().expect("an address")).collect();
    let runs = |address: &SocketAddr| {
        text(&ask(*address, "GET", "/metrics", &[], b""))
            .contains("\nweighbridge_worker_busy_slots 1\n")
    };
    eventually("a worker with a job", || addresses.iter().copied().find(runs))
}

#[track_caller]
fn assert_done_once(balancer: &Balancer, location: &str, expected: &Response, attempts: u64) {
    let result = result(balancer.listen, location);
    assert_eq!((result.status, &result.body), (200, &expected.body));
    let told = balancer.json(location);
    assert_eq!(told["attempt"].as_u64(), Some(attempts), "{told}");
    assert_eq!(told["state"], "succeeded");
    balancer.assert_idle();
}

#[test]
fn worker_killed() {
    let (mut processes, addresses) = workers(2);
    let place = Place::new(&config(&addresses, "", ""));
    let balancer = place.serve();
    balancer.has_active(2);
    let expected = ask_first(&balancer, &scene(240));
    let location = accept(&balancer, LONG, &scene(240));
    let hit = addresses.iter().position(|one| *one == busy(&balancer)).expect("it is one of them");
    processes[hit].kill();
    assert_done_once(&balancer, &location, &expected, 2);
    let lost = balancer.metric("weighbridge_job_attempts_failed_total", "reason=\"host_lost\"");
    assert!((lost - 1.0).abs() < f64::EPSILON, "{lost}");
}

#[test]
fn workers_host_frozen() {
    let (processes, addresses) = workers(2);
    let place = Place::new(&config(&addresses, "", ""));
    let balancer = place.serve();
    balancer.has_active(2);
    let expected = ask_first(&balancer, &scene(60));
    let location = accept(&balancer, LONG, &scene(60));
    let hit = addresses.iter().position(|one| *one == busy(&balancer)).expect("it is one of them");
    processes[hit].send(Signal::STOP);
    let result = result(balancer.listen, &location);
    assert_eq!((result.status, &result.body), (200, &expected.body));
    assert_eq!(balancer.json(&location)["attempt"], 2);
    processes[hit].send(Signal::CONT);
}

#[test]
fn balancer_killed() {
    let (_processes, addresses) = workers(1);
    let place = Place::new(&config(&addresses, "", ""));
    let mut balancer = place.serve();
    balancer.has_active(1);
    let expected = ask_first(&balancer, &scene(60));
    let [first, second] = [(); 2].map(|()| accept(&balancer, LONG, &scene(60)));
    busy(&balancer);
    balancer.process.kill();
    // It sees at once that who held it is gone: the lease would last for 30 s.
    let balancer = place.serve();
    let attempts = [&first, &second].map(|location| {
        let result = result(balancer.listen, location);
        assert_eq!((result.status, &result.body), (200, &expected.body));
        balancer.json(location)["attempt"].as_u64().expect("a number")
    });
    assert!((3..=4).contains(&attempts.iter().sum::<u64>()), "{attempts:?}");
}

/// Two balancers with one folder of jobs.
fn two(hosts: &[SocketAddr], jobs: &str) -> (tempfile::TempDir, [Place; 2], [Balancer; 2]) {
    let shared = tempfile::tempdir().expect("a folder");
    let jobs = format!("folder = \"{}\"\n{jobs}", shared.path().join("jobs").display());
    let places = [(); 2].map(|()| Place::new(&config(hosts, "", &jobs)));
    let balancers = [places[0].serve(), places[1].serve()];
    for balancer in &balancers {
        balancer.has_active(hosts.len());
    }
    (shared, places, balancers)
}

/// Whether a balancer runs a job.
fn runs(balancer: &Balancer) -> bool {
    balancer.metric("weighbridge_jobs_running", "") > 0.5
}

/// Whether it is the first of the two that runs the job.
fn is_of_first(one: &Balancer, other: &Balancer) -> bool {
    eventually("one of them runs it", || match (runs(one), runs(other)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        (false, false) => None,
    })
}

#[test]
fn another_balancer_takes_over_what_a_killed_one_held() {
    let gate = Gate::default();
    let host = gated(&gate);
    let (_shared, _places, [mut one, other]) = two(&[host.address], "");
    let location = accept(&one, "/a", b"body");
    until("a host has it", || host.heard().len() == 1);
    let is_ones = is_of_first(&one, &other);
    let mut other = other;
    let survivor = if is_ones {
        one.process.kill();
        &other
    } else {
        other.process.kill();
        &one
    };
    until("a host has it again", || host.heard().len() == 2);
    gate.open(2);
    assert_eq!(text(&result(survivor.listen, &location)), "body");
    assert_eq!(survivor.json(&location)["attempt"], 2);
}

/// Both balancers see the same line, and want the same jobs: one of them has each.
#[test]
fn message_twice() {
    const JOBS: usize = 40;
    let host = echo();
    let (_shared, _places, [one, other]) = two(&[host.address], "");
    let locations: Vec<String> = (0..JOBS)
        .map(|n| accept(if n % 2 == 0 { &one } else { &other }, &format!("/{n}"), b""))
        .collect();
    for (n, location) in locations.iter().enumerate() {
        let expected = format!("POST /{n} HTTP/1.1|");
        assert_eq!(text(&result(one.listen, location)), expected);
        assert_eq!(other.json(location)["attempt"], 1);
    }
    assert_eq!(host.heard().len(), JOBS, "each has run once");
}

#[test]
fn balancer_cut_off_still_running_and_lease_lost_while_running() {
    // Each execution has an answer of its own.
    let gate = Gate::default();
    let (passing, count) = (gate.clone(), std::sync::atomic::AtomicUsize::new(0));
    let host = Host::start(move |_, client| {
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        passing.pass();
        answer(client, "200 OK", &[], nth.to_string().as_bytes());
        Then::Keep
    });
    let (_shared, _places, [one, other]) =
        two(&[host.address], "lease_min = \"1s\"\nlease_max = \"1s\"\n");
    let location = accept(&one, "/a", b"");
    until("a host has it", || host.heard().len() == 1);
    let is_ones = is_of_first(&one, &other);
    let (frozen, alive) = if is_ones { (&one, &other) } else { (&other, &one) };
    frozen.process.send(Signal::STOP);
    until("another has taken it over", || host.heard().len() == 2);
    // The answer of the first comes to the one that is frozen.
    gate.open(2);
    let first = text(&result(alive.listen, &location));
    frozen.process.send(Signal::CONT);
    until("the frozen one has noticed", || !runs(frozen));
    assert_eq!(text(&result(frozen.listen, &location)), first);
    assert_eq!(text(&result(alive.listen, &location)), first, "there is one result");
    assert_eq!(alive.json(&location)["attempt"], 2);
}

#[test]
fn ledger_away() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "");
    let location = service.accept("/a", &[], b"body");
    until("a host has it", || host.heard().len() == 1);
    let file = service.place.data().join("jobs/jobs.sqlite");
    let locked = rusqlite::Connection::open(file).expect("it opens");
    locked.execute_batch("BEGIN IMMEDIATE").expect("it is free");
    let refused = service.ask("POST", "/b", &[PREFER], b"");
    assert_eq!(refused.status, 503, "{}", text(&refused));
    assert!(refused.header("retry-after").is_some());
    gate.open(1);
    until("the commit has failed", || {
        service.balancer.metric("weighbridge_loop_failures_total", "jobs_commit") > 0.5
    });
    locked.execute_batch("ROLLBACK").expect("it is ours");
    assert_eq!(text(&service.result(&location)), "body");
    assert_eq!(service.operators(&location)["attempt"], 1, "it was not done twice");
    assert_eq!(host.heard().len(), 1);
}

#[test]
fn object_store_away() {
    let host = echo();
    let service =
        Service::start(&[&host], "", "inline_bytes_max = \"1KiB\"\nbackoff_max = \"50ms\"\n");
    let objects = service.place.data().join("jobs/objects");
    let aside = objects.with_extension("aside");
    let small = service.accept("/small", &[], b"body");
    assert_eq!(service.result(&small).status, 200);
    std::fs::rename(&objects, &aside).expect("it is there");
    std::fs::write(&objects, "no folder").expect("the name is free");
    let refused = service.ask("POST", "/a", &[PREFER], &[b'x'; 5000]);
    assert_eq!(refused.status, 503, "{}", text(&refused));
    // What needs no object goes on.
    let small = service.accept("/small", &[], b"body");
    assert_eq!(service.result(&small).status, 200);
    // A result that cannot be kept is made again, and counts as no attempt.
    let long = "/".to_owned() + &"x".repeat(3000);
    let location = service.accept(&long, &[], b"");
    until("it was made more than once", || {
        host.heard().iter().filter(|heard| heard.is_for(&long)).count() > 6
    });
    std::fs::remove_file(&objects).expect("it is a file");
    std::fs::rename(&aside, &objects).expect("it is there");
    let result = service.result(&location);
    assert!(result.status == 200 && 3000 < result.body.len(), "{}", result.status);
    assert!(6 < service.operators(&location)["attempt"].as_u64().expect("a number"));
}

#[test]
fn poison() {
    // The host reads it, and the connection ends: as if it had died.
    let dying = Host::start(|heard, client| {
        if heard.is_for("/good") {
            answer(client, "200 OK", &[], b"");
            return Then::Keep;
        }
        Then::Close
    });
    let service = Service::start(&[&dying], "", "host_deaths_max = 3\n");
    let location = service.accept("/poison", &[], b"");
    let told = service.becomes(&location, "dead");
    assert_eq!(
        (told["attempt"].as_u64(), told["reason"].as_str()),
        (Some(3), Some("the host died under it"))
    );
    assert_eq!(dying.heard().len(), 3, "no more hosts die of it");
    let good = service.accept("/good", &[], b"");
    assert_eq!(service.result(&good).status, 200);
}

#[test]
fn client_gone_while_waiting() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "");
    let mut client = Connection::open(service.balancer.listen);
    client.send(request("POST", "/a", &["Prefer: respond-async, wait=60"], b""));
    until("it runs", || host.heard().len() == 1);
    // Longer than a client that only closes its sending half waits with that.
    std::thread::park_timeout(std::time::Duration::from_millis(100));
    drop(client);
    let admin = service.balancer.admin;
    until("nobody can ask for it: it is cancelled", || {
        json(&ask(admin, "GET", "/jobs?state=cancelled", &[], b""))["jobs"][0]["path"] == "/a"
    });
    service.balancer.assert_idle();
    gate.open(1);
}

#[test]
fn cancel_while_running() {
    let (_processes, addresses) = workers(1);
    let place = Place::new(&config(&addresses, "", ""));
    let balancer = place.serve();
    balancer.has_active(1);
    let endless = accept(&balancer, ENDLESS, &scene(1000));
    busy(&balancer);
    let cancelled = ask(balancer.listen, "DELETE", &endless, &[], b"");
    assert_eq!(cancelled.status, 202, "{}", text(&cancelled));
    balancer.assert_idle();
    // The worker has given it up: it has time for others.
    let other = ask(balancer.listen, "POST", LONG, &[], &scene(5));
    assert_eq!(other.status, 200);
    assert_eq!(balancer.json(&endless)["state"], "cancelled");
}

#[test]
fn cancel_at_another_balancer() {
    let gate = Gate::default();
    let host = gated(&gate);
    let (_shared, _places, [one, other]) = two(&[host.address], "");
    let location = accept(&one, "/a", b"");
    until("a host has it", || host.heard().len() == 1);
    for balancer in [&one, &other] {
        let cancelled = ask(balancer.listen, "DELETE", &location, &[], b"");
        assert_eq!(cancelled.status, 202, "{}", text(&cancelled));
    }
    one.assert_idle();
    other.assert_idle();
    gate.open(1);
}

#[test]
fn commit_and_cancel_race() {
    let host = echo();
    let service = Service::start(&[&host], "", "");
    let (mut n_cancelled, mut n_done) = (0, 0);
    for round in 0..60 {
        let location = service.accept("/a", &[], b"body");
        for _ in 0..round % 6 {
            // A little more of a head start each time.
            service.status_or_end(&location);
        }
        let cancelled = service.ask("DELETE", &location, &[], b"");
        let told = service.operators(&location);
        let answer = service.ask("GET", &format!("{location}/result"), &[], b"");
        match cancelled.status {
            202 => {
                assert_eq!((told["state"].as_str(), answer.status), (Some("cancelled"), 404));
                n_cancelled += 1;
            }
            409 => {
                assert_eq!((told["state"].as_str(), answer.status), (Some("succeeded"), 200));
                n_done += 1;
            }
            other => panic!("{other}: {}", text(&cancelled)),
        }
    }
    println!("{n_cancelled} were cancelled, {n_done} were done");
    service.balancer.assert_idle();
}

#[test]
fn drain_hands_leases_back() {
    let gate = Gate::default();
    let host = gated(&gate);
    let shared = tempfile::tempdir().expect("a folder");
    let jobs = format!("folder = \"{}\"\n", shared.path().join("jobs").display());
    // Predicted to take longer than the drain.
    let text_of = config(&[host.address], "prior = \"5m\"\n", &jobs);
    let (one, other) = (Place::new(&text_of), Place::new(&text_of));
    let mut first = one.serve();
    first.has_active(1);
    let location = accept(&first, "/a", b"body");
    until("a host has it", || host.heard().len() == 1);
    first.process.send(Signal::TERM);
    assert!(first.process.ends().success());
    let second = other.serve();
    gate.open(2);
    assert_eq!(text(&result(second.listen, &location)), "body");
    let told = second.json(&location);
    assert_eq!(told["ledger"]["job"]["excused"], 1, "{told}");
}

#[test]
fn disk_full() {
    let host = echo();
    let place = Place::new(&config(&[host.address], "", ""));
    // No file may grow beyond 1 MiB.
    let mut balancer = place.serve_with_small_files(2048);
    balancer.has_active(1);
    let body = vec![b'x'; 40 << 10];
    let mut taken = Vec::new();
    let refused = loop {
        let answer = ask(balancer.listen, "POST", "/a", &[PREFER], &body);
        match answer.header("location") {
            Some(location) => taken.push(location.to_owned()),
            None => break answer,
        }
        assert!(taken.len() < 100, "1 MiB has been exceeded");
    };
    assert!(matches!(refused.status, 503 | 507), "{}: {}", refused.status, text(&refused));
    assert!(!taken.is_empty());
    balancer.process.kill();
    // With room again, everything is there that was acknowledged.
    let balancer = place.serve();
    for location in taken {
        assert!(text(&result(balancer.listen, &location)).ends_with("xxx"));
    }
}
