//! Jobs while configurations and processes follow each other.

use std::net::SocketAddr;

use rustix::process::Signal;

use crate::harness::balancer::{Place, run};
use crate::harness::process::{is_gone, send};
use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::{Gate, Service, ask, config, gated, json, result, text};

/// A host that answers with its name, once the gate lets it.
fn named(name: &'static str, gate: &Gate) -> Host {
    let gate = gate.clone();
    Host::start(move |_, client| {
        gate.pass();
        answer(client, "200 OK", &[], name.as_bytes());
        Then::Keep
    })
}

/// Has the balancer of `service` follow `config`.
#[track_caller]
fn reload(service: &Service, config: &str) {
    let text = std::fs::read_to_string(service.place.config()).expect("it is there");
    let log = text.find("\n[access_log]").expect("the end of the first one");
    std::fs::write(service.place.config(), format!("{config}{}", &text[log..]))
        .expect("it is writable");
    let reloaded = run(["reload", "--admin", &service.balancer.admin.to_string()]);
    assert!(reloaded.status.success(), "{}", String::from_utf8_lossy(&reloaded.stderr));
}

const ONE_AT_ONCE: &str = "running_max = 1\n";

#[test]
fn jobs_follow_a_new_configuration() {
    let (gate, gate_of_other) = (Gate::default(), Gate::default());
    let (one, other) = (named("one", &gate), named("other", &gate_of_other));
    let service = Service::start(&[&one], "", ONE_AT_ONCE);
    let [first, second] = ["/first", "/second"].map(|path| service.accept(path, &[], b""));
    until("the first runs", || one.heard().len() == 1);
    reload(&service, &config(&[other.address], "", ONE_AT_ONCE));
    until("the other host takes requests", || {
        service.balancer.active().iter().any(|host| host.address() == other.address.to_string())
    });
    // What runs ends where it is, what waits goes where it is to go now.
    gate.open(1);
    assert_eq!(text(&service.result(&first)), "one");
    until("the second runs", || other.heard().len() == 1);
    let third = service.accept("/third", &[], b"");
    // Its route has another name now: what waits for the old one cannot be run.
    let renamed = config(&[other.address], "", ONE_AT_ONCE).replace("\"work\"", "\"other\"");
    reload(&service, &renamed);
    gate_of_other.open(2);
    assert_eq!(text(&service.result(&second)), "other");
    let lost = service.result(&third);
    assert_eq!(lost.status, 410);
    let detail = json(&lost)["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("the route `work` is no more"), "{detail}");
    assert_eq!(service.operators(&third)["state"], "failed");
    let fourth = service.accept("/fourth", &[], b"");
    assert_eq!(text(&service.result(&fourth)), "other");
    assert_eq!((one.heard().len(), other.heard().len()), (1, 2));
}

/// A host leaves while a job runs there, and ends before the job has: the job has no part in that.
#[test]
fn scale_in() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let leaving = Host::start(move |_, _| {
        waiting.pass();
        Then::Close
    });
    let open = Gate::default();
    open.open(9);
    let stays = named("stays", &open);
    let service = Service::start(&[&leaving], "", "host_deaths_max = 1\n");
    let location = service.accept("/a", &[], b"");
    until("it runs", || leaving.heard().len() == 1);
    reload(&service, &config(&[stays.address], "", "host_deaths_max = 1\n"));
    until("the other host takes requests", || {
        service.balancer.active().iter().any(|host| host.address() == stays.address.to_string())
    });
    gate.open(1);
    assert_eq!(text(&service.result(&location)), "stays");
    let job = &service.operators(&location)["ledger"]["job"];
    let counts = ["attempts", "excused", "host_deaths"].map(|name| job[name].as_u64());
    assert_eq!(counts, [Some(2), Some(1), Some(0)], "{job}");
}

/// The balancer that has taken over; ended when it is dropped.
struct Heir(u32);

impl Drop for Heir {
    fn drop(&mut self) {
        if !is_gone(self.0) {
            send(self.0, Signal::KILL);
        }
    }
}

/// Starts the next process of a balancer.
#[track_caller]
fn upgrade(admin: SocketAddr) -> Heir {
    let output = run(["upgrade", "--admin", &admin.to_string()]);
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    let pid = told.strip_prefix("process ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    assert!(pid.is_some(), "{told}");
    Heir(pid.unwrap_or_default())
}

/// A short job ends in the process in which it began; one that would outlast it is handed on.
#[test]
fn an_upgrade_loses_no_job_and_runs_none_twice_without_need() {
    for (route, attempts) in [("", 1), ("prior = \"5m\"\n", 2)] {
        let gate = Gate::default();
        let host = gated(&gate);
        let place = Place::new(&config(&[host.address], route, ""));
        let balancer = place.serve();
        balancer.has_active(1);
        let accept = |path: &str| {
            let accepted = ask(balancer.listen, "POST", path, &["Prefer: respond-async"], b"body");
            assert_eq!(accepted.status, 202, "{}", text(&accepted));
            accepted.header("location").expect("a place").to_owned()
        };
        let first = accept("/first");
        until("the first runs", || host.heard().len() == 1);
        let heir = upgrade(balancer.admin);
        let second = accept("/second");
        until("both run", || {
            let heard = host.heard();
            let runs = |path: &str| heard.iter().filter(|one| one.is_for(path)).count();
            (runs("/first"), runs("/second")) == (attempts, 1)
        });
        gate.open(3);
        for location in [&first, &second] {
            assert_eq!(text(&result(balancer.listen, location)), "body");
        }
        let job = &balancer.json(&first)["ledger"]["job"];
        let counts = [job["attempts"].as_u64(), job["excused"].as_u64()];
        assert_eq!(counts, [Some(attempts as u64), Some(attempts as u64 - 1)], "{job}");
        until("the process before has ended", || is_gone(balancer.process.pid()));
        drop(heir);
    }
}
