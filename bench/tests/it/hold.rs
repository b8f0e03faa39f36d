//! What holding requests at the balancer is to achieve in front of ordinary hosts, whose servers
//! share their time or serve in order of arrival. The rival is least connections on hosts that
//! share theirs.

use weighbridge_bench::sim::measure::mean;
use weighbridge_bench::sim::scenario::Scenario;

use crate::scenarios::{mean_response, run, scenario};

const REQUESTS: usize = 10_000;

/// Means are over these: one seed of a heavy tail says little.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

/// Mean response and mean slowdown of a policy.
fn means(name: &str, policy: &str) -> (f64, f64) {
    let base = scenario(name, REQUESTS);
    let (mut response, mut slowdown) = (0.0, 0.0);
    for seed in SEEDS {
        let measured = run(&Scenario { seed, ..base.clone() }, policy);
        // Requests without an answer are in no mean. The age guard has half of the cores, and so a
        // few giants of a small fleet wait for as long as any may.
        let unanswered = measured.unanswered();
        assert!(unanswered <= REQUESTS / 500, "{name} {policy} seed {seed}: {unanswered}");
        response += mean_response(&measured);
        slowdown += mean(&measured.slowdowns());
    }
    (response, slowdown)
}

/// Mean response is lower than that of least connections, and mean slowdown so many times.
fn check(name: &str, slowdown_factor: f64) {
    let (response, slowdown) = means(name, "weighbridge@ps");
    let (of_fewest, slowdown_of_fewest) = means(name, "least_connections@ps");
    let (by_response, by_slowdown) = (of_fewest / response, slowdown_of_fewest / slowdown);
    println!("{name}: response {by_response:.3} times lower, slowdown {by_slowdown:.3} times");
    assert!(1.0 < by_response, "{name}: response {by_response:.3} times lower");
    assert!(slowdown_factor < by_slowdown, "{name}: slowdown {by_slowdown:.3} times lower");
}

#[test]
fn ordinary_hosts_answer_sooner_than_by_least_connections() {
    for name in ["workloads", "log_normal", "pareto", "heterogeneous"] {
        check(name, 1.0);
    }
}

#[test]
fn on_a_small_fleet_slowdown_is_a_quarter_better() {
    check("small_fleet", 1.25);
}

#[test]
fn in_bursts_slowdown_is_two_fifths_better() {
    check("bursty", 1.4);
}

#[test]
fn hosts_that_serve_in_order_of_arrival_answer_sooner_than_those_that_share_their_time() {
    let (response, _) = means("log_normal", "weighbridge@fcfs");
    let (of_fewest, _) = means("log_normal", "least_connections@ps");
    assert!(response < of_fewest, "{:.3} of least connections", response / of_fewest);
}
