use weighbridge_schedule::order;

use weighbridge_schedule::Owner;

use super::*;

/// A request that is believed to take what it takes.
fn request(request: usize, work: f64) -> Assignment {
    Assignment { request, work, estimate: work, owner: Owner::default() }
}

/// A host that runs the shortest first, whose cores are the reference core.
fn srpt(cores: usize, preemption: Preemption) -> RunQueue {
    RunQueue::new(order("srpt").unwrap(), preemption, cores, 1.0)
}

/// Runs until `until`, with the requests that come at their instants; returns when each ends.
fn ends(host: &mut RunQueue, coming: &[(f64, Assignment)], until: f64) -> Vec<(usize, f64)> {
    let (mut now, mut ends, mut coming) = (0.0, Vec::new(), coming.iter().peekable());
    while now < until {
        let next = host.next(now, 1.0).unwrap_or(f64::INFINITY);
        let arrival = coming.peek().map_or(f64::INFINITY, |(at, _)| *at);
        let then = next.min(arrival).min(until);
        host.run(then - now);
        now = then;
        if arrival <= now {
            coming.next().into_iter().for_each(|(_, one)| host.push(now, *one));
        } else if next <= now {
            ends.extend(host.happen(now, 1.0).map(|ended| (ended.request, now)));
        }
    }
    ends
}

/// A giant at the start, and so many dwarfs that they would keep the core busy for ever.
fn dwarfs(giant: f64) -> Vec<(f64, Assignment)> {
    let dwarfs = (1..20_000).map(|n| (n as f64 * 0.01, request(n, 0.01)));
    std::iter::once((0.0, request(0, giant))).chain(dwarfs).collect()
}

fn end_of(ends: &[(usize, f64)], request: usize) -> Option<f64> {
    ends.iter().find(|(one, _)| *one == request).map(|(_, at)| *at)
}

#[test]
fn without_an_age_guard_a_giant_waits_for_dwarfs_for_ever() {
    let mut host = srpt(1, Preemption::EXACT);
    assert_eq!(end_of(&ends(&mut host, &dwarfs(1.0), 150.0), 0), None);
}

#[test]
fn nobody_waits_longer_than_the_age_guard_allows() {
    for checkpoint in [0.0, 0.001] {
        let preemption =
            Preemption { checkpoint, age_factor: 10.0, age_floor: 5.0, ..Preemption::EXACT };
        let ends = ends(&mut srpt(1, preemption), &dwarfs(1.0), 150.0);
        // It runs for a moment at first, may wait for 10 times its size and 5 s, and runs to its
        // end.
        let end = end_of(&ends, 0).unwrap();
        assert!((end - 16.0).abs() < 0.1, "{end}");
        let dwarfs = ends.iter().filter(|(n, _)| *n != 0);
        let late = dwarfs.map(|(n, at)| at - *n as f64 * 0.01).fold(0.0, f64::max);
        assert!(late < 6.0, "a dwarf has waited for {late}");
    }
}

#[test]
fn what_is_to_park_goes_on_to_its_checkpoint() {
    let preemption = Preemption { checkpoint: 0.25, ..Preemption::EXACT };
    let requests = [(0.0, request(0, 4.0)), (1.0, request(1, 1.0))];
    let ends = ends(&mut srpt(1, preemption), &requests, 10.0);
    assert_eq!(ends, [(1, 2.25), (0, 5.0)]);
}

#[test]
fn what_is_done_before_its_checkpoint_does_not_park() {
    let preemption = Preemption { checkpoint: 0.25, ..Preemption::EXACT };
    // The first has 0.2 left when the shorter one comes: it ends before it gets to the checkpoint.
    let requests = [(0.0, request(0, 1.0)), (0.8, request(1, 0.1))];
    let ends = ends(&mut srpt(1, preemption), &requests, 10.0);
    assert!((end_of(&ends, 0).unwrap() - 1.0).abs() < 1e-9);
    assert!((end_of(&ends, 1).unwrap() - 1.1).abs() < 1e-9);
}

#[test]
fn a_guard_that_nobody_reaches_changes_nothing() {
    let mut random = weighbridge_core::random::Random::new(1);
    let mut at = 0.0;
    let requests: Vec<(f64, Assignment)> = (0..2000)
        .map(|n| {
            at += random.unit();
            // Predictions are off by up to a factor of two.
            let work = 1.6 * random.unit();
            let estimate = work * (0.5 + 1.5 * random.unit());
            (at, Assignment { request: n, work, estimate, owner: Owner::default() })
        })
        .collect();
    let guarded = Preemption { age_floor: 1e6, ..Preemption::EXACT };
    let exact = ends(&mut srpt(2, Preemption::EXACT), &requests, 1e5);
    assert_eq!(exact.len(), 2000);
    assert_eq!(exact, ends(&mut srpt(2, guarded), &requests, 1e5));
}

#[test]
fn a_host_that_shares_its_time_gives_each_request_its_part() {
    let mut host = RunQueue::new(order("ps").unwrap(), Preemption::EXACT, 2, 1.0);
    let coming = [(0.0, request(0, 2.0)), (0.0, request(1, 4.0)), (1.0, request(2, 2.0))];
    // Alone with one core each until 1, then three share two cores until the first has attained 2.
    let ends = ends(&mut host, &coming, 10.0);
    assert_eq!(ends.iter().map(|(request, _)| *request).collect::<Vec<_>>(), [0, 2, 1]);
    for ((_, at), expected) in ends.iter().zip([2.5, 3.5, 4.5]) {
        assert!((at - expected).abs() < 1e-9, "{ends:?}");
    }
}

#[test]
fn a_host_that_serves_in_order_of_arrival_lets_no_request_pass() {
    let mut host = RunQueue::new(order("fcfs").unwrap(), Preemption::EXACT, 1, 1.0);
    let coming = [(0.0, request(0, 2.0)), (0.5, request(1, 1.0)), (0.6, request(2, 0.5))];
    assert_eq!(ends(&mut host, &coming, 10.0), [(0, 2.0), (1, 3.0), (2, 3.5)]);
}

#[test]
fn what_is_far_from_its_checkpoint_yields_its_slot() {
    let preemption = Preemption { checkpoint: 10.0, yields_after: 0.25, ..Preemption::EXACT };
    let coming = [(0.0, request(0, 4.0)), (1.0, request(1, 1.0))];
    assert_eq!(ends(&mut srpt(1, preemption), &coming, 10.0), [(1, 2.25), (0, 5.0)]);
}

#[test]
fn a_host_that_loses_its_requests_begins_anew() {
    let mut host = srpt(1, Preemption::EXACT);
    for n in 0..3 {
        host.push(0.0, request(n, 1.0));
    }
    host.run(0.5);
    assert_eq!(host.clear().len(), 3);
    assert_eq!((host.n_requests(), host.next(0.5, 1.0)), (0, None));
    assert_eq!((host.work_left(), host.estimated_left()), (0.0, 0.0));
    assert_eq!(ends(&mut host, &[(0.0, request(3, 1.0))], 2.0), [(3, 1.0)]);
}
