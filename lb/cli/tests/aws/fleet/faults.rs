//! AWS has nothing, is busy, or is away: the service serves.

use super::{Cloud, EC2, Emulator, SCALE, ec2, events, failures, ids, place};
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{jobs, mixed};
use crate::harness::until;

/// Every launch fails for lack of capacity.
const NO_CAPACITY: &str = r#"[{"service": "ec2", "operation": "RunInstances",
    "error": {"code": "InsufficientInstanceCapacity", "status": 500}}]"#;

/// Every call is one too many.
const THROTTLED: &str =
    r#"[{"service": "ec2", "error": {"code": "RequestLimitExceeded", "status": 503}}]"#;

/// Every call takes longer than anybody waits.
const SLOW: &str = r#"[{"service": "ec2", "latency": {"min": 60000, "max": 60000}}]"#;

#[test]
fn a_fleet_that_cannot_grow_for_lack_of_capacity_serves_and_grows_when_there_is_some() {
    let cloud = Cloud::start();
    let between = Emulator::microburst(&cloud.moto);
    let place = place(&ec2(1, 2, ""), &between.url());
    let balancer = place.serve();
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());

    between.rules(NO_CAPACITY);
    let load = Load::closed(balancer.listen, &jobs, 6);
    until("launches fail", || 2.0 <= failures(&balancer, "launch"));
    let answered = load.answered();
    until("the one host serves", || answered + 20 < load.answered());
    assert_eq!(cloud.running().len(), 1);
    between.rules("[]");
    balancer.has_active(2);
    load.stop().assert_faultless();
}

#[test]
fn a_fleet_whose_ec2_is_throttled_and_then_away_serves_and_is_in_order_afterwards() {
    let cloud = Cloud::start();
    let between = Emulator::microburst(&cloud.moto);
    let place = place(&ec2(2, 2, ""), &between.url());
    let balancer = place.serve();
    let before = ids(&balancer.has_active(2));
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let load = Load::closed(balancer.listen, &jobs, 3);

    between.rules(THROTTLED);
    until("looks fail", || 1.0 <= failures(&balancer, "discover"));
    let answered = load.answered();
    until("all go on", || answered + 20 < load.answered());
    between.rules("[]");
    between.kill();
    let failed = failures(&balancer, "discover");
    until("looks fail again", || failed + 1.0 <= failures(&balancer, "discover"));
    let answered = load.answered();
    until("all go on", || answered + 20 < load.answered());
    assert_eq!(ids(&balancer.active()), before, "nobody is forgotten for an outage of EC2");
    load.stop().assert_faultless();
}

#[test]
fn an_instance_that_never_becomes_ready_is_terminated_and_counted() {
    let cloud = Cloud::start();
    cloud.boots(false);
    let scale = SCALE.replace("boot_timeout = \"20s\"", "boot_timeout = \"2s\"");
    let config = format!("{EC2}{scale}hosts_min = 1\nhosts_max = 1\n");
    let place = place(&config, &cloud.moto.url());
    let balancer = place.serve();
    until("it is launched", || cloud.running().len() == 1);
    let first = cloud.running();
    until("it is terminated", || cloud.in_state("terminated").contains(&first[0]));
    assert!(1.0 <= events(&balancer, "replace"));
    cloud.boots(true);
    balancer.has_active(1);
    assert!(!ids(&balancer.active()).contains(&first[0]));
}

#[test]
fn requests_do_not_wait_for_ec2() {
    let cloud = Cloud::start();
    let between = Emulator::microburst(&cloud.moto);
    let place = place(&ec2(1, 1, ""), &between.url());
    let balancer = place.serve();
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    between.rules(SLOW);
    until("calls time out", || 1.0 <= failures(&balancer, "discover"));
    let load = Load::closed(balancer.listen, &jobs, 1);
    until("answers", || 20 < load.answered());
    load.stop().assert_faultless();
}
