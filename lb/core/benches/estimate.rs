//! What predicting one request takes: reading its features, and the estimate itself.
//!
//! `cargo bench -p weighbridge-core --bench estimate`

use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, criterion_group, criterion_main};
use smallvec::smallvec;

use weighbridge_core::features::{FeatureSet, Features, extractors};
use weighbridge_core::learn::{Predictor, train};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::policy::{LearnPolicy, RoutePolicy};
use weighbridge_core::request::{RequestSpec, RouteId};
use weighbridge_core::units::{Speed, Work};

fn features(names: &[&str]) -> FeatureSet {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    FeatureSet::parse(&names, extractors::ALL).expect("the benchmark's features are well-formed")
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
    let (set, body) = (features(&["body.image.pixels", "body.bytes"]), photo());
    let spec = RequestSpec { query: "", headers: &[], body_bytes: None, body: &body };
    println!("JPEG of 1 MB: {:?}", set.extract(&spec).0);
    criterion.bench_function("extract/JPEG of 1 MB", |bencher| {
        bencher.iter(|| set.extract(black_box(&spec)));
    });
}

/// A predictor that has learned a cost with products and logarithms in it.
fn trained() -> Predictor {
    let work = Work::saturating;
    let route = RoutePolicy {
        name: "render".to_owned(),
        features: features(&["query.a", "query.b", "query.c", "body.bytes"]),
        prior: work(0.1),
        work_min: work(1e-6),
        work_max: work(600.0),
        patience: Duration::ZERO,
        idempotent: Some(true),
        tries_max: None,
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
