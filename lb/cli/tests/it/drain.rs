//! A balancer that is told to end.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use rustix::process::Signal;

use crate::harness::balancer::{Balancer, Host, Place};
use crate::harness::client::{Answer, Client, connect};
use crate::harness::process::is_gone;
use crate::harness::requests::{Job, Request, endless, jobs, ray_trace};
use crate::harness::until;

/// About a second of work.
fn long() -> Request {
    ray_trace(700, 60)
}

fn ask(address: SocketAddr, job: &Job) -> JoinHandle<std::io::Result<Answer>> {
    let request = job.request.clone();
    thread::spawn(move || Client::new(address).ask(&request))
}

fn pids(balancer: &Balancer) -> Vec<u32> {
    balancer.hosts().iter().map(Host::pid).collect()
}

#[test]
fn a_signal_lets_requests_finish_and_leaves_no_process() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let place = Place::new("");
        let mut balancer = place.up("1..1");
        balancer.has_active(1);
        let jobs = jobs(&mut Client::new(balancer.listen), vec![long()]);
        // One runs, two wait.
        let asked: Vec<_> = (0..3).map(|_| ask(balancer.listen, &jobs[0])).collect();
        until("all have come in", || {
            let fleet = balancer.json("/fleet");
            let running: u64 = balancer.hosts().iter().map(Host::in_flight).sum();
            fleet["waiting"]["requests"].as_u64().is_some_and(|waiting| waiting + running == 3)
        });
        let workers = pids(&balancer);
        balancer.process.send(signal);
        until("new connections are refused", || connect(balancer.listen).is_err());
        for asked in asked {
            let answer = asked.join().expect("no panic").expect("an answer");
            jobs[0].check(&answer).expect("the right one");
        }
        let end = balancer.process.ends();
        assert!(end.success(), "{end}");
        assert!(workers.iter().all(|worker| is_gone(*worker)), "a worker is left");
    }
}

#[test]
fn a_second_signal_ends_everything_at_once() {
    // Nothing but the second signal ends it in time.
    let place = Place::new("timeouts.drain = \"10m\"\n");
    let mut balancer = place.up("1..1");
    balancer.has_active(1);
    let mut client = Client::new(balancer.listen);
    client.send(&endless()).expect("it is sent");
    balancer.has_in_flight(1);
    let workers = pids(&balancer);
    balancer.process.send(Signal::INT);
    until("it drains", || connect(balancer.listen).is_err());
    balancer.process.send(Signal::INT);
    assert_eq!(balancer.process.ends().code(), Some(3));
    assert!(client.answer().is_err(), "the request is cut");
    until("no worker is left", || workers.iter().all(|worker| is_gone(*worker)));
}

#[test]
fn a_drain_that_is_too_short_says_how_many_requests_it_cut_off() {
    let place = Place::new("timeouts.drain = \"100ms\"\n");
    let mut balancer = place.up("1..1");
    balancer.has_active(1);
    let mut clients = [Client::new(balancer.listen), Client::new(balancer.listen)];
    for client in &mut clients {
        client.send(&endless()).expect("it is sent");
    }
    until("both have come in", || {
        let running: u64 = balancer.hosts().iter().map(Host::in_flight).sum();
        let waiting = balancer.json("/fleet")["waiting"]["requests"].as_u64().expect("a number");
        waiting + running == 2
    });
    balancer.process.send(Signal::TERM);
    assert_eq!(balancer.process.ends().code(), Some(3));
    let said = balancer.process.all_said();
    let tells =
        |line: &String| line.contains("requests are cut off") && line.contains("requests=2");
    assert!(said.iter().any(tells), "{said:#?}");
    assert!(said.iter().any(|line| line == "weighbridge: 2 request(s) were cut off"), "{said:#?}");
}
