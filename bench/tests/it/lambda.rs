//! Bursts that spill over to Lambda: what it does for response times, what it costs, and what
//! happens when functions fail.

use weighbridge_bench::sim::cost;
use weighbridge_bench::sim::measure::{Measured, RunCounts};
use weighbridge_bench::sim::scenario::Scenario;

use crate::scenarios::{mean_response, run, scenario};

/// Enough for a few bursts.
const REQUESTS: usize = 20_000;

fn spent(measured: &Measured) -> f64 {
    cost::usd(&measured.usage)
}

#[test]
fn bursts_on_lambda_are_answered_sooner_than_by_the_hosts_and_cheaper_than_by_more_hosts() {
    let scenario = scenario("lambda_bursts", REQUESTS);
    let spilled = run(&scenario, "weighbridge");
    let alone = run(&scenario, "weighbridge:lambda=off");
    let doubled = run(&scenario, "weighbridge:lambda=off:hosts=8");
    assert!(0 < spilled.usage.lambda_requests);
    assert_eq!(alone.runs, RunCounts::default());
    assert!(mean_response(&spilled) < 0.5 * mean_response(&alone));
    assert!(mean_response(&spilled) < mean_response(&doubled));
    assert!(spent(&spilled) < spent(&doubled));
    let hosts = spent(&spilled) - cost::lambda_usd(&spilled.usage);
    assert!((hosts / spent(&alone) - 1.0).abs() < 0.05, "the hosts cost the same");
}

#[test]
fn environments_are_used_again() {
    let runs = run(&scenario("lambda_bursts", REQUESTS), "weighbridge").runs;
    assert!(0 < runs.cold && runs.cold < runs.started / 4, "{runs:?}");
    assert_eq!((runs.crashed, runs.throttled), (0, 0));
}

#[test]
fn functions_that_throttle_and_crash_leave_no_request_behind() {
    let scenario = scenario("faults_lambda", REQUESTS);
    let measured = run(&scenario, "weighbridge");
    let runs = measured.runs;
    assert!(0 < runs.throttled && 0 < runs.crashed, "{runs:?}");
    assert_eq!(measured.usage.lambda_requests, runs.started, "each run is billed once");
    let unanswered = measured.unanswered();
    assert!(unanswered <= REQUESTS / 500, "{unanswered} requests have no answer");
    assert_eq!(measured, run(&scenario, "weighbridge"), "equal seeds give equal runs");
}

#[test]
fn no_more_is_spent_than_the_budget_of_an_hour() {
    const USD: f64 = 0.02;
    let mut scenario = Scenario { sigma: 0.0, ..scenario("lambda_bursts", REQUESTS) };
    if let Some(lambda) = &mut scenario.weighbridge.policy.lambda {
        lambda.usd_per_hour_max = USD;
    }
    let measured = run(&scenario, "weighbridge");
    assert!(measured.length < 3600.0, "it is one hour");
    let spent = cost::lambda_usd(&measured.usage);
    // A first cold start may be longer than is believed.
    assert!(0.9 * USD < spent && spent < 1.02 * USD, "{spent}");
}
