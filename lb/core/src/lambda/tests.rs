use super::*;
use crate::policy::FunctionPolicy;
use crate::units::Speed;

/// Two functions that are told to be as fast as the reference core and to start in a second. A
/// second of either costs a cent, and an hour may cost ten.
pub(crate) fn policy() -> LambdaPolicy {
    let function = |name: &str| FunctionPolicy {
        name: name.to_owned(),
        concurrency_max: 2,
        memory_gb: 2.0,
        speed: Speed::ONE,
        cold_start: Duration::from_secs(1),
        payload_bytes_max: 500,
    };
    LambdaPolicy {
        functions: vec![function("one"), function("other")],
        usd_per_hour_max: 0.1,
        usd_per_gb_second: 0.005,
        usd_per_request: 0.0,
    }
}

const ONE: FunctionId = FunctionId(0);
const OTHER: FunctionId = FunctionId(1);

fn hosts() -> HostPolicy {
    HostPolicy {
        eject_failures: 3,
        eject_max: Duration::from_secs(15),
        eject_fraction_max: 0.5,
        ..HostPolicy::for_tests()
    }
}

fn lambda() -> Lambda {
    Lambda::new(policy())
}

fn at(secs: f64) -> Time {
    Time::from_secs_f64(secs)
}

/// When a run of `secs` would answer.
fn response(lambda: &Lambda, now: f64, secs: f64) -> Option<f64> {
    offer(lambda, now, secs).map(|offer| offer.response.0)
}

fn offer(lambda: &Lambda, now: f64, secs: f64) -> Option<Offer> {
    lambda.offer(at(now), ONE, Work::saturating(secs), Some(0))
}

/// Starts one, and ends it at once with `failure`.
fn fail(lambda: &mut Lambda, now: f64, failure: Failure) {
    let offer = offer(lambda, now, 0.1).unwrap();
    let run = lambda.start(at(now), &offer);
    lambda.end(at(now), &run);
    lambda.fail(at(now), &run, failure, &hosts());
    lambda.check_invariants();
}

/// Runs one that costs `work` and takes `cpu_secs` and so much besides.
fn run(lambda: &mut Lambda, now: f64, work: f64, cpu_secs: f64, besides: f64) {
    let offer = offer(lambda, now, work).unwrap();
    let run = lambda.start(at(now), &offer);
    let elapsed = Duration::from_secs_f64(cpu_secs + besides);
    let end = at(now) + elapsed;
    lambda.end(end, &run);
    let speed = Some(SpeedSeen { ln_speed: (work / cpu_secs).ln(), variance: 0.0 });
    let (work, cpu_secs) = (Work::from_cpu_secs(work), Some(cpu_secs));
    lambda.complete(end, &run, &Ended { work, cpu_secs, speed, elapsed, cold_start: None });
    lambda.check_invariants();
}

#[test]
fn an_environment_is_warm_for_five_minutes_after_a_run() {
    let mut lambda = lambda();
    assert_eq!(response(&lambda, 0.0, 0.5), Some(1.5), "cold");
    run(&mut lambda, 0.0, 0.5, 0.5, 1.0);
    assert_eq!(response(&lambda, 10.0, 0.5), Some(0.5), "warm");
    let started = lambda.start(at(10.0), &offer(&lambda, 10.0, 0.5).unwrap());
    assert_eq!(response(&lambda, 10.0, 0.5), Some(1.5), "the warm one is busy");
    lambda.end(at(11.0), &started);
    assert_eq!(response(&lambda, 310.9, 0.5), Some(0.5));
    assert_eq!(response(&lambda, 311.1, 0.5), Some(1.5), "cold again");
}

#[test]
fn speed_round_trip_and_cold_start_are_learned() {
    let mut lambda = lambda();
    for n in 0..20 {
        // Cold, then warm: half as fast as was told, and a cold start takes a quarter.
        let now = f64::from(n) * 1000.0;
        run(&mut lambda, now, 0.01, 0.02, 0.25);
        run(&mut lambda, now + 10.0, 0.01, 0.02, 0.05);
    }
    let function = lambda.function(ONE).unwrap();
    let speed = function.speed().as_reference_cores();
    assert!((0.45..0.55).contains(&speed), "{speed}");
    let warm = response(&lambda, 19_020.0, 1.0).unwrap();
    assert!((2.02..2.2).contains(&warm), "{warm}");
    assert!((0.15..0.3).contains(&function.cold_start().0), "{:?}", function.cold_start());
    assert_eq!(function.cold_starts(), 20);
    assert_eq!(lambda.function(OTHER).unwrap().speed(), Speed::ONE, "nothing of the other");
}

#[test]
fn what_is_set_aside_is_spent_and_the_rest_given_back() {
    let mut lambda = lambda();
    let long = lambda.start(at(0.0), &offer(&lambda, 0.0, 4.0).unwrap());
    assert!((lambda.usd_total() - 0.05).abs() < 1e-12, "with the cold start");
    assert_eq!(response(&lambda, 0.0, 4.1), None, "more than the hour may cost");
    let other = |secs| lambda.offer(at(0.0), OTHER, Work::saturating(secs), Some(0));
    assert_eq!(other(4.1), None, "nor on the other");
    assert_eq!(response(&lambda, 0.0, 3.9), Some(4.9));
    lambda.end(at(2.0), &long);
    let elapsed = Duration::from_secs(2);
    let ended = Ended { work: None, cpu_secs: None, speed: None, elapsed, cold_start: None };
    lambda.complete(at(2.0), &long, &ended);
    assert!((lambda.usd_total() - 0.02).abs() < 1e-12, "it took two seconds");
    assert_eq!(response(&lambda, 3599.0, 8.1), None, "within the hour");
    assert_eq!(response(&lambda, 3700.0, 8.1), Some(9.1), "after it");
}

#[test]
fn failures_leave_it_alone_for_twice_as_long_each_time() {
    let mut lambda = lambda();
    let mut now = 0.0;
    for pause in [5.0, 10.0, 15.0, 15.0] {
        assert_eq!(response(&lambda, now, 0.1), Some(1.1), "an environment that failed is gone");
        fail(&mut lambda, now, Failure::BeforeResponse);
        assert_eq!(response(&lambda, now + pause - 0.1, 0.1), None);
        let other = lambda.offer(at(now), OTHER, Work::saturating(0.1), Some(0));
        assert!(other.is_some(), "the other one has not failed");
        now += pause;
    }
    let first = lambda.start(at(now), &offer(&lambda, now, 0.1).unwrap());
    assert_eq!(response(&lambda, now, 0.1), None, "one at a time, until one ends well");
    lambda.end(at(now), &first);
    run(&mut lambda, now, 0.1, 0.1, 1.0);
    lambda.start(at(now), &offer(&lambda, now, 0.1).unwrap());
    assert!(response(&lambda, now, 0.1).is_some(), "forgotten");
}

#[test]
fn runs_that_fail_together_are_one_failure() {
    let mut lambda = lambda();
    let started = [0.0, 0.0].map(|now| lambda.start(at(now), &offer(&lambda, now, 1.0).unwrap()));
    for (run, now) in started.iter().zip([1.0, 1.5]) {
        lambda.end(at(now), run);
        lambda.fail(at(now), run, Failure::Timeout, &hosts());
    }
    assert_eq!(response(&lambda, 5.9, 0.1), None);
    assert!(response(&lambda, 6.0, 0.1).is_some(), "five seconds after the first");
}

#[test]
fn what_is_throttled_costs_nothing_and_rests_for_a_moment() {
    let mut lambda = lambda();
    let mut now = 0.0;
    for pause in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0] {
        fail(&mut lambda, now, Failure::Refused);
        assert_eq!(response(&lambda, now + pause - 0.01, 0.1), None);
        now += pause + 1e-6;
    }
    assert!(lambda.usd_total().abs() < 1e-12, "{}", lambda.usd_total());
}

#[test]
fn throttling_shows_how_many_may_run_at_once() {
    let mut lambda = lambda();
    let accepted = lambda.start(at(0.0), &offer(&lambda, 0.0, 1.0).unwrap());
    fail(&mut lambda, 0.0, Failure::Refused);
    assert_eq!(response(&lambda, 0.5, 0.1), None, "one was too many");
    lambda.end(at(1.0), &accepted);
    run(&mut lambda, 1.0, 0.1, 0.1, 0.1);
    lambda.start(at(2.0), &offer(&lambda, 2.0, 0.1).unwrap());
    assert!(response(&lambda, 2.0, 0.1).is_some(), "one more after it went well");
}

#[test]
fn too_long_an_answer_is_not_the_functions_fault() {
    let mut lambda = lambda();
    fail(&mut lambda, 0.0, Failure::TooLong);
    assert_eq!(response(&lambda, 0.0, 0.1), Some(0.1), "its environment is warm");
    assert!(0.0 < lambda.usd_total(), "it ran");
}

#[test]
fn a_function_that_says_whether_it_was_cold_is_believed() {
    let mut lambda = lambda();
    let run = lambda.start(at(0.0), &offer(&lambda, 0.0, 0.1).unwrap());
    lambda.end(at(0.3), &run);
    let ended = Ended {
        work: Work::from_cpu_secs(0.1),
        cpu_secs: Some(0.1),
        speed: None,
        elapsed: Duration::from_millis(300),
        cold_start: Some(false),
    };
    lambda.complete(at(0.3), &run, &ended);
    let function = lambda.function(ONE).unwrap();
    assert_eq!((function.cold_starts(), function.cold_start()), (0, Seconds(1.0)));
    assert!((function.round_trip().0 - 0.1 * 0.2).abs() < 1e-9, "{:?}", function.round_trip());
}

#[test]
fn an_environment_whose_client_left_is_not_taken_to_be_idle() {
    let mut lambda = lambda();
    let run = lambda.start(at(0.0), &offer(&lambda, 0.0, 0.1).unwrap());
    lambda.end(at(0.1), &run);
    lambda.abandon(&run);
    assert_eq!(response(&lambda, 0.2, 0.1), Some(1.1), "cold");
    assert_eq!(lambda.running(), 0);
}

#[test]
fn events_that_are_too_long_do_not_fit() {
    let lambda = lambda();
    let fits = |bytes| lambda.offer(at(0.0), ONE, Work::ZERO, bytes).is_some();
    assert!(fits(Some(500)));
    assert!(!fits(Some(501)));
    assert!(!fits(None), "what has no event");
    assert_eq!(lambda.offer(at(0.0), FunctionId(2), Work::ZERO, Some(0)), None, "no such function");
}
