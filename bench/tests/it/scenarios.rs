//! The scenarios that are shipped, and how tests run them.

use std::path::{Path, PathBuf};

use weighbridge_bench::sim::measure::{Measured, mean};
use weighbridge_bench::sim::run::PolicySpec;
use weighbridge_bench::sim::scenario::Scenario;
use weighbridge_bench::sim::workload::Workload;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The scenario of that name, with so many requests.
pub(crate) fn scenario(name: &str, requests: usize) -> Scenario {
    let path = folder().join(name).with_extension("toml");
    Scenario { requests, ..Scenario::read(&path).unwrap() }
}

/// Every scenario that is shipped.
pub(crate) fn all(requests: usize) -> Vec<Scenario> {
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files.iter().map(|path| Scenario { requests, ..Scenario::read(path).unwrap() }).collect()
}

pub(crate) fn run(scenario: &Scenario, policy: &str) -> Measured {
    let workload = Workload::draw(scenario);
    PolicySpec::parse(policy).unwrap().run(scenario, &workload, &mut |_, _| {})
}

pub(crate) fn mean_response(measured: &Measured) -> f64 {
    mean(&measured.responses())
}

#[test]
fn every_scenario_is_read_and_names_policies_that_there_are() {
    let all = all(1);
    assert!(all.len() >= 8, "scenarios are shipped");
    for scenario in all {
        assert!(!scenario.about.is_empty(), "{} says what it shows", scenario.name);
        for policy in &scenario.policies {
            assert!(policy == "all" || PolicySpec::parse(policy).is_ok(), "{policy}");
        }
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    let scenario = scenario("faults", 1000);
    let other = Scenario { seed: 2, ..scenario.clone() };
    let first = run(&scenario, "weighbridge");
    assert_eq!(first, run(&scenario, "weighbridge"));
    assert_ne!(first, run(&other, "weighbridge"));
}
