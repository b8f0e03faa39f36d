//! What Weighbridge is to achieve on the recorded sizes, with predictions that are off by 30 %.

use weighbridge_bench::sim::measure::mean;
use weighbridge_bench::sim::scenario::Scenario;

use crate::scenarios::{mean_response, run, scenario};

const REQUESTS: usize = 40_000;

/// Mean slowdown at most; mean response at most so much of least connections and of the bound.
struct Target {
    load: f64,
    slowdown: f64,
    of_least_connections: f64,
    of_bound: f64,
}

fn check(target: &Target) {
    let base = scenario("workloads", REQUESTS);
    let scenario = Scenario { load: target.load, ..base };
    let ours = run(&scenario, "weighbridge");
    let slowdown = mean(&ours.slowdowns());
    let of = |policy| mean_response(&ours) / mean_response(&run(&scenario, policy));
    let (of_fewest, of_bound) = (of("least_connections"), of("srpt_k"));
    println!(
        "load {}: slowdown {slowdown:.3}, {of_fewest:.3} of least connections, {of_bound:.3} of the bound",
        target.load
    );
    assert!(slowdown <= target.slowdown, "slowdown {slowdown:.3}");
    assert!(of_fewest <= target.of_least_connections, "{of_fewest:.3} of least connections");
    assert!(of_bound <= target.of_bound, "{of_bound:.3} of the bound");
}

#[test]
fn with_faults_too_it_is_no_slower_than_least_connections() {
    // On hosts that share their time there is nothing to gain here; over eight seeds it is 1.01.
    for (policy, most) in [("weighbridge", 1.0), ("weighbridge@ps", 1.02)] {
        let (mut ours, mut fewest) = (0.0, 0.0);
        for seed in 1..=3 {
            let scenario = Scenario { seed, ..scenario("faults", REQUESTS) };
            ours += mean_response(&run(&scenario, policy));
            fewest += mean_response(&run(&scenario, "least_connections"));
        }
        assert!(ours <= most * fewest, "{policy}: {:.3} of least connections", ours / fewest);
    }
}

#[test]
fn at_load_90_small_requests_hardly_wait() {
    check(&Target { load: 0.90, slowdown: 1.10, of_least_connections: 0.80, of_bound: 1.15 });
}

#[test]
fn at_load_95_small_requests_hardly_wait() {
    check(&Target { load: 0.95, slowdown: 1.15, of_least_connections: 0.65, of_bound: 1.20 });
}
