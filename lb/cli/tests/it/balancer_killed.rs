//! A balancer that dies under load, and its successor.

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::harness::balancer::{Balancer, Host, Place};
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::process::is_gone;
use crate::harness::requests::{jobs, mixed, ray_trace};
use crate::harness::until;

const CONFIG: &str = "[store]\nbatch_age = \"50ms\"\n[repeats]\nentries_max = 0\n";

/// Models have been trained when so many requests of a route were observed.
const OBSERVATIONS_MIN: u64 = 20;

#[test]
fn a_killed_balancer_leaves_nobody_behind_and_its_successor_knows_what_it_knew() {
    let place = Place::new(CONFIG);
    let mut first = place.up("2..2");
    let workers: Vec<u32> = first.has_active(2).iter().map(Host::pid).collect();
    let jobs = jobs(&mut Client::new(first.listen), mixed());
    let load = Load::closed(first.listen, &jobs, 3);
    let stored = first.has_learned("models of all routes", || all_are_models(&first));
    // What was written is there; what was answered in the last moment may not have been. Of a route
    // whose features are found, the first rows, a fifth at the most, may say too little.
    let answered = load.answered();
    until("everything counted is written", || written(&stored, &place));
    until("more answers", || answered + 40 < load.answered());
    first.process.kill();
    until("no worker is left", || workers.iter().all(|worker| is_gone(*worker)));
    assert!(!load.stop().failures.is_empty(), "nobody noticed the kill");
    assert_eq!(integrity(&place), "ok");

    let second = place.up("1..1");
    let restored = observations(&second);
    for (restored, stored) in restored.iter().zip(&stored) {
        assert!(stored * 4 <= restored * 5, "{restored:?} of {stored:?} observations are left");
    }
    let models = second.json("/models");
    assert!(all_are_models(&second).is_some(), "{models}");
    for route in ROUTES {
        // That of the model. The running mean is off by several times what these requests cost.
        let error = models["routes"][route]["held_back_mdape"].as_f64().expect("an error");
        assert!(error < 1.0, "of {route}: {models}");
        // Those of the first one's estimates, as they were kept.
        assert!(models["routes"][route]["mdape"].is_number(), "of {route}: {models}");
        let classes = models["routes"][route]["by_size"].as_array().map_or(0, Vec::len);
        assert!(0 < classes, "of {route}: {models}");
    }
    let pids: Vec<u32> = second.has_active(1).iter().map(Host::pid).collect();
    assert!(workers.iter().all(|worker| !pids.contains(worker)));
    let answer = second.ask(&ray_trace(70, 20));
    assert!(answer.headers("server-timing").contains("desc=\"model\""), "{answer:?}");
    for job in jobs.iter() {
        job.check(&second.ask(&job.request)).expect("a right answer");
    }
    assert_eq!(integrity(&place), "ok");
}

const ROUTES: [&str; 3] = ["blur", "enhance", "raytrace"];

fn observations(balancer: &Balancer) -> Vec<u64> {
    let models = balancer.json("/models");
    let of = |route: &str| models["routes"][route]["observations"].as_u64();
    ROUTES.iter().map(|route| of(route).expect("a number")).collect()
}

/// The observations, once every route has an estimator that was trained on enough of them.
fn all_are_models(balancer: &Balancer) -> Option<Vec<u64>> {
    let models = balancer.json("/models");
    let is_model = |route: &str| {
        let model: &Value = &models["routes"][route];
        !matches!(model["estimator"].as_str(), None | Some("prior" | "running_mean"))
            && model["observations"].as_u64().is_some_and(|n| OBSERVATIONS_MIN <= n)
    };
    ROUTES.into_iter().all(is_model).then(|| observations(balancer))
}

fn open(place: &Place) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    Connection::open_with_flags(place.data().join("weighbridge.sqlite"), flags)
        .expect("the store opens")
}

/// Whether as many observations are in the file as are `stored`.
fn written(stored: &[u64], place: &Place) -> bool {
    let count = "SELECT count(*) FROM observations";
    // The writer may hold the file for a moment.
    let rows: i64 = open(place).query_row(count, [], |row| row.get(0)).unwrap_or(0);
    stored.iter().sum::<u64>() <= rows.unsigned_abs()
}

fn integrity(place: &Place) -> String {
    let check = "PRAGMA integrity_check";
    open(place).query_row(check, [], |row| row.get(0)).expect("it is checked")
}
