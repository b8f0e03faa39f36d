//! Training: slow, pure, and elsewhere than on the path of requests.

use serde::{Deserialize, Serialize};

use super::window;
use crate::cost::{self, Pricing};
use crate::estimate::{Formula, ROWS_MIN, Table, choose, least};
use crate::observe::Observation;

/// What a model is trained on: a copy, so that training may run elsewhere.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    /// Names of the features.
    pub names: Vec<String>,
    /// The observations, oldest first.
    pub observations: Vec<Observation>,
    /// The build whose counts are priced.
    pub build: u64,
}

/// A model is replaced by one that was trained on as many different requests, give or take this
/// factor.
pub(super) const VARIED_FACTOR: usize = 2;

/// A trained model of one route: how counts are priced, and how features become an estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub(super) names: Vec<String>,
    pub(super) estimator: String,
    pub(super) formula: Formula,
    /// Estimates, in CPU-seconds, are at least this.
    pub(super) least: f64,
    pub(super) p90_ratio: f64,
    pub(super) pricing: Option<Pricing>,
    /// What it was trained on.
    pub(super) observations: usize,
    /// How many different features those had; 0 of a model that was kept by an older version.
    #[serde(default)]
    pub(super) n_different: usize,
    pub(super) held_back_mdape: f64,
    pub(super) held_back_p90_coverage: f64,
}

/// Why training gave no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoModel {
    /// An observation is usable where it took time and its features are the route's, and finite.
    #[error("only {usable} of {all} observations are usable, expected {}", ROWS_MIN)]
    TooFewUsable {
        /// Those that are.
        usable: usize,
        /// Of so many.
        all: usize,
    },
    /// No regression has a solution.
    #[error("no estimator fits")]
    NoFit,
}

/// Trains a model. Slow (up to a second for thousands of observations) and pure: the same set and
/// seed give the same model.
///
/// Requests of equal features count only a few times as often as the middle ones do: a model is for
/// all requests, and chosen by its error on all of them.
pub fn train(set: &TrainingSet, seed: u64) -> Result<Model, NoModel> {
    let (rows, n_different) = window::balanced(&set.observations);
    let pricing = price(set, &rows);
    let table = table(set, &rows, pricing.as_ref());
    if table.len() < ROWS_MIN {
        return Err(NoModel::TooFewUsable { usable: table.len(), all: rows.len() });
    }
    let chosen = choose(&table, seed).ok_or(NoModel::NoFit)?;
    Ok(Model {
        names: set.names.clone(),
        estimator: chosen.estimator.to_owned(),
        formula: chosen.formula,
        least: least(&table),
        p90_ratio: chosen.p90_ratio,
        pricing,
        observations: set.observations.iter().filter(|one| set.is_usable(one)).count(),
        n_different,
        held_back_mdape: chosen.mdape,
        held_back_p90_coverage: chosen.p90_coverage,
    })
}

/// Prices from the observations of the set's build.
fn price(set: &TrainingSet, rows: &[&Observation]) -> Option<Pricing> {
    let of_build = rows.iter().filter(|observation| {
        observation.build == set.build && cost::is_counted(&observation.cost)
    });
    let costs: Vec<_> = of_build.map(|one| (one.cost, one.speed)).collect();
    Pricing::fit(set.build, &costs)
}

/// The observations as rows. Those of the set's build are priced anew, so that all of them are
/// priced alike; of other builds the work is kept as it was priced then.
fn table(set: &TrainingSet, rows: &[&Observation], pricing: Option<&Pricing>) -> Table {
    let mut table = Table::default();
    for observation in rows {
        let priced = pricing
            .filter(|_| observation.build == set.build)
            .and_then(|pricing| pricing.work(&observation.cost));
        let cpu_secs = priced.unwrap_or(observation.work).as_cpu_secs();
        if set.is_usable(observation) && 0.0 < cpu_secs {
            table.features.push(observation.features.0.to_vec());
            table.cpu_secs.push(cpu_secs);
        }
    }
    table
}

// === impl TrainingSet ===

impl TrainingSet {
    /// Whether it has about as many different requests as `model` was trained on, or more. A few
    /// requests over and over teach nothing of the others that a model knows.
    pub fn is_as_varied_as(&self, model: &Model) -> bool {
        model.n_different <= VARIED_FACTOR * window::balanced(&self.observations).1
    }

    /// Whether its features are those of the set.
    fn is_usable(&self, observation: &Observation) -> bool {
        let features = &observation.features.0;
        features.len() == self.names.len() && features.iter().all(|value| value.is_finite())
    }
}

// === impl Model ===

impl Model {
    /// How many observations it rests on.
    pub fn observations(&self) -> usize {
        self.observations
    }

    /// Names of the features that it was trained on.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Name of the estimator that cross-validation chose.
    pub fn estimator(&self) -> &str {
        &self.estimator
    }

    /// Median absolute percentage error on observations held back, as a fraction.
    pub fn held_back_mdape(&self) -> f64 {
        self.held_back_mdape
    }

    /// What it learned of counts, where it could.
    pub fn pricing(&self) -> Option<&Pricing> {
        self.pricing.as_ref()
    }

    /// CPU-seconds of the reference core; `None` where the formula gives no number.
    pub(super) fn cpu_secs(&self, features: &[f64]) -> Option<f64> {
        let cpu_secs = self.formula.cpu_secs(features);
        (features.len() == self.names.len() && cpu_secs.is_finite())
            .then(|| cpu_secs.max(self.least))
    }

    /// Whether it is one that [`train`] could have made for these features, whatever file it was
    /// read from.
    pub(super) fn is_sound(&self, names: &[String]) -> bool {
        self.names == names
            && self.formula.is_sound(names.len())
            && self.pricing.as_ref().is_none_or(Pricing::is_sound)
            && self.least.is_finite()
            && self.p90_ratio.is_finite()
            && 1.0 <= self.p90_ratio
            && self.held_back_mdape.is_finite()
            && self.held_back_p90_coverage.is_finite()
    }
}
