//! The configuration is read anew while requests go on.

use std::fs;
use std::net::SocketAddr;
use std::process::Output;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use parking_lot::Mutex;
use rustix::process::Signal;

use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Place, run};
use crate::harness::client::{Client, get};
use crate::harness::requests::Request;
use crate::harness::until;

/// A host that answers with its name; what is asked at `/slow` when it is told to.
fn host(name: &'static str) -> (Backend, Sender<()>) {
    let (go, gone) = channel();
    let gone = Mutex::new(gone);
    let backend = Backend::answering(move |head| {
        if head.starts_with("get /slow") {
            // Who holds the other end lets go at the end of the test.
            let _ended = gone.lock().recv();
        }
        (String::new(), name.to_owned())
    });
    (backend, go)
}

fn config(hosts: &[SocketAddr], rest: &str) -> String {
    let listed: Vec<String> = hosts
        .iter()
        .map(|host| format!("[[fleet.static.hosts]]\naddress = \"{host}\"\n"))
        .collect();
    format!("{rest}\n[fleet]\nkind = \"static\"\n{}", listed.concat())
}

const ALL: &str = "[[routes]]\nname = \"all\"\npath = \"/\"\n";

/// Writes `config` where the balancer of `place` reads it.
fn write(place: &Place, config: &str) {
    let text = fs::read_to_string(place.config()).expect("it is there");
    let log = text.find("\n[access_log]").expect("the end of the first one");
    fs::write(place.config(), format!("{config}{}", &text[log..])).expect("it is writable");
}

fn reload(balancer: &Balancer) -> Output {
    run(["reload", "--admin", &balancer.admin.to_string()])
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

fn generation(balancer: &Balancer) -> f64 {
    balancer.metric("weighbridge_config_generation", "")
}

#[test]
fn hosts_and_routes_change_and_no_request_is_lost() {
    let ((one, go), (other, _)) = (host("one"), host("other"));
    let place = Place::new(&config(&[one.address], ALL));
    let balancer = place.serve();
    balancer.has_active(1);
    assert_eq!(get(balancer.listen, "/x").text(), "one");
    let address = balancer.listen;
    let slow = thread::spawn(move || get(address, "/slow"));
    balancer.has_in_flight(1);
    // A connection that stays, from before.
    let mut kept = Client::new(balancer.listen);
    assert_eq!(kept.ask(&Request::get("/x")).expect("it answers").text(), "one");

    let routes = "[[routes]]\nname = \"all\"\npath = \"/\"\n\
                  [[routes]]\nname = \"gone\"\npath = \"/gone\"\nrespond = 410\n";
    write(&place, &config(&[other.address], routes));
    let reloaded = reload(&balancer);
    assert!(reloaded.status.success(), "{}", told(&reloaded));
    assert_eq!(told(&reloaded), "generation 2 is in use\n");
    until("the other host takes requests", || {
        balancer.active().iter().any(|host| host.address() == other.address.to_string())
    });
    assert_eq!(get(balancer.listen, "/x").text(), "other");
    assert_eq!(kept.ask(&Request::get("/x")).expect("it answers").text(), "other");
    assert_eq!(get(balancer.listen, "/gone").status, 410);
    // The first one finishes what it has, and is gone then.
    let drains = balancer.hosts().iter().any(|host| host.0["phase"] == "draining");
    assert!(drains, "{:?}", balancer.hosts());
    go.send(()).expect("it waits");
    let answer = slow.join().expect("no panic");
    assert_eq!((answer.status, answer.text()), (200, "one".to_owned()));
    until("the first host is gone", || balancer.hosts().len() == 1);
    // Both counted for the same route.
    let models = balancer.json("/models");
    assert!(5 <= models["routes"]["all"]["observations"].as_u64().expect("a number"), "{models}");
    balancer.assert_idle();
}

#[test]
fn a_mistake_changes_nothing_and_every_one_is_told() {
    let (one, _go) = host("one");
    let place = Place::new(&config(&[one.address], ALL));
    let balancer = place.serve();
    balancer.has_active(1);
    write(&place, &config(&[one.address], "threads = 0\nlog_levl = \"warn\"\n"));
    let refused = reload(&balancer);
    assert_eq!(refused.status.code(), Some(1));
    for mistake in ["422", "line 1: threads", "line 2: `log_levl` is not a key"] {
        assert!(told(&refused).contains(mistake), "no `{mistake}` in {}", told(&refused));
    }
    assert_eq!(get(balancer.listen, "/x").text(), "one");
    assert!(generation(&balancer) <= 1.0);
    assert!(balancer.metric("weighbridge_config_last_reload_successful", "") <= 0.0);
    // By a signal it is the same, and the log tells.
    balancer.process.send(Signal::HUP);
    until("the log tells it", || {
        let said = balancer.process.all_said();
        1 < said.iter().filter(|line| line.contains("line 1: threads")).count()
    });
    assert_eq!(get(balancer.listen, "/x").text(), "one");
    let failed = || balancer.metric("weighbridge_config_reloads_total", "failure");
    until("both are counted", || 2.0 <= failed());
    write(&place, &config(&[one.address], ALL));
    balancer.process.send(Signal::HUP);
    until("it is mended", || 2.0 <= generation(&balancer));
    assert!(0.0 < balancer.metric("weighbridge_config_last_reload_successful", ""));
}

#[test]
fn clients_keep_what_they_have_had() {
    let (one, _go) = host("one");
    let clients =
        |rest: &str| format!("{rest}[clients]\nnames = \"plain\"\n{ALL}client = \"address\"\n");
    let place = Place::new(&config(&[one.address], &clients("")));
    let balancer = place.serve();
    balancer.has_active(1);
    for _ in 0..5 {
        assert_eq!(get(balancer.listen, "/x").text(), "one");
    }
    let had = || {
        let shown = balancer.json("/clients")["fleets"][0]["clients"][0].take();
        let used = shown["used_cpu_seconds"].as_f64().expect("a number");
        (shown["client"].clone(), shown["requests"].clone(), used)
    };
    until("all are settled", || balancer.json("/clients")["fleets"][0]["clients"][0]["here"] == 0);
    let before = had();
    assert_eq!((&before.0, &before.1), (&"127.0.0.1".into(), &5.into()));
    assert!(0.0 < before.2, "{before:?}");
    write(&place, &config(&[one.address], &clients("limits.body_bytes = \"7B\"\n")));
    let reloaded = reload(&balancer);
    assert!(reloaded.status.success(), "{}", told(&reloaded));
    assert_eq!(had(), before);
    assert_eq!(get(balancer.listen, "/x").text(), "one");
    until("it goes on from there", || had().1 == 6);
}

#[test]
fn what_a_reload_cannot_change_is_named_and_the_rest_changes() {
    let (one, _go) = host("one");
    let place = Place::new(&config(&[one.address], ALL));
    let balancer = place.serve();
    balancer.has_active(1);
    let rest = format!("threads = 3\nlog_level = \"debug\"\nlimits.body_bytes = \"7B\"\n{ALL}");
    let store = "[store]\nkind = \"off\"\n";
    write(&place, &config(&[one.address], &format!("{rest}{store}")));
    let reloaded = reload(&balancer);
    assert!(reloaded.status.success(), "{}", told(&reloaded));
    for key in ["threads", "store"] {
        let note = format!("note: {key} was changed, which holds after a restart only");
        assert!(told(&reloaded).contains(&note), "no `{note}` in {}", told(&reloaded));
    }
    let mut client = Client::new(balancer.listen);
    let answer = client.ask(&Request::post("/x", "x".repeat(8))).expect("it answers");
    assert_eq!(answer.status, 413, "{}", answer.text());
    until("more is logged", || {
        balancer.process.all_said().iter().any(|line| line.contains("DEBUG"))
    });
}

#[test]
fn a_page_in_a_browser_may_not_reload() {
    let (one, _go) = host("one");
    let place = Place::new(&config(&[one.address], ALL));
    let balancer = place.serve();
    let mut client = Client::new(balancer.admin);
    let post = Request::post("/reload", "");
    let from_page = post.clone().with("Origin: http://evil.example");
    assert_eq!(client.ask(&from_page).expect("it answers").status, 403);
    assert_eq!(get(balancer.admin, "/reload").status, 405);
    assert!(generation(&balancer) <= 1.0);
    assert_eq!(client.ask(&post).expect("it answers").status, 200);
}

/// Fleets of their own for routes come and go, too, and a route may move from one to another.
#[test]
fn a_route_moves_to_another_fleet_and_takes_along_what_was_learned() {
    let ((one, _go), (other, _other_go)) = (host("one"), host("other"));
    let place = Place::new(&config(&[one.address], ALL));
    let balancer = place.serve();
    balancer.has_active(1);
    for _ in 0..3 {
        assert_eq!(get(balancer.listen, "/x").text(), "one");
    }
    let named = format!("[fleets.apart]\nhosts = [{{ address = \"{}\" }}]\n", other.address);
    write(&place, &format!("{named}{ALL}fleet = \"apart\"\n"));
    let reloaded = reload(&balancer);
    assert!(told(&reloaded).contains("generation 2"), "{}", told(&reloaded));
    until("it has moved", || {
        balancer.hosts().len() == 1 && balancer.hosts()[0].0["fleet"] == "apart"
    });
    balancer.has_active(1);
    assert_eq!(get(balancer.listen, "/x").text(), "other");
    let observations = balancer.json("/models")["routes"]["all"]["observations"].as_u64();
    assert_eq!(observations, Some(4));
    write(&place, &config(&[one.address], ALL));
    assert!(reload(&balancer).status.success());
    until("it is back", || get(balancer.listen, "/x").text() == "one");
}
