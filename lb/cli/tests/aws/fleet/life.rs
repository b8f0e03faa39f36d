//! Instances come and go, and no request is lost.

use super::{Cloud, ec2, events, has_a_request, ids, place};
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{jobs, mixed};
use crate::harness::until;

#[test]
fn the_fleet_grows_under_load_and_shrinks_after_it_without_a_failed_request() {
    let cloud = Cloud::start();
    let place = place(&ec2(1, 3, ""), &cloud.moto.url());
    let balancer = place.serve();
    let first = balancer.has_active(1);
    assert_eq!(ids(&first), cloud.running(), "a host is called as its instance");
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());

    let burst = Load::closed(balancer.listen, &jobs, 8);
    balancer.has_active(3);
    let answered = burst.answered();
    until("answers of three hosts", || answered + 20 < burst.answered());
    burst.stop().assert_faultless();
    let instances = cloud.instances();
    assert!(instances.iter().all(|i| i.tags["weighbridge:fleet"] == "weighbridge"));
    assert!(instances.iter().all(|i| i.tags["Name"] == "weighbridge"));

    let trickle = Load::open(balancer.listen, &jobs, 4.0);
    until("one instance", || cloud.running().len() == 1 && balancer.hosts().len() == 1);
    let answered = trickle.answered();
    until("it answers", || answered + 5 < trickle.answered());
    trickle.stop().assert_faultless();
    assert_eq!(ids(&balancer.hosts()), cloud.running());
    assert!(2.0 <= events(&balancer, "drain"));
    assert!(balancer.metric("weighbridge_hosts_lost_total", "") < 1.0, "a drain is no loss");
    assert!(cloud.most() <= 3, "{} at once", cloud.most());
    balancer.assert_idle();
}

#[test]
fn a_balancer_that_is_started_again_adopts_the_fleet() {
    let cloud = Cloud::start();
    let place = place(&ec2(2, 3, ""), &cloud.moto.url());
    let mut balancer = place.serve();
    let before = ids(&balancer.has_active(2));
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    balancer.process.kill();

    let mut balancer = place.serve();
    assert_eq!(ids(&balancer.has_active(2)), before);
    assert!(events(&balancer, "launch") < 1.0);
    assert!((events(&balancer, "adopt") - 2.0).abs() < 0.5);
    let load = Load::closed(balancer.listen, &jobs, 2);
    until("answers", || 10 < load.answered());
    load.stop().assert_faultless();

    balancer.process.send(rustix::process::Signal::TERM);
    assert!(balancer.process.ends().success());
    assert_eq!(cloud.running(), before, "instances stay when a balancer stops");
    let balancer = place.serve();
    assert_eq!(ids(&balancer.has_active(2)), before);
}

#[test]
fn an_instance_that_is_terminated_behind_our_back_is_forgotten_and_replaced() {
    let cloud = Cloud::start();
    let place = place(&ec2(2, 2, ""), &cloud.moto.url());
    let balancer = place.serve();
    let before = ids(&balancer.has_active(2));
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let load = Load::closed(balancer.listen, &jobs, 3);
    until("some answers", || 10 < load.answered());

    cloud.terminate(&before[0]);
    until("another one is active", || {
        let hosts = ids(&balancer.active());
        hosts.len() == 2 && hosts.contains(&before[1]) && !hosts.contains(&before[0])
    });
    let answered = load.answered();
    until("answers of both", || answered + 10 < load.answered());
    load.stop().assert_faultless();
    assert!((balancer.metric("weighbridge_hosts_lost_total", "") - 1.0).abs() < 0.5);
    assert_eq!(ids(&balancer.hosts()), cloud.running());
}

#[test]
fn drained_instances_are_kept_stopped_and_started_first() {
    let cloud = Cloud::start();
    let place = place(&ec2(1, 3, "warm = 1\n"), &cloud.moto.url());
    let balancer = place.serve();
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let burst = Load::closed(balancer.listen, &jobs, 8);
    balancer.has_active(3);
    burst.stop().assert_faultless();

    until("one is kept", || cloud.in_state("stopped").len() == 1 && cloud.running().len() == 1);
    let kept = cloud.in_state("stopped");
    let launched = cloud.instances().len();
    let burst = Load::closed(balancer.listen, &jobs, 8);
    until("it is started", || cloud.running().contains(&kept[0]));
    until("it is active", || ids(&balancer.active()).contains(&kept[0]));
    balancer.has_active(3);
    burst.stop().assert_faultless();
    assert_eq!(cloud.instances().len(), launched + 1, "the other one is new");
}

#[test]
fn instances_that_are_kept_beyond_a_lowered_number_are_terminated() {
    let cloud = Cloud::start();
    let larger = place(&ec2(1, 3, "warm = 2\n"), &cloud.moto.url());
    let mut balancer = larger.serve();
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let burst = Load::closed(balancer.listen, &jobs, 8);
    balancer.has_active(3);
    burst.stop().assert_faultless();
    until("two are kept", || cloud.in_state("stopped").len() == 2);
    balancer.process.send(rustix::process::Signal::TERM);
    assert!(balancer.process.ends().success());

    let smaller = place(&ec2(1, 3, "warm = 1\n"), &cloud.moto.url());
    let balancer = smaller.serve();
    until("one is kept", || cloud.in_state("stopped").len() == 1);
    assert_eq!(ids(&balancer.has_active(1)), cloud.running());
    assert_eq!(cloud.in_state("terminated").len(), 1);
}

#[test]
fn a_host_that_says_it_takes_nothing_more_is_replaced_before_it_is_gone() {
    let cloud = Cloud::start();
    let place = place(&ec2(1, 1, ""), &cloud.moto.url());
    let balancer = place.serve();
    let before = ids(&balancer.has_active(1));
    let mut client = Client::new(balancer.listen);
    // As long as it runs, its worker drains.
    client.send(&crate::harness::requests::endless()).expect("it is sent");
    balancer.has_in_flight(1);
    until("its worker has it", || has_a_request(&balancer.active()[0]));
    cloud.take_back(&before[0]);
    until("another one is active", || {
        let active = ids(&balancer.active());
        !active.is_empty() && !active.contains(&before[0])
    });
    assert!(cloud.running().contains(&before[0]), "it still has its request");
    let job = jobs(&mut Client::new(balancer.listen), mixed());
    let load = Load::closed(balancer.listen, &job, 1);
    until("the other one serves", || 5 < load.answered());
    load.stop().assert_faultless();
    client.hang_up();
    until("it is ended once its request is gone", || !cloud.running().contains(&before[0]));
    assert!(1.0 <= balancer.metric("weighbridge_scale_events_total", "reason=\"leaves\""));
    assert!(balancer.metric("weighbridge_hosts_lost_total", "") < 1.0, "it was expected");
}
