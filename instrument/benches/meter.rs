//! What it costs to measure a request that does nothing, and to write and read a load report.

use std::alloc::System;
use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, criterion_group, criterion_main};
use weighbridge_instrument::{CountingAllocator, LoadReport, Meter, counting};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator(System);

fn meters(criterion: &mut Criterion) {
    // Links counted code, as the worker does.
    let image = image::GrayImage::new(8, 8);
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).expect("a gray image is a PNG");
    black_box(image::load_from_memory(png.get_ref())).expect("what was encoded is decoded");
    println!("counting: {:?}", counting());

    criterion.bench_function("meter of an empty request", |bench| {
        bench.iter(|| black_box(Meter::start().stop()));
    });
    criterion.bench_function("allocation of 64 bytes", |bench| {
        bench.iter(|| black_box(vec![0_u8; 64]));
    });
}

fn reports(criterion: &mut Criterion) {
    let report = LoadReport {
        cpu_utilization: 0.5,
        request_cost: Meter::start().stop().to_entries(),
        named_metrics: [("in_flight".to_owned(), 4.0), ("work_left".to_owned(), 1.5)].into(),
        ..LoadReport::default()
    };
    let json = report.encode_json();
    criterion.bench_function("report to JSON", |bench| {
        bench.iter(|| black_box(report.encode_json()));
    });
    criterion.bench_function("report from JSON", |bench| {
        bench.iter(|| black_box(LoadReport::decode_header(&json)));
    });
}

criterion_group!(benches, meters, reports);
criterion_main!(benches);
