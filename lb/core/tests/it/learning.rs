//! A predictor among requests of random sizes: it learns from the first, and is judged by the rest.

use std::time::Duration;

use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::learn::{Predictor, train};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::policy::{LearnPolicy, RoutePolicy};
use weighbridge_core::request::RouteId;
use weighbridge_core::units::{Speed, Work};

/// `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn whole(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// About log-normal around 1, `sigma` wide.
    pub(crate) fn noise(&mut self, sigma: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.between(-0.5, 0.5)).sum();
        (sum * sigma).exp()
    }
}

/// A request's features and its true work in CPU-seconds.
pub(crate) type Request = (Features, f64);

fn predictor(features: FeatureSet) -> Predictor {
    let work = |secs| Work::from_cpu_secs(secs).unwrap();
    let route = RoutePolicy {
        name: "route".to_owned(),
        features,
        prior: work(0.1),
        work_min: work(1e-4),
        work_max: work(600.0),
        patience: Duration::from_secs(1),
        idempotent: Some(true),
        tries_max: None,
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

/// Runs 200 requests and then 100 more through a predictor that retrains whenever it wants. It has
/// to predict them within five percent.
pub(crate) fn check(
    set: &FeatureSet,
    seed: u64,
    mut request: impl FnMut(&mut Random, &FeatureSet) -> Request,
) {
    let mut predictor = predictor(set.clone());
    let mut random = Random(seed);
    for index in 0..300 {
        let (features, cpu_secs) = request(&mut random, set);
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
