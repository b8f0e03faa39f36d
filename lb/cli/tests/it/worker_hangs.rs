//! Workers that hang: they are alive, keep their connections, and never answer.

use rustix::process::Signal;

use crate::harness::balancer::Place;
use crate::harness::client::Client;
use crate::harness::process::send;
use crate::harness::requests::{blur, jobs};
use crate::harness::{eventually, until};

/// A hung worker is found out by three asks, of two seconds each.
const CONFIG: &str = "[timeouts]\nreport_interval = \"100ms\"\ntick_interval = \"50ms\"\n";

#[test]
fn a_worker_that_hangs_is_out_and_replaced_and_its_request_is_answered() {
    let place = Place::new(CONFIG);
    let balancer = place.up("1..1");
    let hung = balancer.has_active(1)[0].pid();
    let jobs = jobs(&mut Client::new(balancer.listen), vec![blur(60, 40)]);
    send(hung, Signal::STOP);
    let mut client = Client::new(balancer.listen);
    client.send(&jobs[0].request).expect("it is sent");
    balancer.has_in_flight(1);

    until("no host takes requests", || !balancer.is_ready());
    let other = eventually("another worker", || {
        balancer.active().into_iter().find(|host| host.pid() != hung && !host.is_ejected())
    });
    assert_ne!(other.pid(), hung);
    let answer = client.answer().expect("an answer");
    jobs[0].check(&answer).expect("the right one");
    assert!(balancer.is_ready());
    balancer.assert_idle();
}
