//! Useless predictions do no harm: on hosts that share their time Weighbridge is then at most 5 % slower
//! than fewest in flight, in every scenario.

use weighbridge_bench::sim::predict::ErrorKind;
use weighbridge_bench::sim::scenario::{Faults, Scenario};

use crate::scenarios::{all, mean_response, run};

const REQUESTS: usize = 20_000;

/// Larger fleets take longer than a test should.
const HOSTS_MAX: usize = 64;

fn check(errors: ErrorKind) {
    for scenario in all(REQUESTS) {
        if HOSTS_MAX < scenario.hosts.count || scenario.scale.is_some() {
            continue;
        }
        // Without faults: how soon a crash is noticed has nothing to do with predictions.
        let never = f64::INFINITY;
        let faults = Faults { crash_every: never, slow_every: never, ..scenario.faults };
        let scenario = Scenario { errors, faults, ..scenario };
        let ours = mean_response(&run(&scenario, "weighbridge@ps"));
        let fewest = mean_response(&run(&scenario, "least_connections@ps"));
        let ratio = ours / fewest;
        assert!(ratio <= 1.05, "{}: {ratio:.3} of fewest in flight, {errors:?}", scenario.name);
    }
}

#[test]
fn random_predictions_do_no_harm() {
    check(ErrorKind::Random);
}

#[test]
fn constant_predictions_do_no_harm() {
    check(ErrorKind::Constant);
}

#[test]
fn reversed_predictions_do_no_harm() {
    check(ErrorKind::Reversed);
}
