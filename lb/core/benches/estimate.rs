//! What predicting one request takes: reading its features, and the estimate itself.
//!
//! `cargo bench -p weighbridge-core --bench estimate`

use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, criterion_group, criterion_main};
use smallvec::smallvec;

use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::learn::{Predictor, train};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::policy::{LearnPolicy, RoutePolicy};
use weighbridge_core::request::{RequestSpec, RouteId};
use weighbridge_core::units::{Speed, Work};

const RAYS: [&str; 4] = [
    "query.wcols * query.wrows",
    "query.wcols * query.wrows * scene.intersections",
    "query.wcols * query.wrows * scene.hits",
    "body.bytes",
];

fn features(names: &[&str]) -> FeatureSet {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    FeatureSet::parse(&names).expect("the benchmark's features are well-formed")
}

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

/// A JPEG's headers, with a camera's preview of 20 kB, and bytes to a length of a megabyte in text.
fn photo() -> Vec<u8> {
    let mut image = b"\xff\xd8\xff\xe1\x4e\x20".to_vec();
    image.resize(4 + 20_000, 0x55);
    image.extend(b"\xff\xc0\0\x11\x08\x0b\xb8\x0f\xa0\x03");
    image.resize(750_000, 0xaa);
    format!("data:image/jpg;base64,{}", STANDARD.encode(image)).into_bytes()
}

fn extraction(criterion: &mut Criterion) {
    let window = "scols=400&srows=300&wcols=400&wrows=300&coff=0&roff=0";
    let mut group = criterion.benchmark_group("extract");
    let requests = [
        ("scene of 3 shapes", features(&RAYS), scene(3, 0)),
        ("scene of 10 shapes", features(&RAYS), scene(10, 0)),
        ("scene of 10 shapes, texture of 1 MB", features(&RAYS), scene(10, 1 << 20)),
        ("scene of 200 shapes", features(&RAYS), scene(200, 0)),
        ("JPEG of 1 MB", features(&["body.image.pixels", "body.bytes"]), photo()),
    ];
    for (name, set, body) in requests {
        let spec = RequestSpec { query: window, headers: &[], body_bytes: None, body: &body };
        println!("{name}: {:?}", set.extract(&spec).0);
        group.bench_function(name, |bencher| bencher.iter(|| set.extract(black_box(&spec))));
    }
    group.finish();
}

/// A predictor that has learned a cost with products and logarithms in it.
fn trained() -> Predictor {
    let work = Work::saturating;
    let route = RoutePolicy {
        name: "raytracer".to_owned(),
        features: features(&RAYS),
        prior: work(0.1),
        work_min: work(1e-6),
        work_max: work(600.0),
        patience: Duration::ZERO,
        idempotent: true,
        function: None,
    };
    let learn =
        LearnPolicy { window: 500, observations_min: 50, retrain_after: 100, drift_error_max: 1.0 };
    let mut predictor = Predictor::new(&route, &learn);
    for index in 0..500_u32 {
        let spread = |step: f64| (f64::from(index) * step).fract();
        let x = [0.618_034, 0.754_878, 0.569_84, 0.414_214].map(|step| 1.0 + 99.0 * spread(step));
        let work = work(1e-3 * (x[0] * x[1] + 50.0 * x[2].ln_1p() + x[3] * x[3]));
        predictor.observe(&Observation {
            route: RouteId(0),
            features: Features(x.into_iter().collect()),
            estimated: None,
            cost: RequestCost::default(),
            work,
            speed: Speed::ONE,
            build: 0,
        });
    }
    let model = train(&predictor.training_set(), 1).expect("500 observations are enough");
    println!("estimator: {}, mdape {:.4}", model.estimator(), model.held_back_mdape());
    predictor.install(model);
    predictor
}

fn estimate(criterion: &mut Criterion) {
    let mut predictor = trained();
    let features = Features(smallvec![5.0, 60.0, 7.0, 80.0]);
    criterion.bench_function("estimate", |bencher| {
        bencher.iter(|| predictor.estimate(black_box(&features), None));
    });
    let set = predictor.training_set();
    let observation = set.observations[7].clone();
    criterion.bench_function("observe", |bencher| {
        bencher.iter(|| predictor.observe(black_box(&observation)));
    });
    let mut group = criterion.benchmark_group("train");
    group.sample_size(10);
    group.bench_function("500 observations", |bencher| bencher.iter(|| train(&set, 1)));
    group.finish();
}

criterion_group!(benches, extraction, estimate);
criterion_main!(benches);
