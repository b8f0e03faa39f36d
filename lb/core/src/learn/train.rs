//! Training: slow, pure, and elsewhere than on the path of requests.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::window;
use crate::cost::{self, Pricing};
use crate::estimate::{ALL, AUTO, Formula, ROWS_MIN, Table, choose, least};
use crate::observe::Observation;

/// What a model is trained on: a copy, so that training may run elsewhere.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    /// Names of the features.
    pub names: Vec<String>,
    /// Whether they were found by themselves: then those are chosen that matter, and an observation
    /// of fewer features has the first of them.
    pub is_auto: bool,
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
    /// Where its features are among those of the route, where these were found by themselves.
    #[serde(skip)]
    pub(super) places: Option<Vec<usize>>,
    pub(super) held_back_mdape: f64,
    pub(super) held_back_p90_coverage: f64,
}

/// Features of a model that need no memory of their own: twelve terms of three factors have no
/// more.
const FEATURES_INLINE: usize = 36;

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
    let estimators = if set.is_auto { AUTO } else { ALL };
    let chosen = choose(&table, estimators, seed).ok_or(NoModel::NoFit)?;
    let (names, formula) = if set.is_auto {
        let features = chosen.formula.features();
        let names = features.iter().filter_map(|index| set.names.get(*index).cloned());
        (names.collect(), chosen.formula.of_only(&features))
    } else {
        (set.names.clone(), chosen.formula)
    };
    Ok(Model {
        names,
        estimator: chosen.estimator.to_owned(),
        formula,
        least: least(&table),
        p90_ratio: chosen.p90_ratio,
        pricing,
        observations: set.observations.iter().filter(|one| set.is_usable(one)).count(),
        n_different,
        places: None,
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
    let said = if set.is_auto { said_by_words(set, rows) } else { Vec::new() };
    let rows = if set.is_auto { whole(set, rows, &said) } else { rows.to_vec() };
    for observation in rows {
        let priced = pricing
            .filter(|_| observation.build == set.build)
            .and_then(|pricing| pricing.work(&observation.cost));
        let cpu_secs = priced.unwrap_or(observation.work).as_cpu_secs();
        if set.is_usable(observation) && 0.0 < cpu_secs {
            let mut features = observation.features.0.to_vec();
            // What had not been found then was hardly there.
            features.resize(set.names.len(), 0.0);
            for text in &said {
                features[text.length] = 0.0;
            }
            table.features.push(features);
            table.cpu_secs.push(cpu_secs);
        }
    }
    table
}

/// A text of which nearly every request has one of the words that are columns.
struct Said {
    /// The column of its length: the words say more.
    length: usize,
    words: Vec<usize>,
}

impl Said {
    /// Whether an observation has a length of it and no word.
    fn lacks_word(&self, row: &Observation) -> bool {
        let is_there = |column: usize| row.features.0.get(column).is_some_and(|it| *it != 0.0);
        is_there(self.length) && !self.words.iter().any(|word| is_there(*word))
    }
}

/// The rows without those that came before what they show was found, unless these are too many:
/// they lack columns that most have a value in, or the word of a text.
fn whole<'a>(set: &TrainingSet, rows: &[&'a Observation], said: &[Said]) -> Vec<&'a Observation> {
    /// Observations that may be left out: a fifth.
    const LEFT_OUT_PART: usize = 5;

    let is_common = |column: &usize| {
        let values = rows.iter().filter_map(|row| row.features.0.get(*column));
        let (n_known, n_there) = values.fold((0, 0), |(n_known, n_there), value| {
            (n_known + 1, n_there + usize::from(*value != 0.0))
        });
        0 < n_known && n_known <= 2 * n_there
    };
    let least = (0..set.names.len()).rev().find(is_common).map_or(0, |column| column + 1);
    let is_whole = |row: &&&Observation| {
        least <= row.features.0.len() && !said.iter().any(|text| text.lacks_word(row))
    };
    let whole: Vec<&Observation> = rows.iter().filter(is_whole).copied().collect();
    let n_left_out = rows.len() - whole.len();
    if n_left_out * LEFT_OUT_PART <= rows.len() { whole } else { rows.to_vec() }
}

/// The texts of which nearly every request has one of the words that are columns.
fn said_by_words(set: &TrainingSet, rows: &[&Observation]) -> Vec<Said> {
    /// A twentieth may have none.
    const UNSAID_PART: usize = 20;

    let words = |text: &str| {
        let is_word = |name: &String| name.split_once('=').is_some_and(|(of, _)| of == text);
        let names = set.names.iter().enumerate().filter(|(_, name)| is_word(name));
        names.map(|(column, _)| column).collect::<Vec<usize>>()
    };
    let texts = set.names.iter().enumerate().filter_map(|(length, name)| {
        let words = words(name.strip_suffix(".length")?);
        (!words.is_empty()).then_some(Said { length, words })
    });
    let is_said = |text: &Said| {
        // What came before the words were found says nothing.
        let later = rows.iter().filter(|row| {
            let knows = text.words.iter().all(|word| *word < row.features.0.len());
            knows && row.features.0.get(text.length).is_some_and(|value| *value != 0.0)
        });
        let (n_later, n_unsaid) = later.fold((0, 0), |(n_later, n_unsaid), row| {
            (n_later + 1, n_unsaid + usize::from(text.lacks_word(row)))
        });
        0 < n_later && n_unsaid * UNSAID_PART <= n_later
    };
    texts.filter(is_said).collect()
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
        let n_names = self.names.len();
        let fits = if self.is_auto { features.len() <= n_names } else { features.len() == n_names };
        fits && features.iter().all(|value| value.is_finite())
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

    /// The formula in words: `2.1 ms + 14 ns x query.width x query.height`.
    pub fn in_words(&self) -> String {
        self.formula.in_words(&self.names)
    }

    /// CPU-seconds of the reference core; `None` where the formula gives no number. Allocates
    /// nothing.
    pub(super) fn cpu_secs(&self, features: &[f64]) -> Option<f64> {
        let cpu_secs = match &self.places {
            Some(places) => {
                let read = |place: &usize| features.get(*place).copied().unwrap_or(0.0);
                let own: SmallVec<[f64; FEATURES_INLINE]> = places.iter().map(read).collect();
                self.formula.cpu_secs(&own)
            }
            None if features.len() == self.names.len() => self.formula.cpu_secs(features),
            None => return None,
        };
        cpu_secs.is_finite().then(|| cpu_secs.max(self.least))
    }

    /// Whether it is one that [`train`] could have made, whatever file it was read from.
    pub(super) fn is_sound(&self) -> bool {
        self.formula.is_sound(self.names.len())
            && self.pricing.as_ref().is_none_or(Pricing::is_sound)
            && self.least.is_finite()
            && self.p90_ratio.is_finite()
            && 1.0 <= self.p90_ratio
            && self.held_back_mdape.is_finite()
            && self.held_back_p90_coverage.is_finite()
    }
}
