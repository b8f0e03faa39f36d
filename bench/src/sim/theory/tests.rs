use std::path::Path;

use super::*;
use crate::sim::measure::Interval;
use crate::sim::run::PolicySpec;
use crate::sim::scenario::Scenario;
use crate::sim::workload::Workload;

/// The confidence interval of the mean response in units of the mean size, which is 1 s.
fn simulate(policy: &str, scenario: &str) -> Interval {
    let scenario = Scenario::parse(scenario, Path::new("theory.toml")).unwrap();
    let workload = Workload::draw(&scenario);
    let policy = PolicySpec::parse(policy).unwrap();
    let measured = policy.run(&scenario, &workload, &mut |_, _| {});
    assert_eq!(measured.unanswered(), 0);
    Interval::of(&measured.responses())
}

/// Theory's value lies in the interval, and the interval is narrow enough to mean something.
fn check(policy: &str, scenario: &str, expected: f64, width_max: f64) {
    let interval = simulate(policy, scenario);
    let Interval { mean, half } = interval;
    assert!(interval.contains(expected), "{policy}: {mean:.4} ± {half:.4} is not {expected:.4}");
    assert!(half <= width_max * expected, "{policy}: {mean:.4} ± {half:.4} says little");
}

/// Hosts, cores and load of a scenario of sizes with mean 1 s.
fn scenario(hosts: usize, cores: usize, load: f64, class: &str) -> String {
    let requests = 200_000;
    format!(
        "requests = {requests}\nload = {load}\n[hosts]\ncount = {hosts}\ncores = {cores}\n\
         [sizes]\nclasses = [{{ {class} }}]\n[predictions]\nsigma = 0.0\n"
    )
}

const EXPONENTIAL: &str = "law = \"exponential\", mean = \"1s\"";

#[test]
fn formulas_give_the_known_numbers() {
    let close = |value: f64, expected: f64| {
        assert!((value - expected).abs() < 5e-5, "{value} is not {expected}");
    };
    close(mmk(8, 0.7), 1.1128);
    close(mmk(8, 0.9), 1.8769);
    close(mmk(1, 0.9), mm1(0.9));
    close(power_of_two(0.9), 2.6141);
    // Bansal & Harchol-Balter 2001: M/M/1 under SRPT at load 0.9 takes 3.5521.
    close(srpt(0.9), 3.5521);
}

#[test]
fn one_core_takes_as_long_as_theory_says() {
    check("round_robin@fcfs", &scenario(1, 1, 0.7, EXPONENTIAL), mm1(0.7), 0.06);
}

#[test]
fn eight_cores_with_one_queue_take_as_long_as_theory_says() {
    check("round_robin@fcfs", &scenario(1, 8, 0.7, EXPONENTIAL), mmk(8, 0.7), 0.02);
    check("round_robin@fcfs", &scenario(1, 8, 0.9, EXPONENTIAL), mmk(8, 0.9), 0.06);
}

#[test]
fn time_sharing_takes_as_long_whatever_the_sizes() {
    let laws = [
        "law = \"deterministic\", mean = \"1s\"",
        EXPONENTIAL,
        "law = \"log_normal\", mean = \"1s\", cv = 2.0",
    ];
    for law in laws {
        check("round_robin@ps", &scenario(1, 1, 0.7, law), mm1(0.7), 0.06);
    }
}

#[test]
fn two_choices_take_as_long_as_theory_says() {
    check(
        "power_of_two_choices@fcfs",
        &scenario(1000, 1, 0.9, EXPONENTIAL),
        power_of_two(0.9),
        0.03,
    );
}

#[test]
fn shortest_remaining_first_takes_as_long_as_theory_says() {
    check("round_robin@srpt", &scenario(1, 1, 0.9, EXPONENTIAL), srpt(0.9), 0.06);
}
