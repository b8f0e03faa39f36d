//! What is held at the balancer, and for how long.

use super::*;
use crate::learn::train;

/// Ordinary hosts hold requests by the default ratio.
fn holding(policy: Policy) -> Policy {
    Policy { schedule: SchedulePolicy { hold: Some(8.0), ..policy.schedule }, ..policy }
}

#[track_caller]
fn check_hold(script: &str, expected: &str) {
    check_with(holding(policy()), script, expected);
}

#[test]
fn a_giant_waits_here_while_small_requests_pass() {
    check_hold(
        "
0 join a 1 1.0 ps
0 arrive 1 1.0
0 arrive 2 10.0
0.1 arrive 3 0.1
0.2 arrive 4 0.05
0.3 complete 3 0.1
0.3 dispatch
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 10.0: waits until 30
0.1 arrive 3 0.1: to 0
0.2 arrive 4 0.05: waits until 30.2
0.3 complete 3 0.1: learned
0.3 dispatch: 4 to 0
",
    );
}

#[test]
fn what_is_held_goes_shortest_first_at_the_end_of_a_request() {
    check_hold(
        "
0 join a 2 1.0 ps
0 arrive 1 1.0
0 arrive 2 1.0
0 arrive 3 3.0
0 arrive 4 2.0
0.5 dispatch
1 complete 1 1.0
1 dispatch
1 complete 2 1.0
1 dispatch
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 1.0: to 0
0 arrive 3 3.0: waits until 30
0 arrive 4 2.0: waits until 30
1 complete 1 1.0: learned
1 dispatch: 4 to 0
1 complete 2 1.0: learned
1 dispatch: 3 to 0
",
    );
}

#[test]
fn a_request_goes_to_the_best_host_that_is_open() {
    check_hold(
        "
0 join a 1 2.0 ps
0 join b 1 0.5 ps
0 arrive 1 1.0
0 arrive 2 1.0
0 arrive 3 1.0
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 1.0: to 1
0 arrive 3 1.0: waits until 30
",
    );
}

#[test]
fn what_is_overdue_is_held_no_longer() {
    check_hold(
        "
0 join a 1 1.0 ps
0 arrive 1 20.0
0 arrive 2 4.0
12.9 dispatch
13.1 dispatch
",
        "
0 arrive 1 20.0: to 0
0 arrive 2 4.0: waits until 30
13.1 dispatch: 2 to 0
",
    );
}

#[test]
fn nothing_is_refused_because_it_is_held() {
    check_hold(
        "
0 join a 1 1.0 ps
0 arrive 1 100.0
0 arrive 2 20.0
22.4 dispatch
22.6 dispatch
",
        "
0 arrive 1 100.0: to 0
0 arrive 2 20.0: waits until 30
22.6 dispatch: 2 to 0
",
    );
}

#[test]
fn a_request_of_unknown_size_is_not_held_and_not_behind_those_that_are() {
    check_hold(
        "
0 join a 1 1.0 ps
0 arrive 1 1.0
0 arrive 2 0.9
0 arrive 3
0 arrive 4
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 0.9: waits until 30
0 arrive 3: to 0
0 arrive 4: to 0
",
    );
}

#[test]
fn what_takes_less_than_a_millisecond_is_not_held_and_not_behind_what_is() {
    check_hold(
        "
0 join a 1 1.0 ps
0 arrive 1 0.0009
0 arrive 2 0.0009
0 arrive 3 0.002
0 arrive 4 0.0009
",
        "
0 arrive 1 0.0009: to 0
0 arrive 2 0.0009: to 0
0 arrive 3 0.002: waits until 30
0 arrive 4 0.0009: to 0
",
    );
}

#[test]
fn a_host_that_serves_in_order_of_arrival_is_given_what_it_runs_and_no_more() {
    check_hold(
        "
0 join a 2 1.0 fcfs
0 arrive 1 0.01
0 arrive 2
0 arrive 3 0.01
0 arrive 4
0.01 complete 1 0.01
0.01 dispatch
",
        "
0 arrive 1 0.01: to 0
0 arrive 2: to 0
0 arrive 3 0.01: waits until 30
0 arrive 4: waits until 30
0.01 complete 1 0.01: learned
0.01 dispatch: 3 to 0
",
    );
}

#[test]
fn hosts_that_order_their_requests_go_by_patience_as_ever() {
    let script = "
0 join a 1 1.0 srpt
0 arrive 1 0.05
0 arrive 2 0.05
0 arrive 3 0.05
0 arrive 4 0.05
";
    let expected = "
0 arrive 1 0.05: to 0
0 arrive 2 0.05: to 0
0 arrive 3 0.05: to 0
0 arrive 4 0.05: waits until 30
";
    check_hold(script, expected);
    check(script, expected);
}

/// The second host orders its requests and is slow: it is open, but not within patience.
#[test]
fn among_hosts_of_several_disciplines_patience_holds_for_those_that_order_their_requests() {
    check_hold(
        "
0 join a 1 2.0 ps
0 join b 1 0.5 srpt
0 arrive 1 1.0
0 arrive 2 1.0
0 arrive 3 1.0
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 1.0: to 1
0 arrive 3 1.0: waits until 30
",
    );
}

#[test]
fn requests_of_other_balancers_hold_as_the_host_has_reported_them() {
    check_hold(
        "
0 join a 1 1.0 ps
0 report 0 1 2.0
0 arrive 1 1.0
0.1 arrive 2 0.1
0.3 complete 2 0.1
0.3 dispatch
1 report 0 0 0.0
1 dispatch
",
        "
0 arrive 1 1.0: waits until 30
0.1 arrive 2 0.1: to 0
0.3 complete 2 0.1: learned
1 dispatch: 1 to 0
",
    );
}

#[test]
fn a_request_that_a_host_has_failed_is_held_by_the_others() {
    check_hold(
        "
0 join a 1 1.0 ps
0 join b 1 1.0 ps
0 arrive 1 1.0
0 arrive 2 1.0
0.5 refuse 1
0.6 arrive 3 2.0
1 complete 2 1.0
1 dispatch
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 1.0: to 1
0.5 refuse 1: waits until 30.5
0.6 arrive 3 2.0: to 0
1 complete 2 1.0: learned
1 dispatch: 1 to 1
",
    );
}

#[test]
fn a_host_that_is_out_gets_nothing_because_the_others_are_closed() {
    check_hold(
        "
0 join a 1 1.0 ps
0 join b 1 1.0 ps
0 is_gone 0
0 arrive 1 1.0
0 arrive 2 1.0
1 complete 1 1.0
1 dispatch
",
        "
0 arrive 1 1.0: to 1
0 arrive 2 1.0: waits until 30
1 complete 1 1.0: learned
1 dispatch: 2 to 1
",
    );
}

/// The second is held and patient, the third is not: it would wait for longer than its patience.
#[test]
fn what_is_held_spills_over_to_lambda_only_by_its_patience() {
    let script = "
0 join a 1 1.0 ps
0 arrive 1 0.08
0 arrive 2 1.0
";
    check_with(
        holding(with_lambda()),
        script,
        "
0 arrive 1 0.08: to 0
0 arrive 2 1.0: waits until 30
",
    );
    check_with(
        holding(with_lambda()),
        "
0 join a 1 1.0 ps
0 arrive 1 4.0
0 arrive 2 4.0
",
        "
0 arrive 1 4.0: to 0
0 arrive 2 4.0: lambda
",
    );
}

#[test]
fn an_explanation_says_which_hosts_are_closed() {
    check_hold(
        "
0 join a 1 2.0 ps
0 join b 1 0.1 ps
0 arrive 1 1.0
0 explain 1.0
0 arrive 2 1.0
0 explain 1.0
",
        "
0 arrive 1 1.0: to 0
0 explain 1.0: route blur
estimate 1.000000 s, p90 1.100000 s, by repeat
model prior of 0 observations
filter active: 2 left
filter not_tried: 2 left
filter in_flight: 2 left
filter memory: 2 left
filter ejected: 2 left
filter hold: 1 left
host 1 b -10.000000 added_delay -10.000000
host 0 a -1.500000 added_delay -1.500000, closed
verdict forward to 1 (b)
0 arrive 2 1.0: to 1
0 explain 1.0: route blur
estimate 1.000000 s, p90 1.100000 s, by repeat
model prior of 0 observations
filter active: 2 left
filter not_tried: 2 left
filter in_flight: 2 left
filter memory: 2 left
filter ejected: 2 left
filter hold: 0 left
host 0 a -1.500000 added_delay -1.500000, closed
host 1 b -30.000000 added_delay -30.000000, closed
verdict queue: held, for each host has as much of its size as it has cores
",
    );
}

/// A balancer whose first route has a model that believes its one feature.
fn believing() -> Balancer {
    let mut policy = holding(policy());
    let names = ["body.bytes".to_owned()];
    let extractors = crate::features::extractors::ALL;
    policy.routes[0].features = FeatureSet::parse(&names, extractors).unwrap();
    let mut balancer = Balancer::new(policy, 1);
    for n in 1..=100 {
        balancer.restore(&observation(f64::from(n), f64::from(n)));
    }
    let model = train(&balancer.start_training(Time::ZERO, RouteId(0)), 1).unwrap();
    assert!(balancer.install(RouteId(0), model));
    balancer
}

fn observation(feature: f64, cpu_secs: f64) -> Observation {
    Observation {
        route: RouteId(0),
        features: Features([feature].into_iter().collect()),
        estimated: None,
        cost: RequestCost::default(),
        work: Work::from_cpu_secs(cpu_secs).unwrap(),
        speed: Speed::ONE,
        build: 0,
    }
}

/// With a host of one core that shares its time.
fn with_a_host(mut balancer: Balancer) -> Balancer {
    let (name, discipline) = (String::new(), Some(Discipline::Ps));
    let spec = HostSpec { name, cores: 1, speed: Speed::ONE, discipline, price: 1.0 };
    let host = balancer.join(Time::ZERO, spec);
    balancer.ready(Time::ZERO, host);
    balancer
}

fn arrive(balancer: &mut Balancer, id: u64, feature: f64) -> Verdict {
    let ask = Ask {
        route: RouteId(0),
        features: Features([feature].into_iter().collect()),
        path: Path::UNKNOWN,
        is_idempotent: true,
        known: None,
        body_bytes: 0,
        event_bytes: None,
        job: None,
        terms: Terms::default(),
    };
    balancer.arrive(Time::ZERO, RequestId(id), ask)
}

/// So many requests run one after the other, each of which costs what `cost` makes of its estimate.
fn run(balancer: &mut Balancer, n: u64, cost: impl Fn(f64) -> f64) {
    for id in 1000..1000 + n {
        let feature = 1.0 + (id * 37 % 100) as f64;
        let verdict = arrive(balancer, id, feature);
        assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
        let cpu_seconds = Some(cost(feature));
        let elapsed = secs(cost(feature));
        let cost = Some(RequestCost { cpu_seconds, ..RequestCost::default() });
        let outcome = Outcome { success: true, cost, elapsed, build: 0, cold_start: None };
        balancer.complete(Time::ZERO, RequestId(id), &outcome);
    }
}

#[test]
fn estimates_hold_requests_once_they_have_proved_right() {
    let mut balancer = with_a_host(believing());
    run(&mut balancer, 10, |size| size);
    assert!(matches!(arrive(&mut balancer, 1, 10.0), Verdict::Forward(_)));
    assert!(matches!(arrive(&mut balancer, 2, 20.0), Verdict::Forward(_)));
    for id in [1, 2] {
        balancer.abandon(Time::ZERO, RequestId(id));
    }
    run(&mut balancer, 40, |size| size);
    assert!(matches!(arrive(&mut balancer, 1, 10.0), Verdict::Forward(_)));
    assert!(matches!(arrive(&mut balancer, 2, 20.0), Verdict::Queue { .. }));
}

/// By a factor they are near enough for the gate: it does not close.
#[test]
fn estimates_that_put_nothing_in_order_hold_nothing() {
    let mut balancer = with_a_host(believing());
    run(&mut balancer, 200, |size| if 50.0 < size { 0.6 * size } else { 60.0 });
    assert!(balancer.predictor(RouteId(0)).quality().trusted);
    assert!(matches!(arrive(&mut balancer, 1, 10.0), Verdict::Forward(_)));
    assert!(matches!(arrive(&mut balancer, 2, 20.0), Verdict::Forward(_)));
}

#[test]
fn what_is_held_goes_once_its_estimates_are_believed_no_longer() {
    let mut balancer = with_a_host(believing());
    run(&mut balancer, 50, |size| size);
    for (id, feature) in [(1, 10.0), (2, 20.0), (3, 30.0)] {
        let verdict = arrive(&mut balancer, id, feature);
        assert_eq!(matches!(verdict, Verdict::Queue { .. }), id != 1, "{id}: {verdict:?}");
    }
    let at = Time::from_secs_f64(1.0);
    assert_eq!(balancer.dispatch(at), []);
    // Whatever is predicted, it takes 10 ms or 1000 s: the gate closes.
    for n in 0..50 {
        let cpu_secs = if n % 2 == 0 { 0.01 } else { 1000.0 };
        let route = balancer.route_mut(RouteId(0)).unwrap();
        route.predictor.observe(&observation(1.0 + f64::from(n), cpu_secs));
    }
    let ids: Vec<u64> = balancer.dispatch(at).iter().map(|(id, _)| id.0).collect();
    assert_eq!(ids, [2, 3]);
}
