//! What an operation costs in counts: all of its work, and nothing of its neighbours'.

use std::ffi::c_void;
use std::fmt::Write;
use std::io::Cursor;
use std::sync::Barrier;
use std::thread;

use image::{ImageFormat, Rgb, RgbImage};
use weighbridge_instrument::{
    Counting, Meter, charge, counted_functions, counting, off_reason, prepare,
};
use weighbridge_worker::operations::{
    ALL, Blur, Enhance, EventForm, Limits, Operation, OperationRequest, run,
};

#[test]
fn the_worker_counts() {
    assert_counting();
}

#[test]
fn every_operation_costs_the_same_from_run_to_run() {
    for &operation in ALL {
        let first = steady(operation, 40);
        assert!(first.iter().all(|count| 0 < *count), "{operation:?}: {first:?}");
        for _ in 0..4 {
            assert_eq!(counts(operation, 40), first, "{operation:?}");
        }
    }
}

#[test]
fn an_image_costs_its_pixels_not_just_a_call() {
    // Had the image library not been counted, this would be a handful of blocks.
    for operation in [&Blur as &dyn Operation, &Enhance] {
        let [instructions, basic_blocks, methods, bytes] = steady(operation, 64);
        let pixels = 64 * 64;
        assert!(10 * pixels < instructions, "{operation:?}: {instructions} instructions");
        assert!(pixels / 8 < basic_blocks, "{operation:?}: {basic_blocks} blocks");
        assert!(20 < methods, "{operation:?}: {methods} methods");
        assert!(3 * pixels < bytes, "{operation:?}: {bytes} bytes");
    }
}

#[test]
fn four_times_the_pixels_cost_about_four_times_as_much() {
    for &operation in ALL {
        let (small, large) = (steady(operation, 80), steady(operation, 160));
        let ratio = large[0] as f64 / small[0] as f64;
        assert!((3.0..5.0).contains(&ratio), "{operation:?}: {small:?} {large:?}");
    }
}

/// The library that the image library has for it may be one in C, which nobody counts, where a
/// proxy is built beside the worker; what ships is built so, and a test run of the whole workspace.
#[test]
fn what_compresses_a_png_is_counted() {
    const SIDE: u32 = 64;
    let samples = u64::from(3 * SIDE * SIDE);
    for (sent, answered) in
        [(ImageFormat::Png, ImageFormat::Bmp), (ImageFormat::Bmp, ImageFormat::Png)]
    {
        let [flat, noisy] = [0, 0x07].map(|noise| {
            let body = encoded(&noisy(SIDE, noise), sent);
            let request = OperationRequest {
                query: "",
                content_type: Some(sent.to_mime_type()),
                accept: Some(answered.to_mime_type()),
                body: &body,
            };
            counts_of(&Blur, &request);
            counts_of(&Blur, &request)[0]
        });
        // Everything but compression does the same whatever the pixels are.
        assert!(flat + samples < noisy, "{sent:?} to {answered:?}: {flat} {noisy}");
    }
}

/// By what an operation says of libraries whose code is not counted.
#[test]
fn what_is_charged_is_counted() {
    assert_counting();
    let metered = |instructions| {
        charge(3, 0);
        let meter = Meter::start();
        charge(instructions, 0);
        meter.stop().instructions.expect("it counts")
    };
    metered(0);
    let nothing = metered(0);
    assert_eq!(metered(1_000_000), nothing + 1_000_000);
    assert_eq!(metered(0), nothing, "and not for the next one");
}

#[test]
fn concurrent_operations_do_not_leak_into_each_others_counts() {
    let cases: Vec<(&dyn Operation, u32)> =
        (0..9).map(|nth| (ALL[nth % 3], 24 + 8 * nth as u32)).collect();
    let alone: Vec<_> = cases.iter().map(|(operation, side)| steady(*operation, *side)).collect();
    let together = Barrier::new(cases.len());
    thread::scope(|scope| {
        for ((operation, side), alone) in cases.iter().zip(&alone) {
            let together = &together;
            scope.spawn(move || {
                together.wait();
                for _ in 0..5 {
                    assert_eq!(counts(*operation, *side), *alone, "{operation:?} {side}");
                }
            });
        }
    });
}

#[test]
fn operations_and_the_image_library_are_counted_and_no_one_elses_code() {
    let names: Vec<String> = counted_functions().into_iter().filter_map(name).collect();
    for counted in [
        "weighbridge_worker::operations::",
        "weighbridge_scene::",
        "image::",
        "png::",
        "zune_jpeg::",
    ] {
        assert!(names.iter().any(|name| name.contains(counted)), "{counted} is not counted");
    }
    for name in &names {
        let elsewhere =
            ["pingora", "weighbridge_proxy", "weighbridge_core", "weighbridge_instrument"];
        assert!(!elsewhere.iter().any(|of| name.starts_with(of)), "{name} is counted");
    }
}

/// The counts of one request, after what happens once in a process.
fn steady(operation: &dyn Operation, side: u32) -> [u64; 4] {
    prepare();
    counts(operation, side);
    counts(operation, side)
}

/// What one request costs, as far as it does not depend on time.
fn counts(operation: &dyn Operation, side: u32) -> [u64; 4] {
    let (query, content_type, body) = match operation.event() {
        EventForm::Image => (String::new(), "image/png", picture(side)),
        EventForm::Scene => (view(side), "application/json", scene()),
        EventForm::None => form(side),
    };
    let request = OperationRequest {
        query: &query,
        content_type: Some(content_type),
        accept: None,
        body: &body,
    };
    counts_of(operation, &request)
}

/// A request for a film.
#[cfg(feature = "video")]
fn form(side: u32) -> (String, &'static str, Vec<u8>) {
    (String::new(), crate::film::FORM, crate::film::small(side).body())
}

#[cfg(not(feature = "video"))]
fn form(_: u32) -> (String, &'static str, Vec<u8>) {
    unreachable!("no other operation has no event")
}

fn counts_of(operation: &dyn Operation, request: &OperationRequest<'_>) -> [u64; 4] {
    assert_counting();
    let meter = Meter::start();
    let reply = run(operation, request, &Limits::default());
    let cost = meter.stop();
    assert!(reply.is_ok(), "{operation:?}: {reply:?}");
    [cost.instructions, cost.basic_blocks, cost.methods, cost.bytes_allocated]
        .map(|count| count.expect("the worker counts, and so does its allocator"))
}

#[track_caller]
fn assert_counting() {
    assert_ne!(counting(), Counting::Off, "{}", off_reason().unwrap_or_default());
}

fn picture(side: u32) -> Vec<u8> {
    let picture = RgbImage::from_fn(side, side, |x, y| {
        Rgb([(3 * x + y) as u8, (x ^ y) as u8, (x * y / 7) as u8])
    });
    encoded(&picture, ImageFormat::Png)
}

/// A picture whose samples have the bits of `noise` at random.
fn noisy(side: u32, noise: u8) -> RgbImage {
    let mut random = 1_u32;
    let mut sample = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 24) as u8 & noise
    };
    RgbImage::from_fn(side, side, |_, _| Rgb([sample(), sample(), sample()]))
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn view(side: u32) -> String {
    format!("scols={side}&srows={side}&wcols={side}&wrows={side}&coff=0&roff=0")
}

fn scene() -> Vec<u8> {
    let mut scene = "0 0 0 0 0 -1 0 1 0 60 \
        2 0 0 0 1 1 1 1 0 0 10 50 10 1 1 1 1 0 0 \
        1 solid 1 .5 0 \
        1 .4 .6 .3 50 .3 0 0 \
        6"
    .to_owned();
    for nth in 0..6 {
        write!(scene, " 0 0 sphere {} {} -15 1.5", nth * 3 - 8, nth % 3 - 1).unwrap();
    }
    format!("{{\"scene\":\"{scene}\"}}").into_bytes()
}

/// The demangled name of the function at `address`.
fn name(address: usize) -> Option<String> {
    let mut found = None;
    backtrace::resolve(address as *mut c_void, |symbol| {
        found = symbol.name().map(|name| name.to_string());
    });
    found
}
