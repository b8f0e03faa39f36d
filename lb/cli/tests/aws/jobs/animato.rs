//! animato at AWS: its queue, its table and its buckets, with somebody else beside us
//! (`animato.py`, written from the contract, on boto3).

use std::process::Output;

use serde_json::{Value, json};

use crate::emulators::{CREDENTIALS, Emulator, program};
use crate::harness::balancer::{Balancer, Place};
use crate::harness::eventually_or;
use crate::host::Host;
use crate::service::{self, Gate};
use crate::systems::{animato, film_of, filmer};

/// What they have at AWS.
struct Cloud {
    emulator: Emulator,
}

/// A balancer of ours there.
struct Ours {
    place: Place,
    balancer: Balancer,
}

impl Cloud {
    fn start(emulator: Emulator) -> Cloud {
        let cloud = Cloud { emulator };
        cloud.run(&["prepare"]);
        cloud
    }

    /// Runs their program.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = program("python");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/jobs/animato.py"));
        command.args(arguments).envs(CREDENTIALS).env("AWS_DEFAULT_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL", self.emulator.url());
        let Output { status, stdout, stderr } = command.output().expect("it starts");
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("text")
    }

    fn look(&self, customer: &str) -> Value {
        serde_json::from_str(&self.run(&["look", customer, "photos"])).expect("JSON")
    }

    /// Waits until the row of `customer` says so, and nothing is in the queue.
    #[track_caller]
    fn has_ended(&self, customer: &str, (state, tries): (&str, &str)) -> Value {
        let is_so = || {
            let told = self.look(customer);
            let row = &told["row"];
            let is = row["job_stats"] == state && row["try_count"] == tries && told["queue"] == 0;
            is.then_some(told)
        };
        eventually_or("the job has ended", is_so, || self.look(customer).to_string())
    }

    fn ours(&self, host: &Host) -> Ours {
        self.ours_with(host, "table")
    }

    /// The same, with the ledger of jobs in a `"table"` or a `"folder"`.
    fn ours_with(&self, host: &Host, ledger: &str) -> Ours {
        let kind = format!("kind = \"aws\"\naws.ledger = \"{ledger}\"");
        let changes =
            [("kind = \"embedded\"", &*kind), ("visibility = \"30s\"", "visibility = \"5s\"")];
        let place = animato(host, &changes);
        let place = place.with(&CREDENTIALS).with(&[("AWS_ENDPOINT_URL", &*self.emulator.url())]);
        let balancer = place.serve();
        balancer.has_active(1);
        Ours { place, balancer }
    }
}

impl Ours {
    #[track_caller]
    fn page(&self, target: &str) -> String {
        service::text(&service::ask(self.balancer.listen, "GET", target, &[], b""))
    }
}

/// A customer asks our web tier; everything is where others look for it.
#[track_caller]
fn serves(emulator: Emulator, ledger: &str) {
    let cloud = Cloud::start(emulator);
    let host = filmer(None);
    let ours = cloud.ours_with(&host, ledger);
    assert!(ours.page("/checkstatus?customerId=ann").contains("<h3>Job does not exists</h3>"));
    let asked = ours.page("/makevideo?customerId=ann&jobDesc=sleep%200.1%7Cphotos");
    assert!(asked.contains("<h3>Job submitted successfully</h3>"), "{asked}");
    let told = cloud.has_ended("ann", ("F", "1"));
    let film = String::from_utf8(film_of(&["a.PNG", "b.jpg", "c.jpeg"])).expect("text");
    assert_eq!(told["films"], json!({ "myvideo.mp4": film, "myvideo.mpeg": film }));
    assert_eq!(told["row"]["CustomerId"], "ann");
    assert!(ours.page("/checkstatus?customerId=ann").contains("<h3>Job completed</h3>"));
    ours.page("/makevideo?customerId=bob&jobDesc=no-such-bucket");
    cloud.has_ended("bob", ("E", "1"));
    assert!(ours.page("/checkstatus?customerId=bob").contains("<h3>Error occured</h3>"));
}

#[test]
fn the_photos_of_a_bucket_become_a_film_in_it() {
    serves(Emulator::roto(None), "table");
}

#[test]
fn another_emulator_of_aws_says_the_same() {
    serves(Emulator::moto(), "folder");
}

#[test]
fn what_another_web_tier_asks_is_done() {
    let cloud = Cloud::start(Emulator::roto(None));
    let gate = Gate::default();
    let host = filmer(Some(gate.clone()));
    let ours = cloud.ours(&host);
    cloud.run(&["ask", "ann", "photos"]);
    let in_progress = || {
        let page = ours.page("/checkstatus?customerId=ann");
        page.contains("<h3>Job in progress</h3>").then_some(())
    };
    eventually_or("it is in progress", in_progress, || cloud.look("ann").to_string());
    let again = ours.page("/makevideo?customerId=ann&jobDesc=photos");
    assert!(again.contains("<h3>Job submission failed</h3>"), "{again}");
    gate.open(1);
    let told = cloud.has_ended("ann", ("F", "1"));
    assert_eq!(told["films"].as_object().expect("films").len(), 2);
}

#[test]
fn what_a_balancer_held_when_it_died_is_done_by_another() {
    let cloud = Cloud::start(Emulator::roto(None));
    let gate = Gate::default();
    let host = filmer(Some(gate.clone()));
    let Ours { place, balancer } = cloud.ours(&host);
    let asked = service::ask(
        balancer.listen,
        "GET",
        "/makevideo?customerId=ann&jobDesc=sleep%200.1%7Csleep%206",
        &[],
        b"",
    );
    assert!(service::text(&asked).contains("submitted successfully"));
    let is_begun = || (cloud.look("ann")["row"]["job_stats"] == "P").then_some(());
    eventually_or("it is begun", is_begun, || cloud.look("ann").to_string());
    drop(balancer);
    let _other = cloud.ours(&host);
    cloud.has_ended("ann", ("F", "2"));
    drop(place);
}
