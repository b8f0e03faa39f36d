//! Outages, throttling and kills: no request notices, no observation is lost or doubled.

use rustix::process::Signal;
use serde_json::json;

use super::{CONFIG, count, place, place_with, request, stored};
use crate::emulators::Emulator;
use crate::harness::balancer::Balancer;
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{jobs, mixed};
use crate::harness::until;
use crate::wire::Wire;

/// Observations of `balancer` that are nowhere but in its memory.
fn has_none_in_memory(balancer: &Balancer) -> bool {
    stored(balancer, "waiting_observations") == 0
}

#[test]
fn an_outage_is_spooled_and_replayed_exactly_once() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let place = place(&wire.url());
    let mut balancer = place.up("1..1");
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let before = 2 * jobs.len();
    until("the first are written", || stored(&balancer, "written_observations_total") == before);

    wire.cut();
    let load = Load::closed(balancer.listen, &jobs, 2);
    until("some are on disk", || 30 < stored(&balancer, "spooled_observations"));
    let tally = load.stop();
    tally.assert_faultless();
    until("all are on disk", || has_none_in_memory(&balancer));
    assert_eq!(stored(&balancer, "spooled_observations"), tally.right);
    assert_eq!(count(roto.address()), before);

    // Killed meanwhile, and back before DynamoDB is.
    balancer.process.kill();
    let balancer = place.up("1..1");
    balancer.has_active(1);
    assert_eq!(stored(&balancer, "spooled_observations"), tally.right);
    wire.mend();
    until("the disk is empty", || stored(&balancer, "spooled_observations") == 0);
    until("all are written", || count(roto.address()) == before + tally.right);
    assert_eq!(stored(&balancer, "dropped_observations_total"), 0);
    assert_eq!(stored(&balancer, "spool_dropped_observations_total"), 0);
}

#[test]
fn throttling_of_three_writes_in_ten_loses_nothing() {
    let roto = Emulator::roto(None);
    let between = Emulator::microburst(&roto);
    // Its first answer takes long.
    let answer = Client::new(between.address()).ask(&request("ListTables", &json!({})));
    assert_eq!(answer.expect("it answers").status, 200);
    let config = CONFIG.replace("timeout = \"1s\"", "timeout = \"1m\"");
    let place = place_with(&config, &between.url());
    let balancer = place.up("1..1");
    balancer.has_active(1);
    between.rules(
        r#"[{"service":"dynamodb","operation":"BatchWriteItem","probability":0.3,
            "error":{"code":"ProvisionedThroughputExceededException","status":400}}]"#,
    );
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let load = Load::closed(balancer.listen, &jobs, 2);
    until("requests are served", || 60 < load.answered());
    until("writes are refused", || 2 < between.fired());
    let tally = load.stop();
    tally.assert_faultless();
    let all = 2 * jobs.len() + tally.right;
    until("all are written", || count(roto.address()) == all);
    until("nothing is left", || {
        has_none_in_memory(&balancer) && stored(&balancer, "spooled_observations") == 0
    });
    assert_eq!(count(roto.address()), all);
    assert_eq!(stored(&balancer, "dropped_observations_total"), 0);
}

#[test]
fn a_dynamodb_killed_under_load_costs_no_request_and_no_observation() {
    let folder = tempfile::tempdir().expect("a folder");
    let roto = Emulator::roto(Some(folder.path()));
    let wire = Wire::before(roto.address());
    let place = place(&wire.url());
    let balancer = place.up("1..1");
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let load = Load::closed(balancer.listen, &jobs, 2);
    until("requests are served", || 40 < load.answered());
    roto.kill();
    until("some are on disk", || 20 < stored(&balancer, "spooled_observations"));
    let roto = Emulator::roto(Some(folder.path()));
    wire.point_at(roto.address());
    until("the disk is empty", || stored(&balancer, "spooled_observations") == 0);
    let tally = load.stop();
    tally.assert_faultless();
    let all = 2 * jobs.len() + tally.right;
    until("all are written", || count(roto.address()) == all);
    until("nothing is left", || has_none_in_memory(&balancer));
    assert_eq!(count(roto.address()), all);
    assert_eq!(stored(&balancer, "dropped_observations_total"), 0);
}

#[test]
fn a_balancer_killed_under_load_loses_no_more_than_was_in_memory() {
    let roto = Emulator::roto(None);
    let place = place(&roto.url());
    let mut balancer = place.up("1..1");
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let load = Load::closed(balancer.listen, &jobs, 2);
    until("requests are served", || 60 < load.answered());
    let written = stored(&balancer, "written_observations_total");
    balancer.process.kill();
    load.stop();
    let rows = count(roto.address());
    assert!(written <= rows, "{rows} rows of {written}");

    let balancer = place.up("1..1");
    let models = balancer.json("/models");
    let restored: u64 = super::ROUTES
        .iter()
        .map(|route| models["routes"][route]["observations"].as_u64().expect("a number"))
        .sum();
    // The first rows of a route whose features are found know few of them, and are left out.
    let rows = rows as u64;
    assert!((rows - 3..=rows).contains(&restored), "every row is readable: {restored} of {rows}");
    balancer.has_active(1);
    for job in jobs.iter() {
        job.check(&balancer.ask(&job.request)).expect("a right answer");
    }
}

#[test]
fn a_balancer_starts_and_serves_while_dynamodb_is_away() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    wire.cut();
    let place = place(&wire.url());
    let mut balancer = place.up("1..1");
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    until("its observations are on disk", || {
        stored(&balancer, "spooled_observations") == 2 * jobs.len()
    });
    wire.mend();
    until("the disk is empty", || stored(&balancer, "spooled_observations") == 0);
    assert_eq!(count(roto.address()), 2 * jobs.len());
    balancer.process.send(Signal::TERM);
    assert!(balancer.process.ends().success());
}
