//! How long predicting takes: the balancer's own code and learned model, in this process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::learn::{Model, Predictor};
use weighbridge_core::policy::{LearnPolicy, RoutePolicy};
use weighbridge_core::request::RequestSpec;
use weighbridge_core::statistics::quantile;
use weighbridge_core::units::Work;
use weighbridge_scene_extract::extractors;

use crate::requests::{Request, Route};

/// Times of one route, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the JSON names have their unit")]
pub struct Timing {
    /// Median time to read the features of a request.
    pub extract_seconds: f64,
    /// Nine of ten took less.
    pub extract_p90_seconds: f64,
    /// Mean time of an estimate from the features.
    pub estimate_seconds: f64,
}

/// Why predicting cannot be timed: the balancer speaks of another route or version.
#[derive(Debug, thiserror::Error)]
pub enum TimingError {
    /// The admin API does not know the route.
    #[error("`/models` tells no features of the route `{0}`: are these the default routes?")]
    NoFeatures(&'static str),
    /// Its features are not ours.
    #[error("the features of the route `{0}` cannot be read: {1}")]
    Features(&'static str, String),
    /// Its model is not ours.
    #[error("the model of the route `{0}` cannot be read")]
    Model(&'static str, #[source] serde_json::Error),
}

/// An estimate is far too quick to be timed alone: all of them, this often.
const ROUNDS: u32 = 1000;

impl Timing {
    /// Times `requests` with what `/models` says of their route. A route that has no model yet is
    /// timed without one.
    pub(super) fn of(
        route: Route,
        told: &Value,
        requests: &[&Request],
    ) -> Result<Timing, TimingError> {
        let name = route.name();
        let mut predictor = predictor(name, told)?;
        let model: Option<Model> = serde_json::from_value(told["model"].clone())
            .map_err(|error| TimingError::Model(name, error))?;
        if let Some(model) = model {
            predictor.1.install(model);
        }
        let (set, predictor) = predictor;
        let (times, features): (Vec<f64>, Vec<Features>) =
            requests.iter().map(|request| extract(&set, &predictor, request)).unzip();
        let of = |share| quantile(&times, share).unwrap_or(f64::NAN);
        Ok(Timing {
            extract_seconds: of(0.5),
            extract_p90_seconds: of(0.9),
            estimate_seconds: estimate(&predictor, &features),
        })
    }
}

/// A predictor of the route's features that has learned nothing.
fn predictor(name: &'static str, told: &Value) -> Result<(FeatureSet, Predictor), TimingError> {
    let names = told["features"].as_array().ok_or(TimingError::NoFeatures(name))?;
    let names: Vec<String> =
        names.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    let parsed = match told["features_are"].as_str() {
        Some("auto") => Ok(FeatureSet::auto()),
        Some(_) | None => FeatureSet::parse(&names, &extractors()),
    };
    let set = parsed.map_err(|mistakes| {
        let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        TimingError::Features(name, mistakes.join(", "))
    })?;
    let route = RoutePolicy {
        name: name.to_owned(),
        features: set.clone(),
        prior: Work::saturating(0.1),
        work_min: Work::ZERO,
        work_max: Work::saturating(600.0),
        patience: Duration::ZERO,
        idempotent: Some(true),
        tries_max: None,
        function: None,
    };
    let learn =
        LearnPolicy { window: 1000, observations_min: 20, retrain_after: 50, drift_error_max: 1.0 };
    Ok((set, Predictor::new(&route, &learn)))
}

/// The features of a request, and the seconds that they took: the second of two times, as a
/// balancer at work has its code in the cache.
fn extract(set: &FeatureSet, predictor: &Predictor, request: &Request) -> (f64, Features) {
    let headers = [("content-type", request.content_type)];
    let schema = predictor.schema();
    let spec = RequestSpec {
        query: request.query(),
        headers: &headers,
        body_bytes: Some(request.body.len() as u64),
        body: &request.body,
    };
    black_box(set.read(schema, black_box(&spec)));
    let started = Instant::now();
    let features = set.read(schema, black_box(&spec)).features;
    (started.elapsed().as_secs_f64(), features)
}

/// Mean seconds of an estimate.
fn estimate(predictor: &Predictor, features: &[Features]) -> f64 {
    let started = Instant::now();
    for _ in 0..ROUNDS {
        for features in features {
            black_box(predictor.estimate(black_box(features), None));
        }
    }
    started.elapsed().as_secs_f64() / f64::from(ROUNDS) / features.len().max(1) as f64
}
