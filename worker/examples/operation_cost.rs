//! Runs one operation again and again and prints what it cost; `instrument/overhead.sh` and
//! `instrument/callgrind.sh` compare what differently built copies of it print.
//!
//! ```text
//! operation_cost blur|enhance|raytrace [REPEATS]
//! blur counting=Lite cpu_seconds=0.012345 instructions=1234 basic_blocks=123 methods=12 bytes_allocated=1
//! ```
//!
//! CPU time is that of the fastest repeat; counts are those of the last.

#[path = "shared/picture.rs"]
mod picture;
#[path = "shared/scene.rs"]
mod scene;

use std::alloc::System;
use std::fmt::Write;
use std::hint::black_box;
use std::process::ExitCode;

use weighbridge_instrument::{CountingAllocator, Meter, RequestCost, counting, prepare};
use weighbridge_worker::operations::{
    ALL, EventForm, Limits, Operation, OperationRequest, Reply, run,
};

use picture::picture;
use scene::scene;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);

/// Spheres of the scene.
const SPHERES: usize = 12;

/// A request of a size as they come: it takes some milliseconds.
struct Case {
    operation: &'static dyn Operation,
    query: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let repeats = arguments.next().map_or(Ok(1), |repeats| repeats.parse::<u32>());
    let mut operations = ALL.iter().copied().filter(|one| one.event() != EventForm::None);
    let operation = operations.find(|operation| operation.name() == name);
    let (Some(operation), Ok(repeats)) = (operation, repeats) else {
        eprintln!("usage: operation_cost blur|enhance|raytrace [REPEATS]");
        return ExitCode::FAILURE;
    };
    let case = Case::of(operation);
    prepare();
    let costs = (0..repeats.max(1)).map(|_| {
        let meter = Meter::start();
        black_box(request(black_box(&case)));
        meter.stop()
    });
    let Some(cost) = costs.reduce(|best, cost| RequestCost {
        cpu_seconds: best.cpu_seconds.zip(cost.cpu_seconds).map(|(a, b)| a.min(b)),
        ..cost
    }) else {
        return ExitCode::FAILURE;
    };
    println!("{name} counting={:?}{}", counting(), values(&cost));
    ExitCode::SUCCESS
}

/// What is measured. Never inlined: callgrind knows it by its name.
#[inline(never)]
fn request(case: &Case) -> Reply {
    let request = OperationRequest {
        query: case.query,
        content_type: Some(case.content_type),
        accept: None,
        body: &case.body,
    };
    run(case.operation, &request, &Limits::default()).expect("the request is a good one")
}

fn values(cost: &RequestCost) -> String {
    cost.to_entries().iter().fold(String::new(), |mut line, (name, value)| {
        // Writing to a string cannot fail.
        let _ = write!(line, " {name}={value}");
        line
    })
}

// === impl Case ===

impl Case {
    fn of(operation: &'static dyn Operation) -> Case {
        let (query, content_type, body) = match operation.event() {
            EventForm::Image => ("", "image/png", picture(400, 300)),
            EventForm::Scene => (
                "scols=240&srows=180&wcols=240&wrows=180&coff=0&roff=0",
                "application/json",
                scene(SPHERES),
            ),
            EventForm::None => unreachable!("only those with an event are asked for"),
        };
        Case { operation, query, content_type, body }
    }
}
