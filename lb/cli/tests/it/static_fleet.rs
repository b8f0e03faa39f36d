//! Hosts at given addresses that die, hang and come back.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Host, Place, worker};
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{blur, enhance, jobs, ray_trace};
use crate::harness::until;
use crate::host;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn config(hosts: [SocketAddr; 2]) -> String {
    let [one, other] = hosts;
    format!(
        "[fleet]\nkind = \"static\"\n\
         [[fleet.static.hosts]]\naddress = \"{one}\"\ndiscipline = \"fcfs\"\n\
         [[fleet.static.hosts]]\naddress = \"{other}\"\ndiscipline = \"fcfs\"\n\
         [timeouts]\nreport_interval = \"100ms\"\nresponse = \"1s\"\n\
         [hosts]\neject_base = \"500ms\"\neject_max = \"1s\"\n"
    )
}

fn host_at(balancer: &Balancer, address: SocketAddr) -> Host {
    let hosts = balancer.hosts();
    let host = hosts.into_iter().find(|host| host.address() == address.to_string());
    host.expect("it is in the fleet")
}

/// Requests that `host` has answered.
fn answered_by(place: &Place, host: SocketAddr) -> usize {
    let host = host.to_string();
    let by_it = |line: &&serde_json::Value| line["host"] == *host && line["status"] == 200;
    place.log().iter().filter(by_it).count()
}

/// An ordinary service knows nothing of load reports: it says 404, or has a page for every path.
/// A host that answers everything with a page, and how often it was asked for its load.
fn without_reports() -> (host::Host, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&asked);
    let host = host::Host::everywhere(move |heard, client| {
        told.fetch_add(usize::from(heard.is_for("/load")), Ordering::AcqRel);
        host::answer(client, "200 OK", &[], b"<html>");
        host::Then::Keep
    });
    (host, asked)
}

#[test]
fn a_service_without_load_reports_makes_no_loop_fail() {
    let without = Backend::start(&[], "right");
    let (everywhere, asked) = without_reports();
    let place = Place::new(&config([without.address, everywhere.address]));
    let balancer = place.serve();
    balancer.has_active(2);
    until("it was asked often", || 10 < asked.load(Ordering::Acquire));
    // A busy machine may be late once or twice.
    let failed = balancer.metric("weighbridge_loop_failures_total", "loop=\"load_report\"");
    assert!(failed < 5.0, "{failed} of those failed");
    assert!(0.5 < balancer.metric("weighbridge_load_reports_rejected_total", ""));
}

#[test]
fn a_host_that_dies_is_ejected_and_comes_back() {
    let ((mut one, at), (_other, beside)) = (worker(ANY), worker(ANY));
    let place = Place::new(&config([at, beside]));
    let balancer = place.serve();
    balancer.has_active(2);
    let requests = vec![ray_trace(80, 20), blur(100, 80), enhance(60, 50)];
    let jobs = jobs(&mut Client::new(balancer.listen), requests);
    let load = Load::closed(balancer.listen, &jobs, 4);
    until("both have work", || 0 < answered_by(&place, at) && 0 < answered_by(&place, beside));

    one.kill();
    until("it is ejected", || host_at(&balancer, at).is_ejected());
    let answered = load.answered();
    until("the other one goes on", || answered + 20 < load.answered());
    let (_again, _) = worker(at);
    let answered = answered_by(&place, at);
    until("it has work again", || answered + 5 < answered_by(&place, at));
    load.stop().assert_faultless();
    assert!(0.0 < balancer.metric("weighbridge_decisions_total", "kind=\"eject\""));
    balancer.assert_idle();
}

#[test]
fn a_host_that_hangs_is_no_reason_to_hear_less_of_the_others() {
    // It takes connections and never says a word; the other one has no load report.
    let hangs = TcpListener::bind(ANY).expect("a port");
    let (other, asked) = without_reports();
    let config = config([hangs.local_addr().expect("it is bound"), other.address]);
    let place = Place::new(&config.replace("\"100ms\"", "\"20ms\""));
    let _balancer = place.serve();
    // Were each round to end with the slowest, this would take minutes.
    until("it is asked every now and then", || 200 < asked.load(Ordering::Acquire));
}

#[test]
fn a_host_that_hangs_holds_up_nobody_for_longer_than_the_timeout() {
    let ((one, at), (_other, beside)) = (worker(ANY), worker(ANY));
    let place = Place::new(&config([at, beside]));
    let balancer = place.serve();
    balancer.has_active(2);
    let requests = vec![ray_trace(60, 10), blur(60, 40)];
    let jobs = jobs(&mut Client::new(balancer.listen), requests);
    let load = Load::closed(balancer.listen, &jobs, 3);
    until("both have work", || 0 < answered_by(&place, at) && 0 < answered_by(&place, beside));

    one.send(Signal::STOP);
    let stopped = Instant::now();
    until("it is ejected", || host_at(&balancer, at).is_ejected());
    let ejected = stopped.elapsed();
    let answered = load.answered();
    until("the other one goes on", || answered + 20 < load.answered());
    one.send(Signal::CONT);
    let answered = answered_by(&place, at);
    until("it has work again", || answered + 5 < answered_by(&place, at));
    let tally = load.stop();
    println!("ejected after {ejected:?}, slowest answer {:?}", tally.slowest);
    tally.assert_faultless();
    assert!(tally.slowest < Duration::from_secs(8), "{:?}", tally.slowest);
    assert!(0.0 < balancer.metric("weighbridge_tries_failed_total", "failure=\"timeout\""));
    balancer.assert_idle();
}
