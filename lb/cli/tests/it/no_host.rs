//! A balancer with nobody to do the work.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use crate::harness::balancer::{Place, ROUTES, worker};
use crate::harness::client::{Client, get};
use crate::harness::requests::{Request, ray_trace};

/// An address where nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it listens")
}

fn config(address: SocketAddr, rest: &str) -> String {
    format!(
        "[fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{address}\"\n\
         [timeouts]\nreport_interval = \"100ms\"\n{rest}{ROUTES}"
    )
}

#[test]
fn without_a_host_requests_wait_and_are_told_to_come_back() {
    let rest = "[queue]\nwait_max = \"1s\"\nrequests_max = 2\n";
    let place = Place::new(&config(closed_port(), rest));
    let balancer = place.serve();
    assert_eq!(get(balancer.admin, "/healthz").status, 200);
    assert_eq!(get(balancer.admin, "/readyz").status, 503);
    let asked = Instant::now();
    let mut waiting: Vec<Client> = (0..2).map(|_| Client::new(balancer.listen)).collect();
    for client in &mut waiting {
        client.send(&ray_trace(20, 5)).expect("it is sent");
    }
    balancer.has_waiting(2);
    balancer.ask(&ray_trace(20, 5)).assert_refused_for_now();
    for client in &mut waiting {
        client.answer().expect("it is answered").assert_refused_for_now();
    }
    assert!(Duration::from_secs(1) <= asked.elapsed());
    balancer.ask(&Request::get("/streamed")).assert_refused_for_now();
    balancer.assert_idle();
    // The third found no room, and waited for none; the others, and the last one, waited in vain.
    for (kind, expected) in [("queue_full", 1.0), ("waited_too_long", 3.0)] {
        let label = format!("kind=\"{kind}\"");
        let counted = balancer.metric("weighbridge_decisions_total", &label);
        assert!((counted - expected).abs() < f64::EPSILON, "{kind}: {counted}");
    }
}

#[test]
fn a_host_that_comes_up_gets_those_that_wait() {
    let address = closed_port();
    let place = Place::new(&config(address, ""));
    let balancer = place.serve();
    let mut waiting: Vec<Client> = (0..3).map(|_| Client::new(balancer.listen)).collect();
    for client in &mut waiting {
        client.send(&ray_trace(20, 5)).expect("it is sent");
    }
    balancer.has_waiting(3);
    let (_worker, _) = worker(address);
    for client in &mut waiting {
        let answer = client.answer().expect("it is answered");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(get(balancer.admin, "/readyz").status, 200);
    balancer.assert_idle();
}
