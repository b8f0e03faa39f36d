use super::*;

/// A job that is believed to take what it takes.
fn job(request: usize, work: f64) -> Job {
    Job { request, work, estimate: work }
}

/// Runs until `until`, with the jobs that come at their instants; returns when each ends, by request.
fn ends(host: &mut Srpt, jobs: &[(f64, Job)], until: f64) -> Vec<(usize, f64)> {
    let (mut now, mut ends, mut coming) = (0.0, Vec::new(), jobs.iter().peekable());
    while now < until {
        let next = host.next().map_or(f64::INFINITY, |work| now + work);
        let arrival = coming.peek().map_or(f64::INFINITY, |(at, _)| *at);
        let then = next.min(arrival).min(until);
        if now < then {
            host.run(then - now);
        }
        now = then;
        if arrival <= now {
            coming.next().into_iter().for_each(|(_, job)| host.push(*job));
        } else if next <= now {
            ends.extend(host.happen().map(|job| (job.request, now)));
        }
    }
    ends
}

/// A giant at the start, and so many dwarfs that they would keep the core busy for ever.
fn dwarfs(giant: f64) -> Vec<(f64, Job)> {
    let dwarfs = (1..20_000).map(|n| (n as f64 * 0.01, job(n, 0.01)));
    std::iter::once((0.0, job(0, giant))).chain(dwarfs).collect()
}

fn end_of(ends: &[(usize, f64)], request: usize) -> Option<f64> {
    ends.iter().find(|(one, _)| *one == request).map(|(_, at)| *at)
}

#[test]
fn without_an_age_guard_a_giant_waits_for_dwarfs_for_ever() {
    let mut host = Srpt::new(1, Preemption::EXACT);
    assert_eq!(end_of(&ends(&mut host, &dwarfs(1.0), 150.0), 0), None);
}

#[test]
fn nobody_waits_longer_than_the_age_guard_allows() {
    for checkpoint in [0.0, 0.001] {
        let preemption = Preemption { checkpoint, age_factor: 10.0, age_floor: 5.0 };
        let ends = ends(&mut Srpt::new(1, preemption), &dwarfs(1.0), 150.0);
        // It runs for a moment at first, may wait for 10 times its size and 5 s, and runs to its end.
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
    let jobs = [(0.0, job(0, 4.0)), (1.0, job(1, 1.0))];
    let ends = ends(&mut Srpt::new(1, preemption), &jobs, 10.0);
    assert_eq!(ends, [(1, 2.25), (0, 5.0)]);
}

#[test]
fn what_is_done_before_its_checkpoint_does_not_park() {
    let preemption = Preemption { checkpoint: 0.25, ..Preemption::EXACT };
    // The first has 0.2 left when the shorter one comes: it ends before it gets to the checkpoint.
    let jobs = [(0.0, job(0, 1.0)), (0.8, job(1, 0.1))];
    let ends = ends(&mut Srpt::new(1, preemption), &jobs, 10.0);
    assert!((end_of(&ends, 0).unwrap() - 1.0).abs() < 1e-9);
    assert!((end_of(&ends, 1).unwrap() - 1.1).abs() < 1e-9);
}

#[test]
fn a_guard_that_nobody_reaches_changes_nothing() {
    let mut random = weighbridge_core::random::Random::new(1);
    let mut at = 0.0;
    let jobs: Vec<(f64, Job)> = (0..2000)
        .map(|n| {
            at += random.unit();
            // Predictions are off by up to a factor of two.
            let work = 1.6 * random.unit();
            (at, Job { request: n, work, estimate: work * (0.5 + 1.5 * random.unit()) })
        })
        .collect();
    let guarded = Preemption { age_floor: 1e6, ..Preemption::EXACT };
    let exact = ends(&mut Srpt::new(2, Preemption::EXACT), &jobs, 1e5);
    assert_eq!(exact.len(), 2000);
    assert_eq!(exact, ends(&mut Srpt::new(2, guarded), &jobs, 1e5));
}
