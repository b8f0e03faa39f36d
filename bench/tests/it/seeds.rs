//! Many seeds of scenarios in which everything goes wrong: whatever happens, the core's invariants
//! hold after each event, and every request ends.
//!
//! A failure prints the command that replays its seed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use weighbridge_bench::sim::scenario::Scenario;

use crate::scenarios::{run, scenario};

const SEEDS: u64 = 64;
const REQUESTS: usize = 400;

/// The scenarios with faults, by turns.
const SCENARIOS: [&str; 5] =
    ["faults", "faults_scaled", "faults_disciplines", "faults_lambda", "balancers"];

#[test]
fn no_seed_breaks_an_invariant_or_loses_a_request() {
    let scenarios = SCENARIOS.map(|name| scenario(name, REQUESTS));
    for (seed, base) in (0..SEEDS).zip(scenarios.iter().cycle()) {
        let scenario = Scenario { seed, ..base.clone() };
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| check(&scenario))) {
            eprintln!(
                "replay: cargo run -p weighbridge-bench -- sim --policy weighbridge \
                 --scenario bench/scenarios/{}.toml --seed {seed:#x}",
                scenario.name
            );
            std::panic::resume_unwind(cause);
        }
    }
}

/// The run itself checks invariants; here, that nearly every request has an answer.
fn check(scenario: &Scenario) {
    let measured = run(scenario, "weighbridge");
    assert_eq!(measured.records.len(), REQUESTS);
    let unanswered = measured.unanswered();
    assert!(unanswered <= REQUESTS / 20, "{unanswered} requests have no answer");
}
