use super::*;

/// A function that is told to be as fast as the reference core and to start in a second. A second of
/// it costs a cent, and an hour may cost ten.
pub(crate) fn policy() -> LambdaPolicy {
    LambdaPolicy {
        concurrency_max: 2,
        usd_per_hour_max: 0.1,
        usd_per_gb_second: 0.005,
        usd_per_request: 0.0,
        memory_gb: 2.0,
        speed: Speed::ONE,
        cold_start: Duration::from_secs(1),
        payload_bytes_max: 500,
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
    lambda.offer(at(now), Work::saturating(secs), 0).map(|offer| offer.response.0)
}

/// Runs one that costs `work` and takes `cpu_secs` and so much besides.
fn run(lambda: &mut Lambda, now: f64, work: f64, cpu_secs: f64, besides: f64) {
    let offer = lambda.offer(at(now), Work::saturating(work), 0).unwrap();
    let run = lambda.start(at(now), &offer);
    let elapsed = Duration::from_secs_f64(cpu_secs + besides);
    let end = at(now) + elapsed;
    lambda.end(end);
    let work = Work::from_cpu_secs(work);
    lambda.complete(end, &run, &Ended { work, cpu_secs: Some(cpu_secs), elapsed });
    lambda.check_invariants();
}

#[test]
fn a_function_is_warm_for_five_minutes_after_a_run() {
    let mut lambda = lambda();
    assert_eq!(response(&lambda, 0.0, 0.5), Some(1.5), "cold");
    run(&mut lambda, 0.0, 0.5, 0.5, 1.0);
    assert_eq!(response(&lambda, 10.0, 0.5), Some(0.5), "warm");
    let offer = lambda.offer(at(10.0), Work::saturating(0.5), 0).unwrap();
    lambda.start(at(10.0), &offer);
    assert_eq!(response(&lambda, 10.0, 0.5), Some(1.5), "the warm one is busy");
    lambda.end(at(11.0));
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
    let speed = lambda.speed().as_reference_cores();
    assert!((0.45..0.55).contains(&speed), "{speed}");
    let warm = response(&lambda, 19_020.0, 1.0).unwrap();
    assert!((2.02..2.2).contains(&warm), "{warm}");
    assert!((0.15..0.3).contains(&lambda.cold_start().0), "{:?}", lambda.cold_start());
}

#[test]
fn what_is_set_aside_is_spent_and_the_rest_given_back() {
    let mut lambda = lambda();
    let offer = lambda.offer(at(0.0), Work::saturating(4.0), 0).unwrap();
    let long = lambda.start(at(0.0), &offer);
    assert!((lambda.usd_total() - 0.05).abs() < 1e-12, "with the cold start");
    assert_eq!(response(&lambda, 0.0, 4.1), None, "more than the hour may cost");
    assert_eq!(response(&lambda, 0.0, 3.9), Some(4.9));
    lambda.end(at(2.0));
    let ended = Ended { work: None, cpu_secs: None, elapsed: Duration::from_secs(2) };
    lambda.complete(at(2.0), &long, &ended);
    assert!((lambda.usd_total() - 0.02).abs() < 1e-12, "it took two seconds");
    assert_eq!(response(&lambda, 3599.0, 8.1), None, "within the hour");
    assert_eq!(response(&lambda, 3700.0, 8.1), Some(9.1), "after it");
}

#[test]
fn failures_leave_it_alone_for_twice_as_long_each_time() {
    let hosts = HostPolicy {
        in_flight_max_per_core: 8,
        memory_utilization_max: 0.9,
        eject_failures: 3,
        eject_base: Duration::from_secs(5),
        eject_max: Duration::from_secs(15),
        eject_fraction_max: 0.5,
        warm_up: Duration::ZERO,
        report_age_max: Duration::from_secs(5),
    };
    let mut lambda = lambda();
    let mut now = 0.0;
    for pause in [5.0, 10.0, 15.0, 15.0] {
        let offer = lambda.offer(at(now), Work::saturating(0.1), 0).unwrap();
        assert_eq!(offer.response, Seconds(1.1), "a function that failed is gone");
        lambda.start(at(now), &offer);
        lambda.end(at(now));
        lambda.fail(at(now), &hosts);
        assert_eq!(response(&lambda, now + pause - 0.1, 0.1), None);
        now += pause;
        lambda.check_invariants();
    }
    run(&mut lambda, now, 0.1, 0.1, 1.0);
    assert_eq!(lambda.failures_in_row, 0, "forgotten");
}

#[test]
fn bodies_that_are_too_long_do_not_fit() {
    let lambda = lambda();
    assert!(lambda.offer(at(0.0), Work::ZERO, 500).is_some());
    assert!(lambda.offer(at(0.0), Work::ZERO, 501).is_none());
}
