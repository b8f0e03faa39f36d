//! What is learned of hosts and requests, and what is not believed.

use smallvec::smallvec;

use super::*;
use crate::features::extractors;
use crate::observe::Observation;
use crate::policy::QueuePolicy;

/// A host of so many cores.
fn join(balancer: &mut Balancer, cores: u32, discipline: &str) -> HostId {
    let cores = cores.to_string();
    let host = balancer.join(Time::ZERO, spec(&["", "", "", &cores, "1.0", discipline]));
    balancer.ready(Time::ZERO, host);
    host
}

fn ask(known: Option<f64>, path: u64) -> Ask {
    Ask {
        route: RouteId(0),
        features: Features::default(),
        path: Path(path),
        is_idempotent: true,
        known: known.and_then(Work::from_cpu_secs),
        body_bytes: 0,
        event_bytes: None,
        job: None,
        terms: Terms::default(),
    }
}

fn host_of(verdict: &Verdict) -> Option<HostId> {
    match verdict {
        Verdict::Forward(placement) => Some(placement.host),
        Verdict::Lambda(_) | Verdict::Queue { .. } | Verdict::Shed(_) | Verdict::Later => None,
    }
}

/// Asks for a path once, and has its host answer so.
fn serve(balancer: &mut Balancer, now: f64, outcome: &Outcome) -> Option<Observation> {
    let (now, id) = (Time::from_secs_f64(now), RequestId(1_000_000));
    assert!(host_of(&balancer.arrive(now, id, ask(None, 0))).is_some(), "a host is free");
    balancer.complete(now + outcome.elapsed, id, outcome)
}

fn outcome(cost: impl Into<Option<RequestCost>>, elapsed: f64) -> Outcome {
    Outcome { success: true, cost: cost.into(), elapsed: secs(elapsed), build: 1, cold_start: None }
}

fn cpu(cpu_seconds: f64) -> RequestCost {
    RequestCost { cpu_seconds: Some(cpu_seconds), ..RequestCost::default() }
}

/// What two kinds of requests truly take of a core, whatever is counted of them.
#[derive(Debug, Clone, Copy)]
struct Kind {
    instructions: f64,
    bytes: f64,
    cpu_secs: f64,
}

/// A small image that is asked for over and over takes a tenth of what its counts would say by the
/// others.
const SMALL: Kind = Kind { instructions: 2e7, bytes: 1e5, cpu_secs: 0.0006 };
const LARGE: Kind = Kind { instructions: 1e8, bytes: 6e7, cpu_secs: 0.03 };

/// With one feature: the number that a query has.
fn with_a_feature() -> Policy {
    let mut policy = policy();
    let names = ["query.n".to_owned()];
    policy.routes[0].features = FeatureSet::parse(&names, extractors::ALL).unwrap();
    policy
}

/// Small ones are all the same.
fn size_of(kind: Kind, n: u64) -> f64 {
    if kind.cpu_secs < 0.001 { 1.0 } else { 0.7 + 0.6 * (n as f64 * 0.754_878).fract() }
}

/// Trains a model where one is due, as the caller of the balancer does.
fn train_where_due(balancer: &mut Balancer, now: Time) {
    if balancer.predictor(RouteId(0)).wants_training() {
        let set = balancer.start_training(now, RouteId(0));
        match crate::learn::train(&set, 1) {
            Ok(model) => assert!(balancer.install(RouteId(0), model), "it is sound"),
            Err(_) => balancer.give_up_training(RouteId(0)),
        }
    }
}

/// The speeds of two hosts once each has mostly had its own kind of request, with models trained
/// whenever one is due.
fn speeds_after(n: u64, truth: [f64; 2], is_strange: impl Fn(u64) -> bool) -> [f64; 2] {
    let mut policy = with_a_feature();
    policy.routes[0].patience = secs(100.0);
    let mut balancer = Balancer::new(policy, 1);
    join(&mut balancer, 1, "srpt");
    join(&mut balancer, 1, "srpt");
    for n in 0..n {
        let now = Time::from_secs_f64(n as f64);
        // The one host gets small ones, the other large ones; some are the other way round.
        let wanted = HostId(u32::from((n % 2 == 0) != is_strange(n)));
        let kind = if n % 2 == 0 { SMALL } else { LARGE };
        let id = RequestId(n);
        // The other one does not answer for a moment.
        let other = HostId(1 - wanted.0);
        balancer.probed(now, other, false);
        let features = Features(smallvec![kind.instructions * size_of(kind, n)]);
        let ask = Ask { features, ..ask(Some(0.01), 0) };
        let host = host_of(&balancer.arrive(now, id, ask));
        assert_eq!(host, Some(wanted));
        balancer.probed(now, other, true);
        let speed = truth[wanted.0 as usize];
        end(&mut balancer, now, id, (n, kind), speed);
        train_where_due(&mut balancer, now);
    }
    assert!(balancer.predictor(RouteId(0)).model().is_some(), "counts are priced");
    let speeds: Vec<f64> = balancer.hosts().map(|host| host.speed.as_reference_cores()).collect();
    [speeds[0], speeds[1]]
}

/// Ends a request of that kind on a host of that speed.
fn end(balancer: &mut Balancer, now: Time, id: RequestId, (n, kind): (u64, Kind), speed: f64) {
    let noise = 0.9 + 0.2 * (n as f64 * 0.618_034).fract();
    let size = size_of(kind, n);
    let cpu_secs = kind.cpu_secs * size * noise / speed;
    let cost = RequestCost {
        instructions: Some(kind.instructions * size),
        bytes_allocated: Some(kind.bytes * size),
        cpu_seconds: Some(cpu_secs),
        ..RequestCost::default()
    };
    balancer.complete(now, id, &outcome(Some(cost), cpu_secs));
}

#[test]
fn equal_hosts_of_unlike_requests_stay_equal() {
    for is_strange in [(|_| false) as fn(u64) -> bool, |n| n % 20 == 3 || n % 20 == 4] {
        let [one, other] = speeds_after(1000, [1.0, 1.0], is_strange);
        let ratio = one / other;
        assert!((0.9..1.1).contains(&ratio), "{one} {other}");
        assert!((0.9..1.1).contains(&one), "{one} {other}");
    }
}

#[test]
fn unlike_hosts_of_unlike_requests_are_told_apart_by_the_few_that_they_share() {
    let [one, other] = speeds_after(1000, [1.0, 3.0], |n| n % 20 == 3 || n % 20 == 4);
    let ratio = other / one;
    assert!((2.7..3.3).contains(&ratio), "{one} {other}");
}

#[test]
fn the_scale_of_work_is_that_of_cpu_time_however_slow_the_first_requests_were() {
    let mut balancer = Balancer::new(with_a_feature(), 1);
    join(&mut balancer, 1, "fcfs");
    let mut ratios = Vec::new();
    for n in 0..400_u64 {
        let now = Time::from_secs_f64(n as f64 * 5.0);
        let instructions = 1e8 * (1.0 + 9.0 * (n as f64 * 0.618_034).fract());
        let cold = if n < 20 { 2.5 } else { 1.0 };
        let cpu_seconds = instructions / 1e9 * cold * (0.9 + 0.2 * (n as f64 * 0.754_878).fract());
        let instructions = Some(instructions);
        let cost = RequestCost { instructions, ..cpu(cpu_seconds) };
        let features = Features(instructions.into_iter().collect());
        balancer.arrive(now, RequestId(n), Ask { features, ..ask(None, 0) });
        let learned = balancer.complete(now + secs(2.5), RequestId(n), &outcome(cost, 2.5));
        ratios.push(learned.unwrap().work.as_cpu_secs() / cpu_seconds);
        train_where_due(&mut balancer, now);
    }
    let late = &ratios[300..];
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    assert!((0.95..1.05).contains(&mean), "{mean}");
}

#[test]
fn a_report_of_more_than_a_request_can_have_used_is_cut_down() {
    for wild in [1e300, f64::INFINITY, f64::NAN, -1.0] {
        let mut balancer = Balancer::new(policy(), 1);
        join(&mut balancer, 1, "fcfs");
        for n in 0..20_u32 {
            serve(&mut balancer, f64::from(n), &outcome(cpu(0.1), 0.1));
        }
        serve(&mut balancer, 30.0, &outcome(cpu(wild), 0.1));
        let mean = balancer.predictor(RouteId(0)).estimate(&Features::default(), None).mean;
        assert!((0.09..0.11).contains(&mean.as_cpu_secs()), "{wild}: {mean:?}");
    }
}

#[test]
fn wild_counts_are_not_priced() {
    let mut balancer = Balancer::new(with_a_feature(), 1);
    join(&mut balancer, 1, "fcfs");
    let cost = |instructions: f64| RequestCost {
        instructions: Some(instructions),
        ..cpu(instructions / 1e9)
    };
    let send = |balancer: &mut Balancer, n: u64, cost: RequestCost| {
        let now = Time::from_secs_f64(n as f64 * 5.0);
        let features = Features(smallvec![n as f64]);
        balancer.arrive(now, RequestId(n), Ask { features, ..ask(None, 0) });
        balancer.complete(now + secs(1.0), RequestId(n), &outcome(cost, 1.0)).unwrap()
    };
    for n in 0..60 {
        send(&mut balancer, n, cost(1e8 * (n % 10 + 1) as f64));
    }
    let set = balancer.start_training(Time::ZERO, RouteId(0));
    let model = crate::learn::train(&set, 1).unwrap();
    assert!(model.pricing().is_some());
    assert!(balancer.install(RouteId(0), model));
    for (n, wild) in (100..).zip([1e300, 1e15, f64::INFINITY, f64::NAN, -1.0]) {
        let wild = Some(wild);
        let cost = RequestCost { instructions: wild, bytes_allocated: wild, ..cost(1e8) };
        let learned = send(&mut balancer, n, cost);
        assert!((0.05..1.4).contains(&learned.work.as_cpu_secs()), "{wild:?}: {learned:?}");
    }
}

#[test]
fn what_was_computed_is_learned_whatever_the_status() {
    let mut balancer = Balancer::new(policy(), 1);
    join(&mut balancer, 1, "fcfs");
    join(&mut balancer, 1, "fcfs");
    let refused = Outcome { success: false, ..outcome(cpu(0.32), 0.33) };
    let learned = serve(&mut balancer, 0.0, &refused).unwrap();
    assert_eq!(learned.work, Work::saturating(0.32));
    let mean = balancer.predictor(RouteId(0)).estimate(&Features::default(), None).mean;
    assert_eq!(mean, Work::saturating(0.32));
    assert!(0.0 < balancer.hosts().next().unwrap().failure_rate, "and it counts against the host");
}

#[test]
fn a_lone_host_that_answers_errors_is_not_ejected() {
    let mut balancer = Balancer::new(policy(), 1);
    join(&mut balancer, 1, "fcfs");
    for n in 0..20_u32 {
        let error = Outcome { success: false, ..outcome(cpu(0.01), 0.01) };
        serve(&mut balancer, f64::from(n), &error);
    }
    assert_eq!(balancer.counters().ejections, 0);
}

#[test]
fn a_host_without_load_reports_is_learned_from_by_the_time_that_requests_take() {
    let mut balancer = Balancer::new(policy(), 1);
    join(&mut balancer, 1, "ps");
    let at = Time::from_secs_f64;
    let took = |n: u64, balancer: &mut Balancer, now: f64, elapsed: f64| {
        let learned =
            balancer.complete(at(now), RequestId(n), &outcome(None::<RequestCost>, elapsed));
        learned.map(|learned| learned.work.as_cpu_secs())
    };
    // Alone for one second, then beside another for two, alone again for one.
    balancer.arrive(at(0.0), RequestId(1), ask(None, 0));
    balancer.arrive(at(1.0), RequestId(2), ask(None, 0));
    let near = |work: Option<f64>, expected: f64| {
        assert!(work.is_some_and(|work| (work - expected).abs() < 1e-6), "{work:?}");
    };
    near(took(2, &mut balancer, 3.0, 2.0), 1.0);
    near(took(1, &mut balancer, 4.0, 4.0), 3.0);
    let quality = balancer.predictor(RouteId(0)).quality();
    assert_eq!(quality.learned_from, crate::learn::Evidence::ElapsedTime);
    assert_eq!(quality.observations, 2);
    // Once it has told a cost, it is not learned from in this way any more.
    let told = serve(&mut balancer, 5.0, &outcome(cpu(0.5), 1.0)).unwrap();
    assert_eq!(told.work, Work::saturating(0.5));
    assert_eq!(serve(&mut balancer, 7.0, &outcome(None::<RequestCost>, 1.0)), None);
    let quality = balancer.predictor(RouteId(0)).quality();
    assert_eq!(quality.learned_from, crate::learn::Evidence::Costs);
}

#[test]
fn a_host_that_answers_500_at_once_draws_no_traffic() {
    let mut balancer = Balancer::new(policy(), 1);
    for _ in 0..4 {
        join(&mut balancer, 1, "ps");
    }
    let mut broken = 0;
    for n in 0..400_u64 {
        let now = Time::from_secs_f64(n as f64 * 0.05);
        // Many paths: each is served well by the other hosts.
        let verdict = balancer.arrive(now, RequestId(n), ask(Some(0.1), n % 20 + 1));
        let host = host_of(&verdict).expect("hosts are free");
        let is_broken = host == HostId(0);
        broken += u32::from(is_broken);
        let answer = outcome(cpu(0.0001), 0.001);
        balancer.complete(
            now + secs(0.001),
            RequestId(n),
            &Outcome { success: !is_broken, ..answer },
        );
    }
    assert!(broken <= 20, "{broken} of 400");
}

#[test]
fn one_path_that_is_always_closed_leaves_a_healthy_fleet_as_it_is() {
    let mut policy = policy();
    policy.retry.budget_floor = 1000;
    let mut balancer = Balancer::new(policy, 1);
    for _ in 0..4 {
        join(&mut balancer, 1, "ps");
    }
    for n in 0..300_u64 {
        let now = Time::from_secs_f64(n as f64 * 0.05);
        let (good, bad) = (RequestId(2 * n), RequestId(2 * n + 1));
        assert!(host_of(&balancer.arrive(now, good, ask(Some(0.01), n % 7 + 2))).is_some());
        let mut verdict = balancer.arrive(now, bad, ask(Some(0.01), 1));
        while host_of(&verdict).is_some() {
            verdict = balancer.fail(now, bad, Failure::BeforeResponse);
        }
        balancer.complete(now, good, &outcome(cpu(0.01), 0.01));
        let out = balancer.hosts().filter(|host| host.is_ejected(now)).count();
        assert_eq!(out, 0, "after {n}");
        balancer.abandon(now, bad);
    }
    assert_eq!(balancer.counters().ejections, 0);
}

fn crowded(discipline: &str, cores: u32) -> Balancer {
    let policy = policy();
    let queue = QueuePolicy {
        requests_max: 1000,
        age_floor: secs(1.0),
        wait_max: secs(1000.0),
        ..policy.queue.clone()
    };
    let mut balancer = Balancer::new(Policy { queue, ..policy }, 1);
    join(&mut balancer, cores, discipline);
    for n in 0..200 {
        balancer.arrive(Time::ZERO, RequestId(n), ask(Some(0.6), 0));
    }
    balancer
}

#[test]
fn overdue_giants_leave_room_for_short_requests() {
    for discipline in ["srpt", "ps"] {
        let mut balancer = crowded(discipline, 2);
        // All of them are overdue by now; two of those that run end in 0.6 s.
        let mut running: Vec<RequestId> = (0..200).map(RequestId).collect();
        running.retain(|id| is_claimed(&balancer, *id));
        for n in 0..50_u64 {
            let now = Time::from_secs_f64(30.0 + n as f64 * 0.1);
            if n % 3 == 0 && !running.is_empty() {
                balancer.complete(now, running.remove(0), &outcome(cpu(0.6), 0.6));
            }
            let started = balancer.dispatch(now).into_iter();
            running.extend(started.filter(|(_, to)| host_of(to).is_some()).map(|(id, _)| id));
            let id = RequestId(1000 + n);
            let verdict = balancer.arrive(now, id, ask(Some(0.002), 0));
            let in_flight = balancer.hosts().next().unwrap().in_flight;
            assert!(host_of(&verdict).is_some(), "{discipline} {n}: {verdict:?}, {in_flight}");
            balancer.complete(now + secs(0.002), id, &outcome(cpu(0.002), 0.002));
        }
        assert!(5 <= 200 - balancer.waiting().requests, "{discipline}: giants run, too");
    }
}

fn is_claimed(balancer: &Balancer, id: RequestId) -> bool {
    balancer.hosts().any(|host| host.claims.iter().any(|claim| claim.request == Some(id)))
}

#[test]
fn where_requests_go_in_order_short_ones_have_every_other_turn() {
    let mut balancer = crowded("fcfs", 1);
    let (mut now, mut running) = (30.0, vec![RequestId(0)]);
    let (mut n_short, mut n_giant) = (0, 0);
    for n in 0..40_u64 {
        let at = Time::from_secs_f64(now);
        balancer.arrive(at, RequestId(1000 + n), ask(Some(0.002), 0));
        now += 0.6;
        let at = Time::from_secs_f64(now);
        for id in running.drain(..) {
            balancer.complete(at, id, &outcome(cpu(0.002), 0.002));
        }
        for (id, verdict) in balancer.dispatch(at) {
            if host_of(&verdict).is_some() {
                running.push(id);
                n_short += u32::from(1000 <= id.0);
                n_giant += u32::from(id.0 < 1000);
            }
        }
    }
    assert!(10 <= n_short, "{n_short} short, {n_giant} giants");
    assert!(10 <= n_giant, "{n_short} short, {n_giant} giants");
}
