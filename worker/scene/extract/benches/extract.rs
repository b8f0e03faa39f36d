//! What reading the features of a scene takes.
//!
//! `cargo bench -p weighbridge-scene-extract --bench extract`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use weighbridge_core::features::FeatureSet;
use weighbridge_core::request::RequestSpec;
use weighbridge_scene_extract::extractors;

// Counted code, as is in the scene's language, calls back into it.
use weighbridge_instrument as _;

const RAYS: [&str; 4] = [
    "query.wcols * query.wrows",
    "query.wcols * query.wrows * scene.intersections",
    "query.wcols * query.wrows * scene.hits",
    "body.bytes",
];

/// Balls over a floor under two lamps, one of three a mirror, in front of a texture.
fn scene(n_shapes: usize, texture_bytes: usize) -> Vec<u8> {
    let mut text = "0 3 10  0 0 -15  0 1 0  45\n3\n0 0 0 .2 .2 .2 1 0 0\n".to_owned();
    text += "10 100 10 1 1 1 1 0 0\n100 100 100 1 1 1 1 0 0\n1 solid 1 0 0\n";
    text += "2\n.4 .6 0 1 0 0 0\n.4 .6 .7 500 .5 0 0\n";
    let balls = (1..n_shapes).map(|index| {
        let [x, y] = [index * 5 % 13, index * 7 % 5];
        format!("0 {} sphere {x} {y} -{} 1.5\n", usize::from(index % 3 == 0), 8 + index * 3 % 11)
    });
    let balls = balls.collect::<String>();
    text = format!("{text}{n_shapes}\n0 0 plane 0 1 0 4\n{balls}");
    let texture: Vec<usize> = (0..texture_bytes).map(|index| index * 31 % 256).collect();
    let body = serde_json::json!({ "scene": text, "texmap": texture });
    serde_json::to_vec(&body).expect("a value is JSON")
}

fn extraction(criterion: &mut Criterion) {
    let query = "scols=400&srows=300&wcols=400&wrows=300&coff=0&roff=0";
    let set = FeatureSet::parse(&RAYS.map(str::to_owned), &extractors())
        .expect("the benchmark's features are well-formed");
    let mut group = criterion.benchmark_group("extract");
    for (name, body) in [
        ("scene of 3 shapes", scene(3, 0)),
        ("scene of 10 shapes", scene(10, 0)),
        ("scene of 10 shapes, texture of 1 MB", scene(10, 1 << 20)),
        ("scene of 200 shapes", scene(200, 0)),
    ] {
        let spec = RequestSpec { query, headers: &[], body_bytes: None, body: &body };
        println!("{name}: {:?}", set.extract(&spec).0);
        group.bench_function(name, |bencher| bencher.iter(|| set.extract(black_box(&spec))));
    }
    group.finish();
}

criterion_group!(benches, extraction);
criterion_main!(benches);
