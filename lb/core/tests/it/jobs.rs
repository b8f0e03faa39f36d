//! Jobs under everything that may happen to them: balancers that die between a write and what
//! follows it, events that come twice, late or never, sweepers that have read an old row, clocks
//! that jump. After each event the invariants hold; in the end each job that was acknowledged is
//! in one final state and has been told of.
//!
//! A failure prints the command that replays its seed.

mod ledger;
mod steps;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

/// Histories in one test; there are four, each with seeds of its own.
const HISTORIES: u64 = 25_000;

#[test]
fn what_was_acknowledged_ends_once_whatever_happens() {
    sweep(0);
}

#[test]
fn what_was_acknowledged_ends_once_whatever_happens_2() {
    sweep(1);
}

#[test]
fn what_was_acknowledged_ends_once_whatever_happens_3() {
    sweep(2);
}

#[test]
fn what_was_acknowledged_ends_once_whatever_happens_4() {
    sweep(3);
}

#[test]
fn equal_seeds_give_equal_histories() {
    assert_eq!(World::run(7), World::run(7));
    assert_ne!(World::run(7), World::run(8));
}

/// A history in which nothing happens proves nothing: all of these have happened in many.
#[test]
fn the_histories_meet_what_they_are_about() {
    let mut met = world::Met::default();
    for seed in 0..2000 {
        met.add(&World::run(seed).met);
    }
    let least = met.least();
    assert!(20 <= least.1, "too seldom: {least:?} of {met:?}");
}

fn sweep(part: u64) {
    for seed in seeds(part) {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| World::run(seed))) {
            eprintln!("replay: CORE_SEED={seed:#x} cargo test -p weighbridge-core --test it jobs");
            std::panic::resume_unwind(cause);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may be told its seed")]
fn seeds(part: u64) -> std::ops::Range<u64> {
    let given = std::env::var("CORE_SEED").ok();
    let parse = |text: String| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let first = part * HISTORIES;
    given.map(parse).map_or(first..first + HISTORIES, |seed| seed..seed + 1)
}
