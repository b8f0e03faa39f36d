//! The queue-driven systems at AWS: their queues and buckets, with our tiers and with somebody
//! else's before and behind them. Theirs are written from the contract (`tier.py`), on boto3.

use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::Value;

use crate::emulators::{CREDENTIALS, Emulator, program};
use crate::harness::balancer::{Balancer, Place, spawn};
use crate::harness::process::Process;
use crate::harness::{eventually, until};
use crate::host::Host;
use crate::service;
use crate::systems::{FACES, IMAGENET, System, picture, recogniser, recogniser_at};

/// As many as the generators of load start.
const CLIENTS: usize = 100;

/// A tier, in front or behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    Ours,
    Theirs,
}

/// The queues and buckets of a system.
struct Cloud {
    system: &'static System,
    emulator: Emulator,
}

/// Something of ours that serves, with what it needs.
struct Ours {
    _place: Place,
    balancer: Balancer,
    host: Host,
}

impl Cloud {
    fn start(system: &'static System) -> Cloud {
        Cloud::at(system, Emulator::roto(None))
    }

    fn at(system: &'static System, emulator: Emulator) -> Cloud {
        let cloud = Cloud { system, emulator };
        cloud.run("prepare");
        cloud
    }

    /// Their program.
    fn tier(&self, what: &str) -> Command {
        let mut command = program("python");
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/jobs/tier.py");
        command.args([file, what, self.system.file]);
        command.envs(CREDENTIALS).env("AWS_DEFAULT_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL", self.emulator.url());
        command
    }

    #[track_caller]
    fn run(&self, what: &str) -> String {
        let Output { status, stdout, stderr } = self.tier(what).output().expect("it starts");
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("text")
    }

    /// What is in the queues and buckets.
    fn count(&self) -> Value {
        serde_json::from_str(&self.run("count")).expect("JSON")
    }

    /// Their web tier, and where it listens.
    fn their_web(&self) -> (Process, SocketAddr) {
        let mut process = spawn(self.tier("web"));
        let address = process.says("listening on ").parse().expect("an address");
        (process, address)
    }

    fn their_workers(&self) -> Process {
        let mut process = spawn(self.tier("workers"));
        process.says("listening on ");
        process
    }

    /// A balancer that does this `part`; `changes` are made in its file.
    fn ours(&self, part: &str, changes: &[(&str, &str)]) -> Ours {
        self.ours_before(recogniser(), part, changes)
    }

    /// The same before a host of the test's own.
    fn ours_before(&self, host: Host, part: &str, changes: &[(&str, &str)]) -> Ours {
        let part = format!("part = \"{part}\"\n");
        let aws = [("kind = \"embedded\"", "kind = \"aws\""), ("part = \"both\"\n", &*part)];
        let place = self.system.place(&[&host], &[&aws, changes].concat(), "");
        let place = place.with(&CREDENTIALS).with(&[("AWS_ENDPOINT_URL", &*self.emulator.url())]);
        let balancer = place.serve();
        balancer.has_active(1);
        Ours { _place: place, balancer, host }
    }

    /// Waits until the queues are empty. What is in the buckets then.
    #[track_caller]
    fn is_empty(&self) -> Value {
        eventually("the queues are empty", || {
            Some(self.count()).filter(|told| told["requests"] == 0 && told["answers"] == 0)
        })
    }

    /// All queues are empty, and there are so many objects, which say what they should.
    #[track_caller]
    fn has_served(&self, requests: usize) {
        let told = self.is_empty();
        assert_eq!((&told["inputs"], &told["outputs"]), (&requests.into(), &requests.into()));
        for nth in 0..requests {
            let said = told["said"][System::stem(nth)].as_str().expect("an object");
            assert_eq!(said, self.system.output(nth));
        }
    }
}

/// A hundred clients before a web tier and its workers.
#[track_caller]
fn serves(system: &'static System, web: Tier, workers: Tier) {
    let cloud = Cloud::start(system);
    let _their_workers = (workers == Tier::Theirs).then(|| cloud.their_workers());
    let our_workers =
        (workers == Tier::Ours && web == Tier::Theirs).then(|| cloud.ours("workers", &[]));
    match web {
        Tier::Theirs => {
            let (_process, listen) = cloud.their_web();
            system.ask_all(listen, 0..CLIENTS);
            cloud.has_served(CLIENTS);
        }
        Tier::Ours => {
            let part = if workers == Tier::Ours { "both" } else { "web" };
            let ours = cloud.ours(part, &[]);
            system.ask_all(ours.balancer.listen, 0..CLIENTS);
            let n_done = if workers == Tier::Ours { CLIENTS } else { 0 };
            assert_eq!(ours.host.heard().len(), n_done, "each was done once");
            cloud.has_served(CLIENTS);
        }
    }
    if let Some(ours) = our_workers {
        assert_eq!(ours.host.heard().len(), CLIENTS, "each was done once");
    }
}

#[test]
fn imagenet_has_their_web_tier_and_their_workers() {
    serves(&IMAGENET, Tier::Theirs, Tier::Theirs);
}

#[test]
fn imagenet_has_our_web_tier_and_their_workers() {
    serves(&IMAGENET, Tier::Ours, Tier::Theirs);
}

#[test]
fn imagenet_has_their_web_tier_and_our_workers() {
    serves(&IMAGENET, Tier::Theirs, Tier::Ours);
}

#[test]
fn imagenet_has_our_web_tier_and_our_workers() {
    serves(&IMAGENET, Tier::Ours, Tier::Ours);
}

#[test]
fn faces_has_their_web_tier_and_their_workers() {
    serves(&FACES, Tier::Theirs, Tier::Theirs);
}

#[test]
fn faces_has_our_web_tier_and_their_workers() {
    serves(&FACES, Tier::Ours, Tier::Theirs);
}

#[test]
fn faces_has_their_web_tier_and_our_workers() {
    serves(&FACES, Tier::Theirs, Tier::Ours);
}

#[test]
fn faces_has_our_web_tier_and_our_workers() {
    serves(&FACES, Tier::Ours, Tier::Ours);
}

#[test]
fn what_is_too_long_for_a_message_goes_by_its_bucket() {
    let cloud = Cloud::start(&IMAGENET);
    let ours =
        cloud.ours("both", &[("part = \"both\"", "message_bytes_max = \"256B\"\npart = \"both\"")]);
    IMAGENET.ask_all(ours.balancer.listen, 0..5);
    cloud.has_served(5);
}

#[test]
fn what_fails_is_told_to_whoever_has_asked() {
    let cloud = Cloud::start(&FACES);
    let ours = cloud.ours("both", &[]);
    let part = (FACES.field, Some("a.jpg"));
    let told = System::post(ours.balancer.listen, "/", part, b"no picture");
    let told = (told.status, service::text(&told));
    assert_eq!(told, (500, r#"{"detail": "this is \"no\" picture"}"#.to_owned()));
    let counted = cloud.is_empty();
    assert_eq!(counted["outputs"], 0);
}

#[test]
fn one_name_with_two_contents_gets_two_answers() {
    let cloud = Cloud::start(&IMAGENET);
    let ours = cloud.ours("both", &[]);
    let (listen, part) = (ours.balancer.listen, (IMAGENET.field, Some("same.jpg")));
    let asked: Vec<usize> = (0..10).chain(0..10).collect();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = |nth| scope.spawn(move || System::post(listen, "/", part, &picture(nth)));
        let threads: Vec<_> = asked.iter().map(|nth| ask(*nth)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    });
    for (nth, told) in asked.iter().zip(answers) {
        assert_eq!((told.status, service::text(&told)), (200, IMAGENET.expected(*nth)));
    }
    let counted = cloud.is_empty();
    assert_eq!((&counted["inputs"], &counted["outputs"]), (&1.into(), &1.into()));
}

#[test]
fn what_is_small_goes_before_what_is_large_and_came_first() {
    let cloud = Cloud::start(&FACES);
    let gate = service::Gate::default();
    let host = recogniser_at(&gate);
    let one_at_a_time = [
        ("cores = 4", "cores = 1"),
        ("prior = \"200ms\"", "prior = \"1ms * body.bytes\"\nfeatures = [\"body.bytes\"]"),
    ];
    let ours = cloud.ours_before(host, "workers", &one_at_a_time);
    let (_web, listen) = cloud.their_web();
    let heard = || ours.host.heard().len();
    let waiting = || ours.balancer.metric("weighbridge_jobs", "state=\"queued\"") as usize;
    let clients = [400, 300, 0].map(|nth| {
        let before = heard() + waiting();
        let client = std::thread::spawn(move || FACES.ask_all(listen, nth..nth + 1));
        until("it is here", || heard() + waiting() == before + 1);
        client
    });
    gate.open(3);
    for client in clients {
        client.join().expect("it is answered");
    }
    let order: Vec<String> =
        ours.host.heard().iter().map(|one| one.headers("weighbridge-name")[0].to_owned()).collect();
    assert_eq!(order, [400, 0, 300].map(|nth| FACES.name(nth)));
}

#[test]
fn what_waits_in_a_queue_counts_for_the_size_of_the_fleet() {
    let cloud = Cloud::start(&FACES);
    let gate = service::Gate::default();
    let host = recogniser_at(&gate);
    // One message is taken; 39 seconds of work wait behind it, and all of it is due.
    let changes = [
        ("part = \"workers\"\n", "part = \"workers\"\nwindow = 1\n"),
        ("prior = \"200ms\"", "prior = \"1s\""),
        (
            "[jobs]\n",
            "[scale]\nhosts_max = 20\n[jobs]\nage_floor = \"0s\"\nage_factor = 0.0\naws.look = \"1s\"\n",
        ),
    ];
    let ours = cloud.ours_before(host, "workers", &changes);
    let (_web, listen) = cloud.their_web();
    let clients = std::thread::spawn(move || FACES.ask_all(listen, 0..40));
    let wanted = || ours.balancer.metric("weighbridge_hosts_wanted", "");
    until("more hosts are wanted", || 2.0 <= wanted());
    assert!(ours.host.heard().len() <= 1, "the rest is in the queue");
    gate.open(40);
    clients.join().expect("every client has its answer");
    cloud.has_served(40);
}

#[test]
fn machines_with_workers_that_are_killed_lose_nothing() {
    let cloud = Cloud::start(&FACES);
    let quick = [("part = \"workers\"\n", "part = \"workers\"\nvisibility = \"5s\"\nwindow = 8\n")];
    let (_web, listen) = cloud.their_web();
    let mut machines = vec![cloud.ours("workers", &quick), cloud.ours("workers", &quick)];
    let clients = std::thread::spawn(move || FACES.ask_all(listen, 0..CLIENTS));
    eventually("some are done", || (20 < machines[0].host.heard().len()).then_some(()));
    // Killed, with its ledger.
    drop(machines.remove(0));
    machines.push(cloud.ours("workers", &quick));
    clients.join().expect("every client has its answer");
    cloud.has_served(CLIENTS);
}

#[test]
fn a_request_says_whose_it_is_where_queues_are_fair() {
    // roto knows no fair queues.
    let cloud = Cloud::at(&FACES, Emulator::moto());
    let fair = [
        ("part = \"web\"\n", "part = \"web\"\ngroup = \"{query.tenant}\"\n"),
        ("\"10m\"", "\"1s\""),
    ];
    let ours = cloud.ours("web", &fair);
    let part = (FACES.field, Some("a.jpg"));
    let told = System::post(ours.balancer.listen, "/?tenant=acme", part, b"face");
    assert_eq!(told.status, 500, "nobody works: {}", service::text(&told));
    assert_eq!(cloud.run("group").trim(), "acme");
}
