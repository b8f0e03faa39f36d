//! Counts of counted code: what they are of, and that they are one request's own.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::hint::black_box;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use image::{ImageFormat, RgbImage};
use weighbridge_instrument::{
    Counting, Meter, RequestCost, build_id, charge, counted_functions, counting, off_reason,
    prepare,
};

/// Enough of a request: draws a picture, blurs it, encodes it and decodes it again.
fn work(side: u32) {
    let picture = RgbImage::from_fn(side, side, |x, y| {
        image::Rgb([(x * 7 + y) as u8, (x ^ y) as u8, (x * y) as u8])
    });
    let blurred = image::imageops::blur(&picture, 2.0);
    let mut png = Cursor::new(Vec::new());
    blurred.write_to(&mut png, ImageFormat::Png).unwrap();
    black_box(image::load_from_memory(png.get_ref()).unwrap());
}

fn cost_of(run: impl FnOnce()) -> RequestCost {
    assert_counting();
    let meter = Meter::start();
    run();
    meter.stop()
}

/// What does not depend on time.
fn counts(cost: RequestCost) -> [u64; 4] {
    [cost.instructions, cost.basic_blocks, cost.methods, cost.bytes_allocated]
        .map(|count| count.expect("the test counts, and so does its allocator"))
}

#[track_caller]
fn assert_counting() {
    assert_ne!(counting(), Counting::Off, "{}", off_reason().unwrap_or_default());
}

/// The counts of one request, after what happens once in a process.
fn steady(side: u32) -> [u64; 4] {
    prepare();
    work(side);
    counts(cost_of(|| work(side)))
}

#[test]
fn a_build_for_linux_on_x86_64_counts() {
    assert_counting();
    assert_ne!(build_id(), 0);
    assert_eq!(off_reason(), None);
}

#[test]
fn the_same_request_costs_the_same_from_run_to_run() {
    let first = steady(61);
    assert!(first.iter().all(|count| 0 < *count), "{first:?}");
    for _ in 0..5 {
        assert_eq!(counts(cost_of(|| work(61))), first);
    }
}

#[test]
fn a_larger_request_costs_more_in_proportion() {
    let (small, large) = (steady(60), steady(120));
    let ratio = large[0] as f64 / small[0] as f64;
    assert!((3.4..4.6).contains(&ratio), "{small:?} {large:?}");
}

#[test]
fn concurrent_requests_do_not_leak_into_each_others_counts() {
    const THREADS: u32 = 8;
    let alone: Vec<_> = (0..THREADS).map(|nth| steady(20 + 9 * nth)).collect();
    let together = Barrier::new(THREADS as usize);
    let beside: Vec<_> = thread::scope(|scope| {
        let requests: Vec<_> = (0..THREADS)
            .map(|nth| {
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    let repeats = || counts(cost_of(|| work(20 + 9 * nth)));
                    let costs: Vec<_> = (0..6).map(|_| repeats()).collect();
                    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
                    costs[0]
                })
            })
            .collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    assert_eq!(beside, alone);
}

#[test]
fn what_runs_between_requests_counts_for_none() {
    let before = steady(40);
    work(90);
    assert_eq!(steady(40), before);
}

#[test]
fn a_request_that_panics_leaves_no_count_behind() {
    let before = steady(40);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _meter = Meter::start();
        work(50);
        panic!("bang");
    }));
    assert!(outcome.is_err());
    assert_eq!(counts(cost_of(|| work(40))), before);
}

#[test]
fn what_is_told_is_added_to_the_meter_that_runs_and_to_no_other() {
    charge(1_000_000, 1_000);
    let before = steady(40);
    let told = cost_of(|| {
        charge(5_000, 70);
        charge(2_000, 30);
    });
    assert_eq!((told.instructions, told.basic_blocks), (Some(7_000), Some(100)));
    let dropped = Meter::start();
    charge(u64::MAX, u64::MAX);
    drop(dropped);
    assert_eq!(counts(cost_of(|| work(40))), before);
}

#[test]
fn a_meter_within_a_meter_counts_nothing_and_spoils_nothing() {
    let alone = steady(40);
    let mut inner = None;
    let outer = cost_of(|| inner = Some(cost_of(|| work(40))));
    assert_eq!(inner.unwrap().instructions, None);
    assert_eq!(counts(outer), alone);
}

#[test]
fn only_listed_crates_are_counted() {
    let names: BTreeSet<String> = counted_functions().into_iter().filter_map(name).collect();
    assert!(names.iter().any(|name| name.contains("image::")), "{names:#?}");
    assert!(names.iter().any(|name| name.contains("png::")), "{names:#?}");
    let uncounted = ["weighbridge_instrument::", "it::", "test::", "backtrace::", "toml::"];
    for name in &names {
        assert!(!uncounted.iter().any(|of| name.starts_with(of)), "{name} is counted");
    }
}

/// The demangled name of the function at `address`.
fn name(address: usize) -> Option<String> {
    let mut found = None;
    backtrace::resolve(address as *mut c_void, |symbol| {
        found = symbol.name().map(|name| name.to_string());
    });
    found
}
