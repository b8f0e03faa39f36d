mod random;
mod scratch;
mod world;

use std::time::Duration;

use super::*;
use crate::progress::Owner;
use world::{State, TICK, World, bounds};

fn order_of_ends(world: &World) -> Vec<u64> {
    world.ended.iter().map(|(number, _)| *number).collect()
}

#[test]
fn a_shorter_request_runs_first_and_the_longer_one_goes_on_where_it_stopped() {
    let mut world = World::new("srpt", bounds(1));
    let giant = world.arrive(100);
    world.pass(10);
    let dwarf = world.arrive(5);
    world.pass(2);
    assert_eq!((world.all(State::Running), world.all(State::Parked)), (vec![dwarf], vec![giant]));
    world.finish();
    assert_eq!(order_of_ends(&world), [dwarf, giant]);
    // Parked at the checkpoint after the dwarf came; whatever it lost, it lost to the dwarf.
    assert_eq!(world.ended[1].1, TICK * 5);
    assert_eq!(world.now, TICK * 105);
}

#[test]
fn what_has_less_left_is_not_interrupted_by_one_that_is_smaller_than_it_was() {
    let mut world = World::new("srpt", bounds(1));
    let first = world.arrive(100);
    world.pass(95);
    let second = world.arrive(20);
    world.finish();
    assert_eq!(order_of_ends(&world), [first, second]);
}

#[test]
fn of_equals_the_one_that_runs_goes_on() {
    let mut world = World::new("srpt", bounds(1));
    let numbers = [world.arrive(10), world.arrive(10), world.arrive(10)];
    world.finish();
    assert_eq!(order_of_ends(&world), numbers);
}

#[test]
fn an_outlived_estimate_doubles_and_is_noticed_without_any_arrival() {
    let mut world = World::new("srpt", bounds(1));
    let mistaken = world.arrive_mistaken(10, 200, 1);
    let honest = world.arrive(50);
    // 10, 20, 40 and 80 are outlived one after the other; at 80 as much again is believed left.
    world.pass(79);
    assert_eq!(world.all(State::Running), [mistaken]);
    world.pass(3);
    assert_eq!(world.all(State::Running), [honest]);
    world.finish();
    assert_eq!(order_of_ends(&world), [honest, mistaken]);
}

#[test]
fn first_come_first_served_lets_no_request_pass() {
    let mut world = World::new("fcfs", bounds(1));
    let numbers = [world.arrive(100), world.arrive(1), world.arrive(10)];
    world.finish();
    assert_eq!(order_of_ends(&world), numbers);
}

#[test]
fn processor_sharing_starts_all_that_may_be_started() {
    let mut world = World::new("ps", bounds(1));
    for _ in 0..9 {
        world.arrive(10);
    }
    assert_eq!((world.all(State::Running).len(), world.all(State::Waiting)), (8, vec![8]));
    world.finish();
}

#[test]
fn no_more_are_started_than_may_be_however_short_they_are() {
    let mut world = World::new("srpt", Bounds { started_max: 3, ..bounds(1) });
    let sizes = [400, 200, 100, 50, 25];
    let numbers = sizes.map(|size| {
        let number = world.arrive(size);
        world.pass(2);
        number
    });
    assert_eq!(world.all(State::Waiting), [numbers[3], numbers[4]]);
    world.finish();
    // The third had to end before any other could start, and then the shortest went first.
    assert_eq!(order_of_ends(&world), [2, 4, 3, 1, 0].map(|nth| numbers[nth]));
}

#[test]
fn a_request_without_checkpoints_yields_its_slot() {
    let yields_after = Some(TICK * 2);
    let mut world = World::new("srpt", Bounds { yields_after, ..bounds(1) });
    let stubborn = world.arrive_mistaken(100, 100, 1000);
    world.pass(10);
    let dwarfs = [world.arrive(5), world.arrive(5)];
    world.pass(3);
    assert_eq!(world.all(State::Yielding), [stubborn]);
    assert_eq!(world.all(State::Running), [dwarfs[0]]);
    world.pass(10);
    assert_eq!(world.all(State::Running), [stubborn]);
    world.finish();
    assert_eq!(order_of_ends(&world), [dwarfs[0], dwarfs[1], stubborn]);
}

#[test]
fn where_threads_cannot_yield_a_slot_is_kept_until_the_checkpoint() {
    let mut world = World::new("srpt", bounds(1));
    let stubborn = world.arrive_mistaken(100, 100, 50);
    world.pass(10);
    let dwarf = world.arrive(5);
    world.pass(39);
    assert_eq!(world.all(State::Asked), [stubborn]);
    world.pass(2);
    assert_eq!(world.all(State::Running), [dwarf]);
    world.finish();
}

#[test]
fn a_request_that_was_asked_to_park_need_not_once_the_shorter_one_is_gone() {
    let mut world = World::new("srpt", bounds(1));
    let giant = world.arrive_mistaken(100, 100, 50);
    world.pass(1);
    let dwarf = world.arrive(5);
    assert_eq!(world.all(State::Asked), [giant]);
    world.abandon(dwarf);
    assert_eq!(world.all(State::Running), [giant]);
    world.finish();
}

#[test]
fn an_abandoned_request_leaves_wherever_it_is() {
    let mut world = World::new("srpt", bounds(1));
    let [parked, runs, waits] = [100, 50, 70].map(|size| {
        let number = world.arrive(size);
        world.pass(2);
        number
    });
    world.abandon(waits);
    world.abandon(parked);
    assert_eq!(world.all(State::Leaving), [parked]);
    world.abandon(runs);
    world.pass(1);
    assert!(world.requests.is_empty(), "{:?}", world.requests);
    assert_eq!(world.schedule.census(), Census::default());
}

/// Dwarfs that use all of the core, for `secs`.
fn dwarfs(world: &mut World, secs: u64) {
    for _ in 0..secs * 100 {
        world.arrive(10);
        world.pass(10);
    }
}

#[test]
fn an_endless_stream_of_dwarfs_does_not_starve_a_giant() {
    let age = AgeGuard { factor: 2.0, floor: Duration::from_secs(1) };
    let mut world = World::new("srpt", Bounds { age, ..bounds(1) });
    world.arrive(10);
    let giant = world.arrive(1000);
    dwarfs(&mut world, 10);
    let waited = world.ended.iter().find(|(number, _)| *number == giant).expect("it has ended").1;
    // Twice its own second and a second, and until the next checkpoint.
    assert!((2990..=3010).contains(&waited.as_millis()), "{waited:?}");
}

/// How long requests of 2 ms wait at most that come one after the other, beside many large ones
/// that are all overdue.
fn waits_of_dwarfs_among_overdue_giants(slots: usize) -> Duration {
    let age = AgeGuard { factor: 1.0, floor: Duration::from_millis(100) };
    let started_max = 64;
    let mut world = World::new("srpt", Bounds { started_max, age, ..bounds(slots) });
    for _ in 0..40 {
        world.arrive(600);
    }
    world.pass(2000);
    let mut dwarfs = Vec::new();
    for _ in 0..40 {
        let dwarf = world.arrive(2);
        let mut waits = 0;
        while world.requests.contains_key(&dwarf) && waits < 5000 {
            world.pass(1);
            waits += 1;
        }
        dwarfs.push(dwarf);
    }
    let waited = world.ended.iter().filter(|(number, _)| dwarfs.contains(number));
    let waited: Vec<Duration> = waited.map(|(_, waited)| *waited).collect();
    assert_eq!(waited.len(), dwarfs.len(), "all have ended");
    waited.into_iter().max().unwrap_or_default()
}

#[test]
fn overdue_giants_leave_a_slot_to_dwarfs() {
    assert!(waits_of_dwarfs_among_overdue_giants(2) <= TICK * 5);
}

#[test]
fn where_there_is_one_slot_dwarfs_wait_for_one_overdue_giant_at_most() {
    let waited = waits_of_dwarfs_among_overdue_giants(1);
    assert!(waited <= TICK * 610, "{waited:?}");
}

#[test]
fn parked_giants_hold_no_more_than_the_limit_together() {
    let started_bytes_max = 250;
    let mut world = World::new("srpt", Bounds { started_bytes_max, ..bounds(1) });
    // Each is shorter than the one before, which parks for it where there is memory.
    for n in 0..6 {
        world.arrive_holding(1000 - n * 100, 100);
        world.pass(10);
        let Census { in_slots, parked, .. } = world.schedule.census();
        assert!(in_slots + parked <= 2, "{in_slots} {parked}");
    }
    let small = world.arrive(5);
    world.pass(10);
    assert!(!world.requests.contains_key(&small), "what holds little is started and ends");
    let huge = world.arrive_holding(1, 1000);
    world.pass(10);
    assert!(world.requests.contains_key(&huge), "it is started alone");
    world.finish();
    assert_eq!(world.ended.len(), 8);
}

#[test]
fn without_an_age_guard_they_would() {
    let mut world = World::new("srpt", bounds(1));
    world.arrive(10);
    let giant = world.arrive(1000);
    dwarfs(&mut world, 10);
    assert!(world.requests.contains_key(&giant), "it waits");
}

#[test]
fn of_two_overdue_requests_the_one_with_the_earlier_deadline_runs() {
    let age = AgeGuard { factor: 1.0, floor: TICK * 100 };
    let mut world = World::new("srpt", Bounds { age, ..bounds(1) });
    world.arrive(150);
    let large = world.arrive(500); // overdue from 600 on
    world.pass(100);
    let small = world.arrive(450); // overdue from 650 on
    for _ in 0..100 {
        world.arrive(10);
        world.pass(10);
    }
    world.finish();
    let place = |number| order_of_ends(&world).iter().position(|&other| other == number);
    assert!(place(large) < place(small));
}

#[test]
fn where_there_is_no_thread_a_request_waits_and_fewer_are_started_from_then_on() {
    let mut world = World::new("srpt", bounds(1));
    world.arrive(100);
    world.pass(1);
    let schedule = &mut world.schedule;
    schedule.arrive(Progress::new(1, 0.001), TICK);
    assert_eq!(schedule.reach(0, TICK), [Move::Start(1)]);
    assert_eq!(schedule.refuse(1, TICK), [Move::Resume(0)]);
    assert_eq!(schedule.bounds().started_max, 1);
    schedule.finish(0);
    assert_eq!(schedule.decide(TICK), [Move::Start(1)]);
}

#[test]
fn work_left_is_that_of_all_that_are_wanted() {
    let mut world = World::new("srpt", bounds(1));
    world.arrive(100);
    world.pass(50);
    let other = world.arrive(70);
    assert!((world.schedule.work_left_secs() - 0.12).abs() < 1e-9);
    world.abandon(other);
    assert!((world.schedule.work_left_secs() - 0.05).abs() < 1e-9);
}

#[test]
fn what_goes_on_for_nobody_comes_after_all_others_and_is_no_work_left() {
    let mut world = World::new("srpt", bounds(1));
    let gone = world.arrive(10);
    world.pass(2);
    let giant = world.arrive(500);
    assert_eq!(world.all(State::Running), [gone]);
    world.linger(gone);
    world.pass(1);
    assert_eq!((world.all(State::Running), world.all(State::Parked)), (vec![giant], vec![gone]));
    assert!((world.schedule.work_left_secs() - 0.5).abs() < 0.002);
    world.linger(giant);
    assert!(world.schedule.work_left_secs().abs() < 1e-9);
    world.finish();
    assert_eq!(order_of_ends(&world), [giant, gone]);
}

#[test]
fn nothing_starts_while_nothing_may() {
    let mut world = World::new("srpt", bounds(1));
    world.schedule.set_started_max(0);
    let first = world.arrive(10);
    world.pass(5);
    assert_eq!(world.all(State::Waiting), [first]);
    world.schedule.set_started_max(1);
    assert_eq!(world.schedule.decide(world.now), [Move::Start(first)]);
}

/// The numbers of requests in the order in which they run, one at a time: each of a client that
/// stands there and of that size.
fn run_in_order(requests: &[(Owner, f64)]) -> Vec<u64> {
    let mut schedule = Schedule::new(srpt(), Bounds { age: AgeGuard::NONE, ..Bounds::new(1) });
    for (number, (owner, secs)) in (0..).zip(requests) {
        schedule.arrive(Progress::new(number, *secs).of(*owner), Duration::ZERO);
    }
    let mut order = Vec::new();
    // The first was in the slot before the others came.
    schedule.reach(0, Duration::ZERO);
    while schedule.census().in_slots == 1 {
        let running = *schedule.in_slots.keys().next().expect("one is in the slot");
        order.push(running);
        schedule.finish(running);
        schedule.decide(Duration::ZERO);
    }
    order
}

fn owner(priority: u8, attained_secs: f64) -> Owner {
    Owner { priority, attained_secs }
}

#[test]
fn a_queue_full_of_a_flood_hides_no_first_request_of_others() {
    let flood = (0..5).map(|n| (owner(0, f64::from(n)), 1.0));
    let requests: Vec<(Owner, f64)> = flood.chain([(owner(0, 0.0), 1.5)]).collect();
    assert_eq!(run_in_order(&requests), [0, 5, 1, 2, 3, 4]);
}

#[test]
fn a_priority_goes_before_what_is_shorter() {
    let requests = [(owner(1, 0.0), 0.1), (owner(1, 0.0), 0.2), (owner(0, 9.0), 5.0)];
    assert_eq!(run_in_order(&requests), [2, 0, 1]);
}

#[test]
fn what_a_client_has_had_is_no_reason_to_be_overdue() {
    let age = AgeGuard { factor: 10.0, floor: Duration::from_secs(1) };
    let mut schedule = Schedule::new(srpt(), Bounds { age, ..Bounds::new(1) });
    schedule.arrive(Progress::new(0, 1.0), Duration::ZERO);
    schedule.arrive(Progress::new(1, 2.0).of(owner(0, 50.0)), Duration::ZERO);
    let entry = schedule.entry(1).expect("it waits");
    assert_eq!(schedule.deadline(entry), Duration::from_secs(10 * 52 + 1));
}

fn srpt() -> &'static dyn Order {
    crate::order::order("srpt").expect("there is one of that name")
}
