//! After 200 requests of random sizes the next 100 are predicted within a few percent.

use std::time::Duration;

use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::learn::{Predictor, train};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::policy::{LearnPolicy, RoutePolicy};
use weighbridge_core::request::{RequestSpec, RouteId};
use weighbridge_core::units::{Speed, Work};

use crate::truth::{Random, Render};

/// A request's features and its true work in CPU-seconds.
type Request = (Features, f64);

fn features(names: &[&str]) -> FeatureSet {
    FeatureSet::parse(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
}

fn predictor(features: FeatureSet) -> Predictor {
    let work = |secs| Work::from_cpu_secs(secs).unwrap();
    let route = RoutePolicy {
        name: "route".to_owned(),
        features,
        prior: work(0.1),
        work_min: work(1e-4),
        work_max: work(600.0),
        patience: Duration::from_secs(1),
        idempotent: true,
        function: None,
    };
    let learn =
        LearnPolicy { window: 1000, observations_min: 40, retrain_after: 80, drift_error_max: 1.0 };
    Predictor::new(&route, &learn)
}

/// The counts of so much work, and its CPU time as a busy machine measures it.
fn cost(random: &mut Random, cpu_secs: f64, speed: Speed) -> RequestCost {
    RequestCost {
        instructions: Some((cpu_secs * 4e9).round()),
        basic_blocks: Some((cpu_secs * 6e8 * random.noise(0.01)).round()),
        methods: Some((cpu_secs * 1e7 * random.noise(0.03)).round()),
        cpu_seconds: Some(cpu_secs / speed.as_reference_cores() * random.noise(0.15)),
        bytes_allocated: Some((cpu_secs * 1e6).round()),
    }
}

/// Runs 200 requests and then 100 more through a predictor that retrains whenever it wants.
fn check(names: &[&str], seed: u64, mut request: impl FnMut(&mut Random, &FeatureSet) -> Request) {
    let set = features(names);
    let mut predictor = predictor(set.clone());
    let mut random = Random(seed);
    for index in 0..300 {
        let (features, cpu_secs) = request(&mut random, &set);
        let speed = Speed::from_reference_cores(random.between(0.5, 2.0)).unwrap();
        let cost = cost(&mut random, cpu_secs, speed);
        let work = predictor.price(&cost, speed).unwrap();
        let estimate = predictor.estimate(&features, None);
        let estimated = Some((estimate.mean, estimate.p90));
        let route = RouteId(0);
        predictor.observe(&Observation { route, features, estimated, cost, work, speed, build: 7 });
        if index < 200 && predictor.wants_training() {
            let model = train(&predictor.training_set(), seed).unwrap();
            assert!(predictor.install(model));
        }
    }
    let quality = predictor.quality();
    println!("{quality:?}");
    assert!(quality.mdape.unwrap() < 0.05, "{quality:?}");
    assert!((0.75..=1.0).contains(&quality.p90_coverage.unwrap()), "{quality:?}");
    assert!(quality.trusted, "{quality:?}");
}

/// An image request whose cost is linear in its pixels, give or take two percent.
fn image(random: &mut Random, set: &FeatureSet, per_pixel: f64) -> Request {
    let [width, height] = [(); 2].map(|()| random.whole(30, 2000) as u16);
    let mut body = b"\xff\xd8\xff\xc0\0\x11\x08".to_vec();
    body.extend(height.to_be_bytes());
    body.extend(width.to_be_bytes());
    body.extend([3, 0, 0, 0, 0, 0, 0, 0, 0]);
    let pixels = f64::from(width) * f64::from(height);
    let body_bytes = Some((pixels * random.between(0.05, 0.6)) as u64);
    let spec = RequestSpec { query: "", headers: &[], body_bytes, body: &body };
    let cpu_secs = (0.0004 + pixels * per_pixel) * random.noise(0.02);
    (set.extract(&spec), cpu_secs)
}

const IMAGE: [&str; 2] = ["body.image.pixels", "body.bytes"];

#[test]
fn blur_like_requests_are_predicted_within_five_percent() {
    check(&IMAGE, 1, |random, set| image(random, set, 1.1e-7));
}

#[test]
fn enhance_like_requests_are_predicted_within_five_percent() {
    check(&IMAGE, 2, |random, set| image(random, set, 4.3e-7));
}

#[test]
fn sides_are_multiplied_where_nobody_declared_the_product() {
    check(&["body.image.width", "body.image.height"], 3, |random, set| image(random, set, 2e-7));
}

#[test]
fn ray_tracing_of_random_scenes_is_predicted_within_five_percent() {
    let names = [
        "query.wcols * query.wrows",
        "query.wcols * query.wrows * scene.intersections",
        "query.wcols * query.wrows * scene.hits",
    ];
    check(&names, 4, |random, set| {
        let render = Render::random(random);
        let (query, body) = (render.query(), render.body());
        let spec = RequestSpec { query: &query, headers: &[], body_bytes: None, body: &body };
        let counts = render.count();
        let cpu_secs = 2e-4
            + counts.pixels as f64 * 4e-8
            + counts.intersections as f64 * 7e-9
            + counts.hits as f64 * 5e-8;
        (set.extract(&spec), cpu_secs)
    });
}
