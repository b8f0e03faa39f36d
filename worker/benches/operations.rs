//! How fast the operations are, and how much faster than their definitions.

use std::fmt::Write;
use std::hint::black_box;
use std::io::Cursor;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::{ExtendedColorType, ImageFormat};
use serde_json::json;
use weighbridge_worker::operations::{
    Blur, Enhance, Limits, Operation, OperationRequest, RayTrace, blur, enhance, run,
};

#[path = "../tests/it/data.rs"]
mod data;
#[path = "../tests/it/reference/blur.rs"]
mod blur_by_definition;
#[path = "../tests/it/reference/enhance.rs"]
mod enhance_by_definition;

use data::SceneShape;

/// Pixels of the images: a quarter of a megapixel.
const WIDTH: usize = 512;
const HEIGHT: usize = 512;

fn images(c: &mut Criterion) {
    let mut group = c.benchmark_group("images");
    group.throughput(Throughput::Elements((WIDTH * HEIGHT) as u64));
    for (name, image) in
        [("photo", data::photo(1, WIDTH, HEIGHT, 3)), ("noise", data::noise(1, WIDTH, HEIGHT, 3))]
    {
        group.bench_function(format!("blur/{name}"), |b| b.iter(|| blur::blur(black_box(&image))));
        group.bench_function(format!("enhance/{name}"), |b| {
            b.iter(|| enhance::enhance(black_box(&image)));
        });
    }
    group.finish();
}

/// The definitions are too slow for many repetitions: each runs twice.
fn ratios(_: &mut Criterion) {
    let image = data::photo(1, WIDTH, HEIGHT, 3);
    let megapixels = (WIDTH * HEIGHT) as f64 / 1e6;
    let line = |name: &str, slow: Duration, fast: Duration| {
        let (slow, fast) = (slow.as_secs_f64() * 1e3, fast.as_secs_f64() * 1e3);
        println!(
            "{name}: {:.2} ms/megapixel, its definition {:.1}, {:.1} times faster",
            fast / megapixels,
            slow / megapixels,
            slow / fast
        );
    };
    let slow = quickest(2, || drop(black_box(blur_by_definition::blur(&image))));
    let fast = quickest(20, || drop(black_box(blur::blur(&image))));
    line("blur", slow, fast);
    let slow = quickest(2, || drop(black_box(enhance_by_definition::enhance(&image))));
    let fast = quickest(20, || drop(black_box(enhance::enhance(&image))));
    line("enhance", slow, fast);
}

fn quickest(times: usize, mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..times {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}

fn scenes(c: &mut Criterion) {
    const QUERY: &str = "scols=200&srows=150&wcols=200&wrows=150&coff=0&roff=0";

    let mut group = c.benchmark_group("scenes");
    let mut bench = |name: &str, scene: String, per_ray: usize| {
        // No light but the ambient one and no mirror: every pixel is one ray.
        group.throughput(Throughput::Elements((200 * 150 * per_ray) as u64));
        let body = json!({ "scene": scene }).to_string();
        let request = request(QUERY, body.as_bytes());
        group.bench_function(name, |b| {
            b.iter(|| run(&RayTrace, black_box(&request), &Limits::default()));
        });
    };
    for shapes in [10, 100] {
        let shape = SceneShape { shapes, lights: 1, mirrors: false, texture: false };
        bench(&format!("mixed/{shapes}"), data::scene(1, shape), shapes);
        bench(&format!("spheres/{shapes}"), of_one_kind("sphere 9 1 -20 .5", shapes), shapes);
        let triangle = "triangle 9 1 -20 10 1 -20 9 2 -20";
        bench(&format!("triangles/{shapes}"), of_one_kind(triangle, shapes), shapes);
    }
    let shape = SceneShape { shapes: 20, lights: 3, mirrors: true, texture: false };
    bench("mirrors/20", data::scene(1, shape), 1);
    group.finish();
}

/// A scene whose rays all miss: what is measured is the intersection.
fn of_one_kind(shape: &str, shapes: usize) -> String {
    let mut scene = String::from("0 0 0 0 0 -1 0 1 0 30\n0\n1\nsolid 1 1 1\n1\n0 1 0 1 0 0 0\n");
    // Writing to a string does not fail.
    let _ = writeln!(scene, "{shapes}");
    scene.extend((0..shapes).map(|_| format!("0 0 {shape}\n")));
    scene
}

/// Whole requests, with the codecs.
fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("requests");
    group.throughput(Throughput::Elements((WIDTH * HEIGHT) as u64));
    let image = data::photo(1, WIDTH, HEIGHT, 3);
    for (name, format) in [("png", ImageFormat::Png), ("jpeg", ImageFormat::Jpeg)] {
        let mut file = Cursor::new(Vec::new());
        let (width, height) = (WIDTH as u32, HEIGHT as u32);
        let color = ExtendedColorType::Rgb8;
        image::write_buffer_with_format(&mut file, &image.samples, width, height, color, format)
            .expect("a generated image can be encoded");
        let request =
            OperationRequest { content_type: Some("image/any"), ..request("", file.get_ref()) };
        for operation in [&Blur as &dyn Operation, &Enhance] {
            group.bench_function(format!("{}/{name}", operation.name()), |b| {
                b.iter(|| run(operation, black_box(&request), &Limits::default()));
            });
        }
    }
    group.finish();
}

fn request<'a>(query: &'a str, body: &'a [u8]) -> OperationRequest<'a> {
    OperationRequest { query, content_type: None, accept: None, body }
}

criterion_group!(benches, images, scenes, requests, ratios);
criterion_main!(benches);
