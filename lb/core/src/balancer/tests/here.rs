//! What people who look are told of the requests that are here.

use super::*;
use crate::balancer::{Here, RequestHere, Whereabouts};

/// A balancer after `script`.
fn after(script: &str) -> Balancer {
    let mut balancer = Balancer::new(policy(), 1);
    for line in script.trim().lines() {
        play(&mut balancer, &mut String::new(), line);
    }
    balancer
}

fn ids(requests: &[RequestHere]) -> Vec<u64> {
    requests.iter().map(|request| request.id.0).collect()
}

const TWO_RUN_AND_THREE_WAIT: &str = "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
1 arrive 1 4.0
1 arrive 2 9.0
1 arrive 3 2.0
1 arrive 4 7.0
1 arrive 5 2.0
";

#[test]
fn those_with_the_most_work_left_come_first_and_of_equals_the_one_that_came_first() {
    let Here { running, waiting, largest_running, largest_waiting } =
        after(TWO_RUN_AND_THREE_WAIT).here(10);
    assert_eq!((running, ids(&largest_running)), (2, vec![2, 1]));
    assert_eq!((waiting, ids(&largest_waiting)), (3, vec![4, 3, 5]));
}

#[test]
fn so_many_are_told_of_and_all_are_counted() {
    let balancer = after(TWO_RUN_AND_THREE_WAIT);
    let here = balancer.here(1);
    assert_eq!((here.running, ids(&here.largest_running)), (2, vec![2]));
    assert_eq!((here.waiting, ids(&here.largest_waiting)), (3, vec![4]));
    let here = balancer.here(0);
    assert_eq!((here.running, here.waiting), (2, 3));
    assert!(here.largest_running.is_empty() && here.largest_waiting.is_empty());
    assert_eq!(Balancer::new(policy(), 1).here(5), Here::default());
}

#[test]
fn each_is_told_of_as_it_is() {
    let mut balancer = after(TWO_RUN_AND_THREE_WAIT);
    balancer.fleet.advance(Time::from_secs_f64(3.0));
    let here = balancer.here(10);
    let second = &here.largest_running[0];
    assert!((second.work_left.as_cpu_secs() - 7.0).abs() < 1e-6, "{second:?}");
    assert_eq!(second.whereabouts, Whereabouts::Host(HostId(1)));
    assert_eq!((second.route, second.tries, second.is_job), (RouteId(0), 1, false));
    assert_eq!(second.arrived, Time::from_secs_f64(1.0));
    let fourth = &here.largest_waiting[0];
    assert_eq!((fourth.whereabouts, fourth.tries), (Whereabouts::Waiting, 0));
    assert_eq!(fourth.work_left, fourth.estimate.mean);
}

#[test]
fn what_has_lost_its_host_is_nowhere() {
    let balancer = after(
        "
0 join a 1 1.0 fcfs
1 arrive 1 4.0
2 leave 0
",
    );
    let here = balancer.here(10);
    assert_eq!(here.largest_running[0].whereabouts, Whereabouts::Nowhere);
}
