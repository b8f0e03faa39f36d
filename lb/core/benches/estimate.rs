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

/// A predictor that has learned nothing.
fn predictor(features: FeatureSet) -> Predictor {
    let work = Work::saturating;
    let route = RoutePolicy {
        name: "render".to_owned(),
        features,
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
    Predictor::new(&route, &learn)
}

/// A predictor that has learned a cost with products and logarithms in it.
fn trained() -> Predictor {
    let mut predictor = predictor(features(&["query.a", "query.b", "query.c", "body.bytes"]));
    for index in 0..500_u32 {
        let spread = |step: f64| (f64::from(index) * step).fract();
        let x = [0.618_034, 0.754_878, 0.569_84, 0.414_214].map(|step| 1.0 + 99.0 * spread(step));
        let work = Work::saturating(1e-3 * (x[0] * x[1] + 50.0 * x[2].ln_1p() + x[3] * x[3]));
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

/// What a client sends with a request, as browsers and libraries do.
const HEADERS: [(&str, &str); 14] = [
    (":method", "POST"),
    (":path", "/thumbs/v2/640"),
    ("host", "images.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("accept", "image/avif,image/webp,image/png,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("content-type", "application/octet-stream"),
    ("cookie", "session=0123456789abcdef; theme=dark"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("x-scale", "2.0"),
    ("x-mode", "fast"),
    ("x-tenant", "acme-industries"),
    ("x-request-id", "7f2c9d1e-8a3b-4c5d-9e6f-0a1b2c3d4e5f"),
];

/// A predictor that has found what `queries` show, and has learned what that costs.
fn found(body: &[u8]) -> Predictor {
    let mut predictor = predictor(FeatureSet::auto());
    for index in 0..500_u32 {
        let spread = |step: f64| (f64::from(index) * step).fract();
        let (width, height) = (1.0 + 2000.0 * spread(0.618_034), 1.0 + 2000.0 * spread(0.754_878));
        let format = ["jpeg", "png", "webp"][index as usize % 3];
        let query = query(width.round(), height.round(), format);
        let read = FeatureSet::auto().read(predictor.schema(), &spec(&query, body));
        predictor.discover(&read.unknown);
        let factor = 1.0 + f64::from(index % 3);
        let work = Work::saturating(1e-3 + 1e-8 * width * height * factor);
        predictor.observe(&Observation {
            route: RouteId(0),
            features: read.features,
            estimated: None,
            cost: RequestCost::default(),
            work,
            speed: Speed::ONE,
            build: 0,
        });
    }
    let model = train(&predictor.training_set(), 1).expect("500 observations are enough");
    println!("{} facts; {}: {}", predictor.names().len(), model.estimator(), model.in_words());
    assert!(predictor.install(model));
    predictor
}

fn query(width: f64, height: f64, format: &str) -> String {
    format!(
        "width={width}&height={height}&format={format}&quality=85&q=a+text+to+search+for&page=3&\
         sort=price&dark=true"
    )
}

fn spec<'a>(query: &'a str, body: &'a [u8]) -> RequestSpec<'a> {
    RequestSpec { query, headers: &HEADERS, body_bytes: Some(body.len() as u64), body }
}

fn auto(criterion: &mut Criterion) {
    let rows: Vec<String> = (0..150)
        .map(|n| format!(r#"{{"what": "part number {n}", "n": {n}, "usd": {}}}"#, n * 7))
        .collect();
    let json = format!(r#"{{"title": "invoice", "rows": [{}]}}"#, rows.join(",")).into_bytes();
    let query = query(640.0, 480.0, "webp");
    for (name, body) in [("head alone", &b"neither"[..]), ("JSON of 7 kB", &json)] {
        let predictor = found(body);
        let (set, spec) = (FeatureSet::auto(), spec(&query, body));
        criterion.bench_function(&format!("auto/read, {name}"), |bencher| {
            bencher.iter(|| set.read(predictor.schema(), black_box(&spec)));
        });
        let features = set.read(predictor.schema(), &spec).features;
        criterion.bench_function(&format!("auto/estimate, {name}"), |bencher| {
            bencher.iter(|| predictor.estimate(black_box(&features), None));
        });
    }
    let set = found(b"").training_set();
    let mut group = criterion.benchmark_group("auto/train");
    group.sample_size(10);
    group.bench_function("500 observations", |bencher| bencher.iter(|| train(&set, 1)));
    group.finish();
}

criterion_group!(benches, extraction, estimate, auto);
criterion_main!(benches);
