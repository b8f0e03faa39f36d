//! Several balancers with one fleet.

use super::{Cloud, Emulator, ec2, events, ids, place};
use crate::harness::balancer::{Balancer, Place};
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{jobs, mixed};
use crate::harness::until;

const SHARED: &str = "[store]\nkind = \"dynamodb\"\nlease_term = \"3s\"\n";

fn done(balancers: [&Balancer; 2], action: &str) -> f64 {
    balancers.iter().map(|balancer| events(balancer, action)).sum()
}

#[test]
fn two_balancers_keep_to_the_least_and_the_most_and_lose_no_request() {
    let (cloud, roto) = (Cloud::start(), Emulator::roto(None));
    let config = format!("{SHARED}{}", ec2(1, 2, ""));
    let start = || -> Place {
        let place = place(&config, &cloud.moto.url());
        place.with(&[("AWS_ENDPOINT_URL_DYNAMODB", &roto.url())])
    };
    let places = [start(), start()];
    let [mut one, mut other] = [&places[0], &places[1]].map(Place::serve);
    let first = ids(&one.has_active(1));
    assert_eq!(ids(&other.has_active(1)), first, "the least is one, not one each");
    let jobs = jobs(&mut Client::new(one.listen), mixed());

    let bursts = [&one, &other].map(|b| Load::closed(b.listen, &jobs, 6));
    one.has_active(2);
    other.has_active(2);
    let answered = bursts[1].answered();
    until("answers of both", || answered + 20 < bursts[1].answered());
    for burst in bursts {
        burst.stop().assert_faultless();
    }

    let trickles = [&one, &other].map(|b| Load::open(b.listen, &jobs, 3.0));
    until("one instance", || {
        cloud.running().len() == 1 && one.hosts().len() == 1 && other.hosts().len() == 1
    });
    for trickle in trickles {
        trickle.stop().assert_faultless();
    }
    assert!(cloud.most() <= 2, "{} at once", cloud.most());
    assert!((done([&one, &other], "launch") - 2.0).abs() < 0.5, "one of them scales");

    let leads = |b: &Balancer| 0.5 < events(b, "launch");
    let (leader, follower) = if leads(&one) { (&mut one, other) } else { (&mut other, one) };
    leader.process.kill();
    let before = cloud.running();
    cloud.terminate(&before[0]);
    until("the other one replaces it", || {
        let hosts = ids(&follower.active());
        hosts.len() == 1 && hosts != before
    });
}
