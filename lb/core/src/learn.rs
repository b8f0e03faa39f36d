//! Learns a route's cost from its observations.

use serde::{Deserialize, Serialize};

use crate::estimate::{Estimate, Source};
use crate::features::Features;
use crate::observe::{Observation, RequestCost};
use crate::policy::{LearnPolicy, RoutePolicy};
use crate::units::{Speed, Work};

/// Everything learned of one route.
#[derive(Debug, Clone)]
pub struct Predictor {
    prior: Work,
    work_min: Work,
    work_max: Work,
    observations: u64,
    mean: f64,
    window: usize,
}

/// What a model is trained on: a copy, so that training runs elsewhere.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    /// Names of the features.
    pub names: Vec<String>,
}

/// A trained model of one route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Names of the features that it was trained on.
    pub names: Vec<String>,
}

/// How good a route's estimates are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Observations since the start, restored ones included.
    pub observations: u64,
    /// Median absolute percentage error of recent estimates, made before the outcome was known.
    /// A fraction: 0.1 is 10 %.
    pub mdape: Option<f64>,
    /// Fraction of recent requests that stayed below their p90.
    pub p90_coverage: Option<f64>,
    /// The estimator in use.
    pub estimator: String,
    /// Whether the drift gate lets the estimates steer.
    pub trusted: bool,
    /// The installed model's error on observations held back from its training.
    pub held_back_mdape: Option<f64>,
    /// The installed model's p90 coverage on observations held back from its training.
    pub held_back_p90_coverage: Option<f64>,
}

/// Trains a model. Slow and pure: the same set and seed give the same model. `None` where the set
/// has too few observations.
pub fn train(_set: &TrainingSet, _seed: u64) -> Option<Model> {
    None
}

impl Predictor {
    /// Knows nothing but the route's prior.
    pub fn new(policy: &RoutePolicy, learn: &LearnPolicy) -> Predictor {
        Predictor {
            prior: policy.prior,
            work_min: policy.work_min,
            work_max: policy.work_max,
            observations: 0,
            mean: 0.0,
            window: learn.window,
        }
    }

    /// The estimate for a request; `known` is the measured cost of an exact repeat.
    pub fn estimate(&self, _features: &Features, known: Option<Work>) -> Estimate {
        let (mean, source) = match known {
            Some(work) => (work, Source::Repeat),
            None if self.observations == 0 => (self.prior, Source::Prior),
            None => (Work::saturating(self.mean), Source::RunningMean),
        };
        let mean = mean.max(self.work_min).min(self.work_max);
        Estimate { mean, p90: (mean * 2.3).min(self.work_max), source }
    }

    /// Measured cost as work. `None` where the cost says nothing usable.
    pub fn price(&self, cost: &RequestCost, speed: Speed) -> Option<Work> {
        Work::from_cpu_secs(cost.cpu_seconds? * speed.as_reference_cores())
    }

    /// Learns from one completed request.
    pub fn observe(&mut self, observation: &Observation) {
        self.observations += 1;
        let weight = 1.0 / self.observations.min(self.window.max(1) as u64) as f64;
        self.mean += (observation.work.as_cpu_secs() - self.mean) * weight;
    }

    /// Whether a (new) model should be trained now. Stays true until [`Predictor::install`].
    pub fn wants_training(&self) -> bool {
        false
    }

    /// What to train on.
    pub fn training_set(&self) -> TrainingSet {
        TrainingSet { names: Vec::new() }
    }

    /// Uses `model` from now on; refuses one of other features (`false`).
    pub fn install(&mut self, _model: Model) -> bool {
        false
    }

    /// How good the estimates are.
    pub fn quality(&self) -> Quality {
        Quality {
            observations: self.observations,
            mdape: None,
            p90_coverage: None,
            estimator: "mean".to_owned(),
            trusted: true,
            held_back_mdape: None,
            held_back_p90_coverage: None,
        }
    }

    /// Whether the drift gate lets the estimates steer.
    pub fn is_trusted(&self) -> bool {
        true
    }
}
