mod preemption;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use weighbridge_instrument::checkpoint;
use weighbridge_schedule::{AgeGuard, ORDERS, order};

use super::*;

/// No wait in these tests takes so long, unless something is wrong.
const DEADLINE: Duration = Duration::from_secs(30);

fn queue(slots: usize, waiting_max: usize) -> RunQueue {
    queue_of("fcfs", slots, waiting_max)
}

fn queue_of(discipline: &str, slots: usize, waiting_max: usize) -> RunQueue {
    queue_with(discipline, Bounds { age: AgeGuard::NONE, ..Bounds::new(slots) }, waiting_max)
}

fn queue_with(discipline: &str, mut bounds: Bounds, waiting_max: usize) -> RunQueue {
    let order = order(discipline).expect("it is there");
    bounds.started_max = 8;
    let config = QueueConfig { order, bounds, waiting_max, host: |life| life() };
    RunQueue::start(config, Arc::default()).expect("threads start")
}

/// Occupies a slot until the returned sender is dropped.
fn occupy(queue: &RunQueue) -> (Submission, Sender<()>) {
    let (release, released) = channel::<()>();
    let (start, started) = channel();
    let run = move || {
        start.send(()).expect("the test waits");
        released.recv_timeout(DEADLINE).ok();
    };
    let submission = queue.submit(1.0, run, |_| ()).expect("there is room");
    started.recv_timeout(DEADLINE).expect("it starts");
    (submission, release)
}

/// Returns when so much time has passed.
fn pass(span: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < span {
        thread::yield_now();
    }
}

/// Submits what returns `value`.
fn submit(queue: &RunQueue, value: u32) -> (Submission, Receiver<Ran<u32>>) {
    let (done, ran) = channel();
    let submission = queue.submit(1.0, move || value, move |ran| drop(done.send(ran)));
    (submission.expect("there is room"), ran)
}

/// Requests that run, are parked and wait.
fn occupied(queue: &RunQueue) -> (usize, usize, usize) {
    let Occupancy { running, parked, waiting, .. } = queue.occupancy();
    (running, parked, waiting)
}

fn wait(ran: &Receiver<Ran<u32>>) -> Ran<u32> {
    ran.recv_timeout(DEADLINE).expect("it runs")
}

#[test]
fn a_request_runs_and_says_what_it_returned_and_how_long_it_took() {
    const LEAST: Duration = Duration::from_millis(5);

    let queue = queue(1, 1);
    let (_place, release) = occupy(&queue);
    let (done, ran) = channel();
    let run = || {
        pass(LEAST);
        7
    };
    let _waits = queue.submit(1.0, run, move |ran| drop(done.send(ran))).expect("there is room");
    pass(LEAST);
    drop(release);
    let ran = wait(&ran);
    assert_eq!(ran.result.expect("no panic"), 7);
    assert!(LEAST <= ran.times.waiting, "{:?}", ran.times);
    assert!(LEAST <= ran.times.service, "{:?}", ran.times);
}

#[test]
fn the_slot_is_free_before_the_answer() {
    let queue = Arc::new(queue(1, 0));
    for value in 0..100 {
        let (_submission, ran) = submit(&queue, value);
        wait(&ran);
        assert_eq!(occupied(&queue), (0, 0, 0));
    }
}

#[test]
fn the_first_to_come_is_the_first_served() {
    let queue = queue(1, 10);
    let (_submission, release) = occupy(&queue);
    let (done, order) = channel();
    let submissions = (0..10).map(|number| {
        let done = done.clone();
        queue.submit(
            1.0,
            move || number,
            move |ran: Ran<u32>| {
                done.send(ran.result.expect("no panic")).ok();
            },
        )
    });
    let submissions = submissions.collect::<Result<Vec<_>, _>>().expect("there is room");
    drop(release);
    let order = (0..10).map(|_| order.recv_timeout(DEADLINE).expect("it runs"));
    assert_eq!(order.collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    drop(submissions);
}

#[test]
fn a_full_queue_refuses_and_has_room_again_once_one_has_run() {
    let queue = queue(1, 1);
    let (_submission, release) = occupy(&queue);
    let (_waiting, ran) = submit(&queue, 1);
    assert_eq!(occupied(&queue), (1, 0, 1));
    assert!((queue.occupancy().utilization() - 2.0).abs() < f64::EPSILON);
    assert!(queue.check_room().is_err());
    let refused = queue.submit(1.0, || (), |_| ()).expect_err("no room");
    assert_eq!(refused.to_string(), "the run queue is full: `1` requests wait");

    drop(release);
    wait(&ran);
    assert!(queue.check_room().is_ok());
}

#[test]
fn an_abandoned_request_leaves_the_queue_without_running() {
    let queue = queue(1, 2);
    let (_submission, release) = occupy(&queue);
    let (abandoned, never) = submit(&queue, 1);
    let (_stays, ran) = submit(&queue, 2);
    drop(abandoned);
    assert_eq!(queue.occupancy().waiting, 1);
    drop(release);
    assert_eq!(wait(&ran).result.expect("no panic"), 2);
    assert!(never.recv_timeout(DEADLINE).is_err(), "its sender is gone");
}

#[test]
fn an_abandoned_request_stops_at_its_next_checkpoint() {
    let queue = queue(1, 0);
    let ((start, started), (done, ran)) = (channel(), channel());
    let run = move || {
        start.send(()).expect("the test waits");
        while checkpoint().is_ok() {}
    };
    let submission =
        queue.submit(1.0, run, move |ran| drop(done.send(ran))).expect("there is room");
    started.recv_timeout(DEADLINE).expect("it starts");
    drop(submission);
    ran.recv_timeout(DEADLINE).expect("it stops").result.expect("no panic");
}

#[test]
fn a_panic_loses_no_slot_and_leaves_no_abandonment_behind() {
    let queue = queue(1, 0);
    for _ in 0..3 {
        let (done, ran) = channel();
        let fails = || -> u32 { panic!("out of {}", "paint") };
        let submission =
            queue.submit(1.0, fails, move |ran| drop(done.send(ran))).expect("there is room");
        let panicked = wait(&ran).result.expect_err("it panics");
        assert_eq!(panicked.to_string(), "the operation panicked: out of paint");
        drop(submission);
    }
    let (_submission, ran) = submit(&queue, 5);
    assert_eq!(wait(&ran).result.expect("no panic"), 5);
}

#[test]
fn a_dropped_queue_forgets_what_waits() {
    let queue = queue(1, 1);
    let (_submission, release) = occupy(&queue);
    let (_waiting, never) = submit(&queue, 1);
    drop(queue);
    assert!(never.recv_timeout(DEADLINE).is_err(), "its sender is gone");
    drop(release);
}
