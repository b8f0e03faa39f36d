//! Requests of several clients.

use proptest::prelude::*;

use super::*;
use crate::admit::ShedReason;
use crate::share::{ClassId, ClassPolicy, CpuQuota, Quota, RULES};

fn class(name: &str, priority: u8) -> ClassPolicy {
    ClassPolicy {
        name: name.to_owned(),
        priority,
        weight: 1.0,
        clients: Vec::new(),
        quota: Quota::default(),
        client_quota: Quota::default(),
    }
}

/// Two classes, the first before the second; a half-life of 30 s.
fn shared() -> Policy {
    let classes = vec![class("first", 0), class("second", 1)];
    let half_life = secs(30.0);
    let rule = RULES[0];
    let share = SharePolicy { rule, half_life, slack: 1.5, clients_max: 100, classes };
    let mut policy = Policy { share: Some(share), ..policy() };
    policy.queue.requests_max = 20;
    policy.routes[0].patience = Duration::ZERO;
    policy
}

fn with_quota(quota: Quota) -> Policy {
    let mut policy = shared();
    if let Some(share) = &mut policy.share {
        share.classes[0].client_quota = quota;
    }
    policy
}

/// A balancer with one host of one core.
fn balancer(policy: Policy, discipline: &str) -> Balancer {
    let mut balancer = Balancer::new(policy, 1);
    let host = balancer.join(Time::ZERO, spec(&["", "", "a", "1", "1.0", discipline]));
    balancer.ready(Time::ZERO, host);
    balancer
}

fn ask(terms: Terms, size: f64) -> Ask {
    Ask {
        path: Path::UNKNOWN,
        is_idempotent: true,
        route: RouteId(0),
        features: Features::default(),
        known: Work::from_cpu_secs(size),
        body_bytes: 1,
        event_bytes: None,
        job: None,
        terms,
    }
}

fn of(client: &str) -> Terms {
    Terms { client: Some(client.into()), ..Terms::default() }
}

fn at(secs: f64) -> Time {
    Time::from_secs_f64(secs)
}

fn arrive(balancer: &mut Balancer, now: f64, id: u64, terms: Terms, size: f64) -> Verdict {
    balancer.arrive(at(now), RequestId(id), ask(terms, size))
}

/// Ends `id` after its size, and tells which goes next.
fn next(balancer: &mut Balancer, now: f64, id: u64, size: f64) -> Option<u64> {
    let cost = RequestCost { cpu_seconds: Some(size), ..RequestCost::default() };
    let outcome = Outcome {
        success: true,
        cost: Some(cost),
        elapsed: secs(size),
        build: 1,
        cold_start: None,
    };
    balancer.complete(at(now), RequestId(id), &outcome);
    let verdicts = balancer.dispatch(at(now));
    verdicts.iter().find_map(|(id, verdict)| match verdict {
        Verdict::Forward(_) => Some(id.0),
        Verdict::Lambda(_) | Verdict::Queue { .. } | Verdict::Shed(_) | Verdict::Later => None,
    })
}

/// The order in which all that is there goes, one at a time, each of the size that it has in
/// `sizes`; the first of them runs.
fn order(balancer: &mut Balancer, sizes: &[f64]) -> Vec<u64> {
    let (mut order, mut now) = (vec![0], 0.0);
    while let Some(last) = order.last() {
        let size = sizes[*last as usize];
        now += size;
        match next(balancer, now, *last, size) {
            Some(id) => order.push(id),
            None => return order,
        }
    }
    order
}

#[test]
fn a_flood_waits_behind_the_first_requests_of_others() {
    let mut balancer = balancer(shared(), "fcfs");
    for id in 0..6 {
        arrive(&mut balancer, 0.0, id, of("flood"), 1.0);
    }
    for (id, client) in [(6, "b"), (7, "c"), (8, "b")] {
        arrive(&mut balancer, 0.0, id, of(client), 1.0);
    }
    assert_eq!(order(&mut balancer, &[1.0; 9]), [0, 6, 7, 8, 1, 2, 3, 4, 5]);
}

#[test]
fn jobs_go_in_the_turn_of_their_clients_and_tries_without_room_count_for_nothing() {
    let mut balancer = balancer(shared(), "fcfs");
    let job = |client: &str| {
        let job = Some(JobAsk { weight: 1.0, alone: false });
        Ask { job, ..ask(of(client), 1.0) }
    };
    let first = balancer.arrive(at(0.0), RequestId(0), job("flood"));
    assert!(matches!(first, Verdict::Forward(_)), "{first:?}");
    for id in 1..4 {
        assert_eq!(balancer.arrive(at(0.0), RequestId(id), job("flood")), Verdict::Later);
    }
    let work = Work::from_cpu_secs(1.0).expect("a size");
    let mut turn = |terms: Terms| balancer.turn_in_line(at(0.0), &terms, work).expect("clients");
    let of_other = turn(of("other"));
    assert!(of_other < turn(of("flood")));
    assert!(turn(of("flood")) < turn(Terms { class: ClassId(1), ..of("third") }));
    let shown = balancer.shares().clients(at(0.0));
    let counts: Vec<_> = shown.iter().map(|one| (&*one.client, one.requests, one.here)).collect();
    assert_eq!(counts, [("flood", 1, 1)]);
}

#[test]
fn a_giant_of_a_newcomer_does_not_keep_small_ones_of_others_waiting() {
    let mut balancer = balancer(shared(), "fcfs");
    let sizes = [1.0, 0.1, 0.1, 8.0, 0.1];
    for (id, client) in [(0, "a"), (1, "a"), (2, "a"), (3, "new"), (4, "b")] {
        arrive(&mut balancer, 0.0, id, of(client), sizes[id as usize]);
    }
    assert_eq!(order(&mut balancer, &sizes), [0, 4, 1, 2, 3]);
}

#[test]
fn a_class_goes_before_another_however_much_it_has_had() {
    let mut balancer = balancer(shared(), "fcfs");
    let second = Terms { class: ClassId(1), ..of("b") };
    arrive(&mut balancer, 0.0, 0, of("a"), 1.0);
    arrive(&mut balancer, 0.0, 1, second, 0.1);
    for id in 2..5 {
        arrive(&mut balancer, 0.0, id, of("a"), 1.0);
    }
    assert_eq!(order(&mut balancer, &[1.0, 0.1, 1.0, 1.0, 1.0]), [0, 2, 3, 4, 1]);
}

#[test]
fn twice_the_weight_is_twice_the_service() {
    let mut policy = shared();
    if let Some(share) = &mut policy.share {
        share.half_life = secs(1e6);
        (share.classes[1].priority, share.classes[1].weight) = (0, 2.0);
        share.classes[1].clients = vec!["heavy".to_owned()];
    }
    let mut balancer = balancer(policy, "fcfs");
    arrive(&mut balancer, 0.0, 0, of("other"), 1.0);
    for id in 1..7 {
        arrive(&mut balancer, 0.0, id, of("heavy"), 1.0);
        arrive(&mut balancer, 0.0, id + 6, of("light"), 1.0);
    }
    let order = order(&mut balancer, &[1.0; 13]);
    let heavy = order[1..10].iter().filter(|id| (1..7).contains(*id)).count();
    assert_eq!(heavy, 6, "six of the first nine: {order:?}");
}

#[test]
fn a_full_room_refuses_the_newest_of_whoever_has_most_waiting() {
    let mut policy = shared();
    policy.queue.requests_max = 4;
    let mut balancer = balancer(policy, "fcfs");
    for id in 0..5 {
        arrive(&mut balancer, f64::from(id as u32) * 0.001, id, of("flood"), 1.0);
    }
    let refused = arrive(&mut balancer, 0.01, 5, of("flood"), 1.0);
    assert_eq!(refused, Verdict::Shed(ShedReason::QueueFull));
    assert!(!balancer.has_displaced(), "a client does not displace its own");
    let taken = arrive(&mut balancer, 0.02, 6, of("b"), 1.0);
    assert!(matches!(taken, Verdict::Queue { .. }), "{taken:?}");
    assert!(balancer.has_displaced());
    let told = balancer.dispatch(at(0.02));
    assert_eq!(told, [(RequestId(4), Verdict::Shed(ShedReason::QueueFull))]);
    assert_eq!(balancer.waiting().requests, 4);
}

#[test]
fn a_client_does_not_take_all_slots_of_a_host() {
    let mut policy = shared();
    policy.routes[0].patience = secs(100.0);
    policy.hosts.in_flight_max_per_core = 8;
    let mut balancer = balancer(policy, "srpt");
    let sent = (0..8).filter(|id| {
        let verdict = arrive(&mut balancer, 0.0, *id, of("flood"), 1.0);
        matches!(verdict, Verdict::Forward(_))
    });
    assert_eq!(sent.count(), 6, "three quarters of eight");
    let other = arrive(&mut balancer, 0.0, 9, of("b"), 1.0);
    assert!(matches!(other, Verdict::Forward(_)), "{other:?}");
}

#[test]
fn a_quota_says_truly_when_there_is_room() {
    let cpu = CpuQuota { work: Work::saturating(10.0), window: secs(20.0) };
    let quota = Quota { cpu: Some(cpu), cores: None };
    let mut balancer = balancer(with_quota(quota), "srpt");
    for id in 0..3 {
        let taken = arrive(&mut balancer, 0.0, id, of("a"), 3.0);
        assert!(!matches!(taken, Verdict::Shed(_)), "{taken:?}");
    }
    // One second is left, and half of a second comes back each second.
    let refused = arrive(&mut balancer, 0.0, 3, of("a"), 3.0);
    assert_eq!(refused, Verdict::Shed(ShedReason::Quota { retry_secs: 4 }));
    let other = arrive(&mut balancer, 0.0, 4, of("b"), 3.0);
    assert!(!matches!(other, Verdict::Shed(_)), "it is another client's: {other:?}");
    let early = arrive(&mut balancer, 3.9, 5, of("a"), 3.0);
    assert!(matches!(early, Verdict::Shed(ShedReason::Quota { .. })), "{early:?}");
    let taken = arrive(&mut balancer, 4.0, 6, of("a"), 3.0);
    assert!(!matches!(taken, Verdict::Shed(_)), "{taken:?}");
}

#[test]
fn what_was_estimated_too_high_is_given_back_to_the_quota() {
    let cpu = CpuQuota { work: Work::saturating(4.0), window: secs(1e6) };
    let quota = Quota { cpu: Some(cpu), cores: None };
    let mut balancer = balancer(with_quota(quota), "srpt");
    arrive(&mut balancer, 0.0, 0, of("a"), 4.0);
    assert!(matches!(arrive(&mut balancer, 0.0, 1, of("a"), 1.0), Verdict::Shed(_)));
    next(&mut balancer, 1.0, 0, 1.0);
    let taken = arrive(&mut balancer, 1.0, 2, of("a"), 3.0);
    assert!(matches!(taken, Verdict::Forward(_)), "three of four are left: {taken:?}");
    balancer.abandon(at(1.0), RequestId(2));
    let again = arrive(&mut balancer, 1.0, 3, of("a"), 3.0);
    assert!(matches!(again, Verdict::Forward(_)), "what never ran costs nothing: {again:?}");
}

#[test]
fn a_quota_of_cores_is_of_requests_at_once() {
    let mut balancer = balancer(with_quota(Quota { cpu: None, cores: Some(2) }), "srpt");
    arrive(&mut balancer, 0.0, 0, of("a"), 3.0);
    arrive(&mut balancer, 0.0, 1, of("a"), 3.0);
    let refused = arrive(&mut balancer, 0.0, 2, of("a"), 3.0);
    // The first is to end after 3.3 s, at the 90th percentile.
    assert_eq!(refused, Verdict::Shed(ShedReason::Quota { retry_secs: 4 }));
    next(&mut balancer, 3.0, 0, 3.0);
    let taken = arrive(&mut balancer, 3.0, 3, of("a"), 3.0);
    assert!(!matches!(taken, Verdict::Shed(_)), "{taken:?}");
}

#[test]
fn what_cannot_be_in_time_is_refused_at_once() {
    let mut balancer = balancer(shared(), "fcfs");
    let within = |left: f64| Terms { time_left: Some(secs(left)), ..of("a") };
    let refused = arrive(&mut balancer, 0.0, 0, within(1.05), 1.0);
    assert_eq!(refused, Verdict::Shed(ShedReason::Deadline), "its p90 is 1.1 s");
    assert!(matches!(arrive(&mut balancer, 0.0, 1, within(1.2), 1.0), Verdict::Forward(_)));
    let waits = arrive(&mut balancer, 0.0, 2, within(1.9), 1.0);
    assert_eq!(waits, Verdict::Queue { until: at(0.8) }, "it has to start until then");
    let told = balancer.dispatch(at(0.81));
    assert_eq!(told, [(RequestId(2), Verdict::Shed(ShedReason::Deadline))]);
}

#[test]
fn what_clients_have_had_outlives_another_policy_and_many_half_lives() {
    let mut balancer = balancer(shared(), "fcfs");
    arrive(&mut balancer, 0.0, 0, of("a"), 4.0);
    next(&mut balancer, 0.0, 0, 4.0);
    let attained = |balancer: &Balancer, now: f64| {
        balancer.shares().clients(at(now)).first().map(|one| one.attained_cpu_seconds)
    };
    assert_eq!(attained(&balancer, 0.0), Some(4.0));
    assert_eq!(attained(&balancer, 30.0), Some(2.0));
    let mut policy = shared();
    if let Some(share) = &mut policy.share {
        share.half_life = secs(1.0);
        share.classes.swap(0, 1);
    }
    balancer.reconfigure(at(30.0), policy);
    assert_eq!(attained(&balancer, 32.0), Some(0.5));
    let later = 1000.0;
    arrive(&mut balancer, later, 1, of("a"), 4.0);
    let now = attained(&balancer, later).unwrap();
    assert!((now - 4.0).abs() < 1e-9, "{now}");
}

#[test]
fn no_more_clients_are_remembered_than_may_be() {
    let mut policy = shared();
    if let Some(share) = &mut policy.share {
        (share.clients_max, share.half_life) = (3, secs(1.0));
    }
    policy.routes[0].patience = secs(100.0);
    let mut balancer = balancer(policy, "srpt");
    for id in 0..5 {
        arrive(&mut balancer, 0.0, id, of(&id.to_string()), 0.01);
    }
    let names = |balancer: &Balancer| {
        let clients = balancer.shares().clients(Time::ZERO).into_iter();
        let mut names: Vec<String> = clients.map(|one| one.client).collect();
        names.sort();
        names
    };
    assert_eq!(names(&balancer), ["0", "1", "2", "other"]);
    next(&mut balancer, 0.0, 1, 0.01);
    arrive(&mut balancer, 1.0, 6, of("6"), 0.01);
    assert_eq!(names(&balancer), ["0", "1", "2", "other"], "a hundredth is not forgotten yet");
    arrive(&mut balancer, 4.0, 7, of("7"), 0.01);
    assert_eq!(names(&balancer), ["0", "2", "7", "other"]);
}

/// What happens in a small world: a request of a client comes, or the one that came first ends.
#[derive(Debug, Clone)]
enum Event {
    Arrive { client: u8, class: u8, size: f64 },
    End,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let arrive = (0..5_u8, 0..2_u8, 0.01..5.0_f64)
        .prop_map(|(client, class, size)| Event::Arrive { client, class, size });
    prop::collection::vec(prop_oneof![2 => arrive, 1 => Just(Event::End)], 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_core_is_idle_while_a_request_waits(
        events in events(),
        discipline in prop::sample::select(vec!["fcfs", "srpt", "ps"]),
        rule in 0..RULES.len(),
        hold in any::<bool>(),
    ) {
        let mut policy = shared();
        policy.schedule.hold = hold.then_some(4.0);
        if let Some(share) = &mut policy.share {
            share.rule = RULES[rule];
        }
        let mut balancer = Balancer::new(policy, 1);
        for name in ["a", "b"] {
            let host = balancer.join(Time::ZERO, spec(&["", "", name, "2", "1.0", discipline]));
            balancer.ready(Time::ZERO, host);
        }
        let (mut running, mut sizes) = (VecDeque::new(), BTreeMap::new());
        for (n, event) in events.into_iter().enumerate() {
            let now = n as f64 * 0.05;
            match event {
                Event::Arrive { client, class, size } => {
                    let id = RequestId(n as u64);
                    let terms = Terms { class: ClassId(class), ..of(&client.to_string()) };
                    sizes.insert(id, size);
                    match balancer.arrive(at(now), id, ask(terms, size)) {
                        Verdict::Forward(_) => running.push_back(id),
                        Verdict::Lambda(_) | Verdict::Later => unreachable!("no job, no Lambda"),
                        Verdict::Queue { .. } | Verdict::Shed(_) => {}
                    }
                }
                Event::End => {
                    if let Some(id) = running.pop_front() {
                        let size = sizes[&id];
                        let cost = RequestCost { cpu_seconds: Some(size), ..RequestCost::default() };
                        let elapsed = secs(size);
                        let (cost, build, cold_start) = (Some(cost), 1, None);
                        let outcome = Outcome { success: true, cost, elapsed, build, cold_start };
                        balancer.complete(at(now), id, &outcome);
                    }
                }
            }
            for (id, verdict) in balancer.dispatch(at(now)) {
                if matches!(verdict, Verdict::Forward(_)) {
                    running.push_back(id);
                }
            }
            let is_idle = balancer.hosts().any(|host| host.n_requests() < host.cores);
            prop_assert!(!is_idle || balancer.waiting().requests == 0, "idle at {now}");
        }
    }
}
