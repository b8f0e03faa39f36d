//! Another process takes over, and no request is lost.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};
use std::thread;

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::process::Signal;

use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Place, run, spawn};
use crate::harness::client::{Client, get};
use crate::harness::process::{is_gone, send};
use crate::harness::requests::Request;
use crate::harness::steady::Clients;
use crate::harness::until;

/// The balancer that has taken over; ended when it is dropped.
struct Heir(u32);

impl Drop for Heir {
    fn drop(&mut self) {
        if !is_gone(self.0) {
            send(self.0, Signal::KILL);
        }
    }
}

fn config(host: SocketAddr) -> String {
    format!(
        "[[routes]]\nname = \"all\"\npath = \"/\"\n[timeouts]\ndrain = \"20s\"\n\
         [fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{host}\"\n"
    )
}

fn upgrade(balancer: &Balancer) -> Output {
    run(["upgrade", "--admin", &balancer.admin.to_string()])
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

/// Upgrades, and waits for the end of the process `before`.
#[track_caller]
fn upgraded(balancer: &Balancer, before: u32) -> Heir {
    let heir = succeeded(balancer);
    until("the process before has ended", || is_gone(before));
    heir
}

/// Upgrades.
#[track_caller]
fn succeeded(balancer: &Balancer) -> Heir {
    let output = upgrade(balancer);
    let told = told(&output);
    let pid = told.strip_prefix("process ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    assert!(pid.is_some(), "{told}\n{:#?}", balancer.process.all_said());
    Heir(pid.unwrap_or_default())
}

#[test]
fn no_request_is_lost_by_upgrades_and_reloads() {
    let host = Backend::start(&[], "here");
    let place = Place::new(&config(host.address));
    let balancer = place.serve();
    balancer.has_active(1);
    let clients = Clients::asking(balancer.listen);
    clients.go_on(20);
    let mut heir = Heir(balancer.process.pid());
    for _ in 0..5 {
        let next = upgraded(&balancer, heir.0);
        assert_ne!(next.0, heir.0);
        heir = next;
        clients.go_on(20);
        let reloaded = run(["reload", "--admin", &balancer.admin.to_string()]);
        assert!(reloaded.status.success(), "{}", told(&reloaded));
        clients.go_on(20);
    }
    let n_requests = clients.assert_faultless();
    println!("{n_requests} requests, 5 upgrades, 5 reloads");
    // It is a balancer like any other, and ends like one.
    send(heir.0, Signal::TERM);
    until("it ends", || is_gone(heir.0));
    assert!(Client::new(balancer.listen).ask(&Request::get("/x")).is_err(), "nobody listens");
}

#[test]
fn what_was_learned_is_handed_over() {
    let host = Backend::start(&[], "here");
    let place = Place::new(&config(host.address));
    let balancer = place.serve();
    balancer.has_active(1);
    for _ in 0..5 {
        assert_eq!(get(balancer.listen, "/x").status, 200);
    }
    let written = || balancer.metric("weighbridge_store_written_observations_total", "");
    until("they are kept", || 5.0 <= written());
    // Nobody is connected: the old process ends at once, and the one who asked hears of it.
    let mut heir = upgraded(&balancer, balancer.process.pid());
    for _ in 0..5 {
        heir = upgraded(&balancer, heir.0);
    }
    let observations = || balancer.json("/models")["routes"]["all"]["observations"].as_u64();
    assert_eq!(observations(), Some(5));
    assert_eq!(get(balancer.listen, "/x").status, 200);
    // It has the store for itself, now that the one before has ended.
    until("it is kept, too", || 1.0 <= written());
    drop(heir);
}

#[test]
fn what_is_observed_between_two_upgrades_is_kept() {
    let host = Backend::start(&[], "here");
    let place = Place::new(&config(host.address));
    let balancer = place.serve();
    balancer.has_active(1);
    let ask = || (0..5).for_each(|_| assert_eq!(get(balancer.listen, "/x").status, 200));
    ask();
    // It stays, and keeps the store, for a client that keeps its connection.
    let mut idle = Client::new(balancer.listen);
    assert_eq!(idle.ask(&Request::get("/x")).expect("it answers").status, 200);
    let second = succeeded(&balancer);
    ask();
    // The second never has the store.
    let _third = upgraded(&balancer, second.0);
    assert!(!is_gone(balancer.process.pid()));
    ask();
    drop(idle);
    let file = place.data().join("weighbridge.sqlite");
    let kept = || -> rusqlite::Result<i64> {
        let store = rusqlite::Connection::open(&file)?;
        store.query_row("SELECT count(*) FROM observations", [], |row| row.get(0))
    };
    until("all of them are kept", || kept().is_ok_and(|rows| rows == 16));
}

#[test]
fn a_new_process_that_fails_changes_nothing() {
    let host = Backend::start(&[], "here");
    let place = Place::new(&config(host.address));
    let balancer = place.serve();
    balancer.has_active(1);
    let clients = Clients::asking(balancer.listen);
    let text = std::fs::read_to_string(place.config()).expect("it is there");
    std::fs::write(place.config(), format!("threads = 0\n{text}")).expect("it is writable");
    let refused = upgrade(&balancer);
    assert_eq!(refused.status.code(), Some(1));
    let why = "nothing has changed: the new process ended before it took requests";
    assert!(told(&refused).contains(why), "{}", told(&refused));
    // No host answers there: it starts, and takes no requests.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let config = config(nobody).replace("[timeouts]", "[timeouts]\nupgrade = \"1s\"");
    std::fs::write(place.config(), &config).expect("it is writable");
    clients.go_on(20);
    // The time is that of the old process's configuration, which reads it anew.
    let good = text.replace("[timeouts]", "[timeouts]\nupgrade = \"1s\"");
    std::fs::write(place.config(), good).expect("it is writable");
    let reloaded = run(["reload", "--admin", &balancer.admin.to_string()]);
    assert!(reloaded.status.success(), "{}", told(&reloaded));
    std::fs::write(place.config(), config).expect("it is writable");
    let refused = upgrade(&balancer);
    assert!(told(&refused).contains("took no requests within 1s"), "{}", told(&refused));
    clients.go_on(20);
    clients.assert_faultless();
}

#[test]
fn sockets_of_systemd_are_used() {
    let host = Backend::start(&[], "here");
    let place = Place::new(&config(host.address));
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [listen, admin] = [&sockets[0], &sockets[1]].map(|s| s.local_addr().expect("bound"));
    // One is known by its name, the other by its address.
    let mut command = Command::new("sh");
    command
        .args(["-c", "export LISTEN_PID=$$; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_weighbridge")])
        .args(["serve", "--listen", &listen.to_string(), "--admin", "127.0.0.1:0", "-c"])
        .arg(place.config())
        .arg("--data-dir")
        .arg(place.data())
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "weighbridge.socket:admin")
        .stdin(Stdio::null());
    let mappings = sockets.into_iter().zip(3..);
    let mappings =
        mappings.map(|(s, child_fd)| FdMapping { parent_fd: OwnedFd::from(s), child_fd });
    command.fd_mappings(mappings.collect()).expect("different numbers");
    // A client that comes before there is a balancer waits for it.
    let early = thread::spawn(move || get(listen, "/x"));
    let mut process = spawn(command);
    assert_eq!(process.says("admin     http://"), admin.to_string());
    assert_eq!(early.join().expect("no panic").text(), "here");
    assert_eq!(get(admin, "/healthz").status, 200);
    process.send(Signal::TERM);
    assert!(process.ends().success());
}

#[test]
fn a_lame_duck_says_that_it_leaves_and_still_takes_requests() {
    let host = Backend::start(&[], "here");
    let lame = config(host.address).replace("[timeouts]", "[timeouts]\nlame_duck = \"1h\"");
    let place = Place::new(&lame);
    let mut balancer = place.serve();
    balancer.has_active(1);
    assert!(balancer.is_ready());
    balancer.process.send(Signal::TERM);
    until("it says that it leaves", || !balancer.is_ready());
    let mut client = Client::new(balancer.listen);
    for _ in 0..2 {
        let answer = client.ask(&Request::get("/x")).expect("it answers");
        assert_eq!(answer.status, 200);
        assert_ne!(answer.header("connection"), Some("close"));
    }
    // Else the last request might count as cut off.
    balancer.has_in_flight(0);
    balancer.process.send(Signal::TERM);
    assert!(balancer.process.ends().success());
}
