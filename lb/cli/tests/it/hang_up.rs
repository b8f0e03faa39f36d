//! Clients that do not wait for their answers.

use crate::harness::balancer::Place;
use crate::harness::client::Client;
use crate::harness::requests::{endless, ray_trace};
use crate::harness::until;

#[test]
fn a_client_that_hangs_up_gives_back_its_claim_and_its_workers_time() {
    let place = Place::new("");
    let balancer = place.up("1..1");
    balancer.has_active(1);
    let mut giant = Client::new(balancer.listen);
    giant.send(&endless()).expect("it is sent");
    balancer.has_in_flight(1);
    let mut short = Client::new(balancer.listen);
    short.send(&ray_trace(20, 5)).expect("it is sent");
    giant.hang_up();
    assert_eq!(short.answer().expect("it is answered").status, 200);
    balancer.assert_idle();
    until("it is counted", || {
        let abandoned = balancer.metric("weighbridge_decisions_total", "kind=\"abandon\"");
        (abandoned - 1.0).abs() < f64::EPSILON
    });
    until("it is logged", || place.log().iter().filter(|line| line["status"] == 499).count() == 1);
}

#[test]
fn a_client_that_hangs_up_leaves_the_waiting_room() {
    let place = Place::new("[hosts]\nin_flight_max_per_core = 1\n");
    let balancer = place.up("1..1");
    balancer.has_active(1);
    let mut giant = Client::new(balancer.listen);
    giant.send(&endless()).expect("it is sent");
    balancer.has_in_flight(1);
    let waiting: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = Client::new(balancer.listen);
            client.send(&ray_trace(20, 5)).expect("it is sent");
            client
        })
        .collect();
    balancer.has_waiting(3);
    waiting.into_iter().for_each(Client::hang_up);
    balancer.has_waiting(0);
    balancer.has_in_flight(1);
    giant.hang_up();
    balancer.assert_idle();
}
