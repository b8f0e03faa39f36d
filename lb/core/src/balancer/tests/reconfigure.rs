//! Another policy, while requests go on.

use super::*;
use crate::queue::Waiting;
use crate::share::Standing;

/// Plays `script`, takes up `policy` at the given second, and plays the rest. Returns what it said.
fn play_around((before, policy, after): (&str, Policy, &str), at: f64) -> (Balancer, String) {
    let mut balancer = Balancer::new(super::policy(), 1);
    let mut said = String::new();
    before.trim().lines().for_each(|line| play(&mut balancer, &mut said, line));
    balancer.reconfigure(Time::from_secs_f64(at), policy);
    said.clear();
    after.trim().lines().for_each(|line| play(&mut balancer, &mut said, line));
    (balancer, said)
}

/// Two run on one core, and two wait: 2 costs more than 3.
const BUSY: &str = "
0 join a 1 1 srpt
0 arrive 1 0.05
0 arrive 4 0.05
0 arrive 2 9
0 arrive 3 8
";

#[test]
fn claims_and_what_waits_outlast_a_new_policy() {
    let mut policy = super::policy();
    policy.hosts.in_flight_max_per_core = 1;
    policy.queue.requests_max = 1;
    policy.retry.tries_max = 1;
    let (balancer, said) = play_around((BUSY, policy, "1 complete 1 0.05"), 0.5);
    assert!(said.contains("learned"), "{said}");
    let in_flight: u32 = balancer.hosts().map(|host| host.in_flight).sum();
    let waiting = balancer.waiting().requests;
    assert_eq!((in_flight as usize + waiting, balancer.requests.len()), (3, 3));
}

#[test]
fn what_waits_is_put_into_the_order_of_the_new_discipline() {
    let mut policy = super::policy();
    policy.queue.discipline = QueueDiscipline::Fcfs;
    let queue = |policy: &QueuePolicy| {
        let mut queue = Queue::new(super::policy().queue, None);
        for (id, secs, work) in [(1, 0.0, 9.0), (2, 1.0, 1.0), (3, 2.0, 4.0)] {
            let arrived = Time::from_secs_f64(secs);
            let work = Work::saturating(work);
            let waiting = Waiting {
                id: RequestId(id),
                arrived,
                work,
                bytes: 10,
                standing: Standing::ALONE,
                excess_secs: 0.0,
                size: 0.0,
                start_by: None,
            };
            queue.push(arrived, &waiting).unwrap();
        }
        let before = (queue.state(), queue.next_expiry());
        queue.reconfigure(policy.clone(), None, |_| None);
        assert_eq!((queue.state(), queue.next_expiry()), before, "nobody loses a place");
        queue.first(Time::from_secs_f64(2.0), 3, false).iter().map(|id| id.0).collect::<Vec<_>>()
    };
    assert_eq!(queue(&super::policy().queue), [2, 3, 1]);
    assert_eq!(queue(&policy.queue), [1, 2, 3]);
    // A lower limit throws nobody out.
    policy.queue.requests_max = 1;
    assert_eq!(queue(&policy.queue), [1, 2, 3]);
}

#[test]
fn a_route_is_added_and_the_others_keep_their_numbers() {
    let mut policy = super::policy();
    policy.routes.push(route("new", true));
    let script = "0 join a 1 1 srpt\n0 arrive 1 0.05";
    let (mut balancer, _) = play_around((script, policy, "1 complete 1 0.05"), 0.5);
    assert_eq!(balancer.predictor(RouteId(0)).quality().observations, 1);
    let now = Time::from_secs_f64(2.0);
    let ask = |route: u16| Ask {
        path: Path::UNKNOWN,
        is_idempotent: true,
        route: RouteId(route),
        features: Features::default(),
        known: None,
        body_bytes: 0,
        event_bytes: None,
        job: None,
        terms: Terms::default(),
    };
    assert!(matches!(balancer.arrive(now, RequestId(7), ask(2)), Verdict::Forward(_)));
    assert!(matches!(balancer.arrive(now, RequestId(8), ask(3)), Verdict::Shed(_)));
}

#[test]
fn what_was_learned_of_a_route_moves_to_another_balancer() {
    let (one, _) = play_around(
        ("0 join a 1 1 srpt\n0 arrive 1 0.05\n1 complete 1 0.05", super::policy(), ""),
        2.0,
    );
    let mut other = Balancer::new(super::policy(), 2);
    other.take_over(RouteId(0), one.learned(RouteId(0)));
    assert_eq!(other.predictor(RouteId(0)).quality().observations, 1);
}

#[test]
fn a_host_that_drains_can_be_wanted_again() {
    let mut balancer = Balancer::new(super::policy(), 1);
    let mut said = String::new();
    for line in ["0 join a 1 1 srpt", "0 arrive 1 0.05", "1 drain 0"] {
        play(&mut balancer, &mut said, line);
    }
    balancer.undrain(Time::from_secs_f64(2.0), HostId(0));
    let host = balancer.host(HostId(0)).unwrap();
    assert_eq!((host.phase, host.in_flight), (Phase::Starting, 1));
    balancer.resume(Time::from_secs_f64(3.0), HostId(0));
    assert_eq!(balancer.host(HostId(0)).unwrap().phase, Phase::Active);
}
