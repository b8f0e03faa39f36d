//! One request makes room for another, on real threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use weighbridge_instrument::Abandoned;

use super::*;

/// A request that runs, coming to checkpoints, until the test says so.
struct Giant {
    submission: Submission,
    ran: Receiver<Ran<Result<(), Abandoned>>>,
    stop: Arc<AtomicBool>,
}

impl Giant {
    /// Starts one of `estimate_secs` on a slot that is free.
    fn start(queue: &RunQueue, estimate_secs: f64) -> Giant {
        let stop = Arc::new(AtomicBool::new(false));
        let ((start, started), (done, ran)) = (channel(), channel());
        let told = Arc::clone(&stop);
        let run = move || {
            start.send(()).expect("the test waits");
            while !told.load(Ordering::Relaxed) {
                checkpoint()?;
            }
            Ok(())
        };
        let done = move |ran| drop(done.send(ran));
        let submission = queue.submit(estimate_secs, run, done).expect("there is room");
        started.recv_timeout(DEADLINE).expect("it starts");
        Giant { submission, ran, stop }
    }

    fn stop(&self) -> Ran<Result<(), Abandoned>> {
        self.stop.store(true, Ordering::Relaxed);
        self.ran.recv_timeout(DEADLINE).expect("it ends")
    }
}

#[track_caller]
fn wait_until(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        thread::yield_now();
    }
}

/// Submits what returns 7 and has next to nothing to do.
fn dwarf(queue: &RunQueue) -> (Submission, Receiver<Ran<u32>>) {
    let (done, ran) = channel();
    let submission = queue.submit(1e-3, || 7, move |ran| drop(done.send(ran)));
    (submission.expect("there is room"), ran)
}

#[test]
fn a_longer_request_parks_and_goes_on_once_the_shorter_one_is_done() {
    // With yielding a shorter one may be done before the giant comes to a checkpoint.
    let bounds = Bounds { yields_after: None, age: AgeGuard::NONE, ..Bounds::new(1) };
    let queue = queue_with("srpt", bounds, 10);
    let giant = Giant::start(&queue, 1000.0);
    for _ in 0..20 {
        let (_submission, ran) = dwarf(&queue);
        assert_eq!(wait(&ran).result.expect("no panic"), 7);
    }
    wait_until("it runs again", || occupied(&queue) == (1, 0, 0));
    let ran = giant.stop();
    assert_eq!(ran.result.expect("no panic"), Ok(()));
    assert!((1..=20).contains(&ran.times.preemptions), "{:?}", ran.times);
    assert!(Duration::ZERO < ran.times.waiting, "{:?}", ran.times);
    assert_eq!(occupied(&queue), (0, 0, 0));
}

#[test]
fn an_answer_leaves_before_the_longer_request_goes_on() {
    // Without yielding the giant is parked before the shorter request starts.
    let bounds = Bounds { yields_after: None, age: AgeGuard::NONE, ..Bounds::new(1) };
    let queue = Arc::new(queue_with("srpt", bounds, 10));
    let giant = Giant::start(&queue, 1000.0);
    let (trace, traced) = channel();
    for _ in 0..20 {
        let (at_work, at_answer) = (trace.clone(), trace.clone());
        let [seen_at_work, seen_at_answer] = [(); 2].map(|()| Arc::clone(&queue));
        // Its estimate is not outlived, so that no alarm decides meanwhile.
        let submission = queue.submit(
            100.0,
            move || at_work.send(occupied(&seen_at_work)).expect("the test waits"),
            move |_| at_answer.send(occupied(&seen_at_answer)).expect("the test waits"),
        );
        let _submission = submission.expect("there is room");
        let next = || traced.recv_timeout(DEADLINE).expect("it runs");
        assert_eq!(next(), (1, 1, 0), "the shorter one runs, the giant is parked");
        assert_eq!(next(), (0, 1, 0), "the answer leaves: the slot is free, the giant is parked");
        wait_until("the giant goes on", || occupied(&queue) == (1, 0, 0));
    }
    assert_eq!(giant.stop().result.expect("no panic"), Ok(()));
}

#[test]
fn parked_requests_go_on_in_the_order_of_what_they_have_left() {
    let queue = queue_of("srpt", 1, 10);
    let giants = [1000.0, 100.0, 10.0].map(|estimate_secs| Giant::start(&queue, estimate_secs));
    wait_until("two are parked", || occupied(&queue) == (1, 2, 0));
    for (nth, giant) in giants.iter().enumerate().rev() {
        assert_eq!(giant.stop().result.expect("no panic"), Ok(()));
        wait_until("one less", || occupied(&queue) == (usize::from(0 < nth), nth.max(1) - 1, 0));
    }
}

#[test]
fn an_abandoned_request_that_is_parked_ends_at_once() {
    let queue = queue_of("srpt", 1, 10);
    let giant = Giant::start(&queue, 1000.0);
    let shorter = Giant::start(&queue, 100.0);
    wait_until("it is parked", || occupied(&queue) == (1, 1, 0));
    drop(giant.submission);
    let ran = giant.ran.recv_timeout(DEADLINE).expect("it ends while the other one runs");
    assert_eq!(ran.result.expect("no panic"), Err(Abandoned));
    assert_eq!(occupied(&queue), (1, 0, 0));
    assert_eq!(shorter.stop().result.expect("no panic"), Ok(()));
}

#[test]
fn a_panic_gives_its_slot_to_what_is_parked() {
    let queue = queue_of("srpt", 1, 10);
    let giant = Giant::start(&queue, 1000.0);
    let (done, ran) = channel();
    let fails = || -> u32 { panic!("out of paint") };
    let _submission = queue.submit(1e-3, fails, move |ran| drop(done.send(ran))).expect("room");
    assert!(wait(&ran).result.is_err());
    wait_until("it runs again", || occupied(&queue) == (1, 0, 0));
    assert_eq!(giant.stop().result.expect("no panic"), Ok(()));
}

#[test]
fn an_answer_that_cannot_be_handed_over_costs_no_thread() {
    let queue = queue_of("srpt", 1, 0);
    for _ in 0..20 {
        let _submission = queue.submit(1.0, || (), |_| panic!("out of paper")).expect("room");
        wait_until("it is gone", || occupied(&queue) == (0, 0, 0));
    }
    let (_submission, ran) = submit(&queue, 5);
    assert_eq!(wait(&ran).result.expect("no panic"), 5);
}

#[test]
fn a_dropped_queue_ends_what_is_parked_like_what_runs() {
    let queue = queue_of("srpt", 1, 10);
    let giant = Giant::start(&queue, 1000.0);
    let abandoned = Giant::start(&queue, 500.0);
    let shorter = Giant::start(&queue, 100.0);
    wait_until("two are parked", || occupied(&queue) == (1, 2, 0));
    drop(queue);
    drop(abandoned.submission);
    let ran = abandoned.ran.recv_timeout(DEADLINE).expect("it ends");
    assert_eq!(ran.result.expect("no panic"), Err(Abandoned));
    assert_eq!(shorter.stop().result.expect("no panic"), Ok(()));
    assert_eq!(giant.stop().result.expect("no panic"), Ok(()));
}

#[test]
fn what_never_comes_to_a_checkpoint_yields_where_that_can_be_taken_back() {
    if Niceness::probe().is_none() {
        return;
    }
    let queue = queue_of("srpt", 1, 10);
    let ((start, started), (done, stubborn)) = (channel(), channel());
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let run = move || {
        start.send(()).expect("the test waits");
        while !told.load(Ordering::Relaxed) {}
        rustix::process::getpriority_process(None)
    };
    let submission = queue.submit(1000.0, run, move |ran| drop(done.send(ran))).expect("room");
    started.recv_timeout(DEADLINE).expect("it starts");
    let (_submission, ran) = dwarf(&queue);
    assert_eq!(wait(&ran).result.expect("no panic"), 7);
    wait_until("it has its slot again", || occupied(&queue) == (1, 0, 0));
    stop.store(true, Ordering::Relaxed);
    let stubborn = stubborn.recv_timeout(DEADLINE).expect("it ends");
    let normal = rustix::process::getpriority_process(None);
    assert_eq!(stubborn.result.expect("no panic"), normal, "its niceness is what it was");
    drop(submission);
}

#[test]
fn a_giant_goes_on_once_it_is_overdue_though_a_dwarf_does_not_end() {
    let age = AgeGuard { factor: 0.0, floor: Duration::from_millis(50) };
    let queue = queue_with("srpt", Bounds { age, ..Bounds::new(1) }, 10);
    let giant = Giant::start(&queue, 1000.0);
    // A dwarf that has 10 s left, and never ends: without the guard the giant would not go on.
    let endless = Giant::start(&queue, 10.0);
    wait_until("the giant is parked", || occupied(&queue) == (1, 1, 0));
    let ran = giant.stop();
    assert_eq!(ran.result.expect("no panic"), Ok(()));
    assert!(age.floor <= ran.times.waiting, "{:?}", ran.times);
    assert_eq!(endless.stop().result.expect("no panic"), Ok(()));
}

/// Requests of all sizes on few slots, some of which are abandoned at any moment.
#[test]
fn whatever_happens_every_slot_is_free_in_the_end() {
    for discipline in ORDERS.iter().map(|order| order.name()) {
        let queue = queue_of(discipline, 2, 1000);
        let (tell, told) = channel();
        let mut kept = Vec::new();
        for nth in 0..300_u64 {
            let rounds = nth * 7919 % 400;
            let (tell, done) = (tell.clone(), move |ran: Ran<Result<u64, Abandoned>>| drop(ran));
            let run = move || {
                for _ in 0..rounds {
                    checkpoint()?;
                    std::hint::black_box((0..2000_u64).fold(0, |sum, n| sum ^ n));
                }
                tell.send(nth).expect("the test waits");
                Ok(nth)
            };
            // Some are mistaken by much.
            let estimate_secs = (1 + nth * 104_729 % 977) as f64 * 1e-5;
            let submission = queue.submit(estimate_secs, run, done).expect("there is room");
            match nth % 3 {
                0 => drop(submission),
                _ => kept.push((nth, submission)),
            }
        }
        drop(tell);
        let ended = told.iter().collect::<std::collections::BTreeSet<_>>();
        assert!(kept.iter().all(|(nth, _)| ended.contains(nth)), "{discipline}");
        wait_until("all slots are free", || occupied(&queue) == (0, 0, 0));
    }
}
