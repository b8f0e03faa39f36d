//! Workers that die under load.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::balancer::{Balancer, Host, Place};
use crate::harness::client::Client;
use crate::harness::load::{Load, throughput};
use crate::harness::process::{is_gone, send};
use crate::harness::requests::{jobs, mixed};
use crate::harness::{eventually, until};

const KILLS: usize = 10;

/// Of what two workers can carry.
const LOAD: f64 = 0.6;

/// The load reports say soon who runs what. A large request gives way to smaller ones, and may be
/// there at every kill; a broken idle connection is a try, too.
const CONFIG: &str = "[timeouts]\nreport_interval = \"200ms\"\ntick_interval = \"50ms\"\n\
                      [retry]\ntries_max = 16\n";

#[test]
fn no_request_fails_while_ten_workers_are_killed() {
    let place = Place::new(CONFIG);
    let balancer = place.up("2..2");
    balancer.has_active(2);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let capacity = throughput(balancer.listen, &jobs, 4, Duration::from_millis(1500));
    let load = Load::open(balancer.listen, &jobs, LOAD * capacity);
    let started = Instant::now();
    let replaced: Vec<Duration> = (0..KILLS).map(|_| kill_one(&balancer, &load)).collect();
    let rate = load.answered() as f64 / started.elapsed().as_secs_f64();
    let tally = load.stop();
    println!(
        "capacity {capacity:.0}/s, answered {rate:.0}/s, {} right, {} failed, slowest {:?}, \
         replaced after {replaced:?}",
        tally.right,
        tally.failures.len(),
        tally.slowest
    );
    tally.assert_faultless();
    balancer.assert_idle();
    balancer.has_active(2);
    let lost = balancer.metric("weighbridge_hosts_lost_total", "");
    assert!((lost - KILLS as f64).abs() < f64::EPSILON, "{lost} hosts lost");
    assert!(0.0 < balancer.metric("weighbridge_tries_failed_total", ""), "no kill hit a request");
}

/// Kills the worker that has the most to do. Returns how long it took until another was ready.
fn kill_one(balancer: &Balancer, load: &Load) -> Duration {
    let busiest = eventually("a worker with a request", || {
        let hosts = balancer.active();
        hosts.into_iter().filter(|host| 0 < host.in_flight()).max_by_key(Host::in_flight)
    });
    let killed = Instant::now();
    send(busiest.pid(), Signal::KILL);
    until("the worker is replaced", || {
        let hosts = balancer.active();
        hosts.len() == 2 && hosts.iter().all(|host| host.pid() != busiest.pid())
    });
    let replaced = killed.elapsed();
    assert!(is_gone(busiest.pid()));
    let answered = load.answered();
    until("further answers", || answered + 5 < load.answered());
    replaced
}
