use super::*;
use crate::sim::cost;

fn function(crashes: f64) -> Function {
    Function::new(FunctionKind {
        route: 0,
        speed: 0.5,
        cold_start: Law::Deterministic { mean: 0.25 },
        idle_max: 60.0,
        concurrency_max: 2,
        crashes,
        round_trip: 0.02,
    })
}

/// A run of one second of work that begins at `now`.
fn start(function: &mut Function, now: f64) -> Option<Run> {
    let run = function.start(0, (now, 1.0), &mut Random::new(1));
    function.check_invariants();
    run
}

/// Runs one second of work from `now` to its end, which is returned with it.
fn run(function: &mut Function, now: f64) -> (Run, f64) {
    let run = start(function, now).unwrap();
    let end = now + run.length;
    function.end(end, &run);
    function.check_invariants();
    (run, end)
}

#[test]
fn the_first_run_starts_cold_and_the_next_does_not() {
    let mut function = function(0.0);
    let (cold, end) = run(&mut function, 0.0);
    let (warm, _) = run(&mut function, end);
    let expected = Run { function: 0, length: 2.25, cpu_secs: 2.0, is_cold: true, crashes: false };
    assert_eq!(cold, expected);
    assert_eq!(warm, Run { length: 2.0, is_cold: false, ..expected });
}

#[test]
fn an_environment_that_is_busy_is_not_used_by_another_run() {
    let mut function = function(0.0);
    let first = start(&mut function, 0.0).unwrap();
    assert!(start(&mut function, 1.0).unwrap().is_cold);
    function.end(2.25, &first);
    assert!(!start(&mut function, 2.25).unwrap().is_cold);
}

#[test]
fn an_environment_that_has_been_idle_for_long_is_gone() {
    let mut function = function(0.0);
    let (_, end) = run(&mut function, 0.0);
    let (_, end) = run(&mut function, end + 59.9);
    assert!(run(&mut function, end + 60.0).0.is_cold);
}

#[test]
fn what_comes_beyond_the_limit_is_throttled_and_costs_nothing() {
    let mut function = function(0.0);
    let runs = [0.0, 0.0].map(|now| start(&mut function, now).unwrap());
    assert_eq!(start(&mut function, 1.0), None);
    assert_eq!(function.running, 2);
    function.end(2.25, &runs[0]);
    assert!(start(&mut function, 2.25).is_some(), "there is room again");
    assert_eq!(function.used().lambda_requests, 1);
}

#[test]
fn a_crash_ends_a_run_early_and_its_environment_with_it() {
    let mut function = function(1.0);
    let (crashed, end) = run(&mut function, 0.0);
    assert!(crashed.crashes && crashed.length < 2.25);
    assert!(run(&mut function, end).0.is_cold);
    assert_eq!(function.used().lambda_requests, 2, "what crashes is billed");
}

#[test]
fn runs_cost_their_memory_by_the_millisecond_and_a_fee() {
    let mut function = function(0.0);
    let (_, end) = run(&mut function, 0.0);
    run(&mut function, end);
    // 2.25 s and 2 s of 1.769 GB, and two of a million requests at 0.20 USD.
    let expected = 4.25 * 1.769 * 0.000_016_666_7 + 2.0 * 0.2e-6;
    let usd = cost::usd(&function.used());
    assert!((usd - 0.000_125_704).abs() < 1e-9, "{usd}");
    assert!((usd - expected).abs() < 1e-12, "{usd} is not {expected}");
}

#[test]
fn cold_starts_are_drawn() {
    let kind = FunctionKind {
        cold_start: Law::LogNormal { mean: 0.25, cv: 0.5 },
        concurrency_max: 10_000,
        ..function(0.0).kind
    };
    let (mut function, mut random) = (Function::new(kind), Random::new(7));
    let lengths = (0..10_000).map(|_| function.start(0, (0.0, 1.0), &mut random).unwrap().length);
    let cold_starts: Vec<f64> = lengths.map(|length| length - 2.0).collect();
    let mean = cold_starts.iter().sum::<f64>() / 10_000.0;
    assert!((mean / 0.25 - 1.0).abs() < 0.03, "{mean}");
    assert!(cold_starts.iter().all(|cold_start| 0.0 < *cold_start));
}
