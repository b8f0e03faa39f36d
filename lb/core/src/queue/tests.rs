use std::time::Duration;

use super::*;
use crate::random::Random;
use crate::share::Standing;

fn queue(discipline: QueueDiscipline) -> Queue {
    Queue::new(
        QueuePolicy {
            discipline,
            requests_max: 50,
            bytes_max: 10_000,
            wait_max: Duration::from_secs(30),
            age_floor: Duration::from_secs(5),
            age_factor: 2.0,
        },
        None,
    )
}

fn waiting(id: u64, arrived: f64, work: f64) -> Waiting {
    let (arrived, work) = (Time::from_secs_f64(arrived), Work::saturating(work));
    Waiting {
        id: RequestId(id),
        arrived,
        work,
        bytes: 1,
        standing: Standing::ALONE,
        excess_secs: 0.0,
        size: 0.0,
        start_by: None,
    }
}

/// The order in which requests 1, 2, ... of these arrivals and sizes leave at `now`.
fn check(discipline: QueueDiscipline, now: f64, requests: &[(f64, f64)], expected: &[u64]) {
    let mut queue = queue(discipline);
    for (id, (arrived, work)) in (1..).zip(requests) {
        queue.push(Time::from_secs_f64(*arrived), &waiting(id, *arrived, *work)).unwrap();
    }
    let mut order = Vec::new();
    while let Some(id) = queue.first(Time::from_secs_f64(now), 1, true).first().copied() {
        order.push(id.0);
        assert!(queue.remove(id));
        queue.check_invariants();
    }
    assert_eq!(order, expected);
}

#[test]
fn fcfs_goes_by_arrival() {
    check(QueueDiscipline::Fcfs, 2.0, &[(1.0, 1.0), (0.0, 9.0), (2.0, 0.1)], &[2, 1, 3]);
}

#[test]
fn sept_goes_by_size_and_by_arrival_where_that_is_equal() {
    check(QueueDiscipline::Sept, 2.0, &[(1.0, 1.0), (0.0, 9.0), (0.5, 1.0)], &[3, 1, 2]);
}

#[test]
fn edf_goes_by_arrival_and_allowance() {
    // Deadlines: 1 + 5 + 2 = 8, 0 + 5 + 18 = 23, 2 + 5 + 0.2 = 7.2.
    check(QueueDiscipline::Edf, 2.0, &[(1.0, 1.0), (0.0, 9.0), (2.0, 0.1)], &[3, 1, 2]);
}

#[test]
fn the_age_guard_lets_the_longest_overdue_go_first() {
    // Overdue at 11 and 8; the third is not.
    check(QueueDiscipline::Sept, 12.0, &[(0.0, 3.0), (1.0, 1.0), (11.0, 0.1)], &[2, 1, 3]);
}

#[test]
fn an_endless_stream_of_dwarfs_does_not_starve_a_giant() {
    let mut queue = queue(QueueDiscipline::Sept);
    queue.push(Time::ZERO, &waiting(0, 0.0, 3.0)).unwrap();
    for n in 1..1000_u32 {
        let now = f64::from(n) * 0.1;
        let at = Time::from_secs_f64(now);
        queue.push(at, &waiting(u64::from(n), now, 0.05)).unwrap();
        let id = queue.first(at, 1, true)[0];
        queue.remove(id);
        if id == RequestId(0) {
            assert!(now <= 5.0 + 2.0 * 3.0 + 0.2, "gone at {now}");
            return;
        }
    }
    panic!("starved");
}

#[test]
fn the_order_is_that_of_a_sorted_list_whatever_is_pushed_and_removed() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let mut queue = queue(QueueDiscipline::Sept);
        let mut list: Vec<Waiting> = Vec::new();
        for step in 0..200_u32 {
            let now = Time::from_secs_f64(f64::from(step) * 0.1);
            if random.below(3) == 0 && !list.is_empty() {
                let gone = list.swap_remove(random.below(list.len()));
                assert!(queue.remove(gone.id), "it was there");
                assert!(!queue.remove(gone.id), "and is not twice");
            } else {
                let new = waiting(u64::from(step), now.as_secs_f64(), random.unit());
                match queue.push(now, &new) {
                    Ok(_) => list.push(new),
                    Err(reason) => assert_eq!((reason, list.len()), (ShedReason::QueueFull, 50)),
                }
            }
            queue.check_invariants();
            let overdue_at =
                |one: &Waiting| one.arrived.as_secs_f64() + 5.0 + 2.0 * one.work.as_cpu_secs();
            list.sort_by(|a, b| {
                let is_late = |one: &Waiting| overdue_at(one) <= now.as_secs_f64();
                match (is_late(a), is_late(b)) {
                    (true, true) => overdue_at(a).total_cmp(&overdue_at(b)),
                    (true, false) => std::cmp::Ordering::Less,
                    (false, true) => std::cmp::Ordering::Greater,
                    (false, false) => a.work.as_cpu_secs().total_cmp(&b.work.as_cpu_secs()),
                }
            });
            let expected: Vec<RequestId> = list.iter().take(4).map(|one| one.id).collect();
            assert_eq!(queue.first(now, 4, true).to_vec(), expected, "seed {seed} step {step}");
        }
    }
}
