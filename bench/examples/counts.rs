//! Which counts tell the CPU time of a request: instructions, which need the disassembler and the
//! flow solver of `instrument`, or the blocks alone.
//!
//! ```text
//! cargo run --release --workspace --example counts [REQUESTS]
//! ```
//!
//! Runs requests of random sizes of the three operations, learns prices from one half with the
//! balancer's own [`Pricing`], and prints how far off the other half's CPU time is: the median and
//! the 90th percentile of `|CPU time / price - 1|`. CPU time is the least of three runs.

#[path = "../../worker/examples/shared/scene.rs"]
mod scene;

use std::alloc::System;
use std::io::Cursor;
use std::process::ExitCode;

use image::{ImageFormat, Rgb, RgbImage};
use weighbridge_core::cost::Pricing;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};
use weighbridge_instrument::{CountingAllocator, Meter, prepare};
use weighbridge_worker::operations::{ALL, EventForm, Limits, Operation, OperationRequest, run};

use scene::scene;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);

const RUNS: usize = 3;
const SEED: u64 = 1;

/// A way to choose from the counts, and its name.
type Choice = (&'static str, fn(RequestCost) -> RequestCost);

const CHOICES: [Choice; 4] = [
    ("all counts", |cost| cost),
    ("all but instructions", |cost| RequestCost { instructions: None, ..cost }),
    ("instructions alone", |cost| RequestCost {
        basic_blocks: None,
        methods: None,
        bytes_allocated: None,
        ..cost
    }),
    ("blocks alone", |cost| RequestCost {
        instructions: None,
        methods: None,
        bytes_allocated: None,
        ..cost
    }),
];

fn main() -> ExitCode {
    let requests = std::env::args().nth(1).map_or(Ok(300), |requests| requests.parse::<usize>());
    let Ok(requests) = requests else {
        eprintln!("usage: counts [REQUESTS]");
        return ExitCode::FAILURE;
    };
    prepare();
    let operations: Vec<_> = ALL.iter().filter(|one| one.event() != EventForm::None).collect();
    let mut random = fastrand::Rng::with_seed(SEED);
    let measured: Vec<(&str, RequestCost)> = (0..requests)
        .map(|nth| {
            let operation = *operations[nth % operations.len()];
            (operation.name(), measure(operation, &mut random))
        })
        .collect();
    let (learned, asked) = measured.split_at(requests / 2);
    let names: Vec<&str> = operations.iter().map(|operation| operation.name()).collect();
    println!("| priced by | {} | all |", names.join(" | "));
    println!("|---|{}---|", "---|".repeat(names.len()));
    for (name, choose) in CHOICES {
        let costs: Vec<_> = learned.iter().map(|(_, cost)| (choose(*cost), Speed::ONE)).collect();
        let Some(pricing) = Pricing::fit(1, &costs) else {
            println!("| {name} | no prices |");
            continue;
        };
        let miss = |cost: &RequestCost| {
            let price = pricing.work(&choose(*cost)).map_or(f64::NAN, Work::as_cpu_secs);
            (cost.cpu_seconds.unwrap_or(f64::NAN) / price - 1.0).abs()
        };
        let of = |wanted: &str| {
            let costs = asked.iter().filter(|(name, _)| wanted.is_empty() || *name == wanted);
            summary(costs.map(|(_, cost)| miss(cost)).collect())
        };
        let each: Vec<String> = names.iter().map(|name| of(name)).collect();
        println!("| {name} | {} | {} |", each.join(" | "), of(""));
    }
    ExitCode::SUCCESS
}

/// The median and the 90th percentile, in per cent.
fn summary(mut misses: Vec<f64>) -> String {
    misses.sort_by(f64::total_cmp);
    let at = |part: f64| misses.get((part * misses.len() as f64) as usize).unwrap_or(&f64::NAN);
    format!("{:.1} %, {:.1} %", 100.0 * at(0.5), 100.0 * at(0.9))
}

fn measure(operation: &'static dyn Operation, random: &mut fastrand::Rng) -> RequestCost {
    let (query, content_type, body) = match operation.event() {
        EventForm::Image => (String::new(), "image/png", picture(random)),
        EventForm::Scene => {
            let (columns, rows) = (random.u32(40..400), random.u32(30..300));
            let query =
                format!("scols={columns}&srows={rows}&wcols={columns}&wrows={rows}&coff=0&roff=0");
            (query, "application/json", scene(random.usize(1..30)))
        }
        EventForm::None => unreachable!("only those with an event are measured"),
    };
    let (query, content_type) = (query.as_str(), Some(content_type));
    let request = OperationRequest { query, content_type, accept: None, body: &body };
    let runs = (0..RUNS).map(|_| {
        let meter = Meter::start();
        let reply = run(operation, &request, &Limits::default());
        let cost = meter.stop();
        assert!(reply.is_ok(), "the request is a good one");
        RequestCost {
            instructions: cost.instructions.map(|count| count as f64),
            basic_blocks: cost.basic_blocks.map(|count| count as f64),
            methods: cost.methods.map(|count| count as f64),
            cpu_seconds: cost.cpu_seconds,
            bytes_allocated: cost.bytes_allocated.map(|count| count as f64),
        }
    });
    let secs = |cost: &RequestCost| cost.cpu_seconds.unwrap_or(f64::MAX);
    runs.min_by(|one, other| secs(one).total_cmp(&secs(other))).expect("there were runs")
}

/// A picture of random size and grain, as PNG.
fn picture(random: &mut fastrand::Rng) -> Vec<u8> {
    let (width, height) = (random.u32(60..900), random.u32(60..900));
    let (grain, cell) = (random.u32(0..64), random.u32(8..80));
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let edge = if (x / cell + y / cell) % 2 == 0 { 90 } else { 0 };
        let noise = random.u32(0..=grain);
        Rgb([(x / 3 + edge + noise) as u8, (y / 2 + edge) as u8, ((x + y) / 6 + noise) as u8])
    });
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).expect("pixels are a PNG");
    png.into_inner()
}
