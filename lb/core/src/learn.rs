//! Learns a route's cost from its observations: observation -> residual -> better estimator.
//!
//! ```text
//! prior -> running mean -> model (where the drift gate trusts it)
//! ```

use std::sync::Arc;

use serde::Serialize;

use crate::cost::{self, Pricing};
use crate::estimate::{Estimate, Source};
use crate::features::Features;
use crate::features::auto::{Discovery, Schema};
use crate::observe::{Observation, RequestCost};
use crate::policy::{LearnPolicy, RoutePolicy};
use crate::statistics::Newest;
use crate::units::{Speed, Work};

pub use train::{Model, NoModel, TrainingSet, train};

pub(crate) use alike::{Compared, Site};

use alike::Alike;
use track::{Gate, Track};
use train::VARIED_FACTOR;
use window::Window;

mod alike;
mod reconfigure;
mod track;
mod train;
mod window;

#[cfg(test)]
mod tests;

/// Everything learned of one route.
#[derive(Debug, Clone)]
pub struct Predictor {
    /// The features, where they are found by themselves: found so far.
    discovery: Discovery,
    is_auto: bool,
    prior: Work,
    /// Which feature the prior is, where it is one.
    prior_feature: Option<usize>,
    /// By how much requests cost more than that feature says: `ln`, on the mean.
    prior_off: f64,
    work_min: Work,
    work_max: Work,
    policy: LearnPolicy,
    /// What to train on: of at most `policy.window` observations.
    window: Window,
    /// Observations since the last drift, those included that were kept then.
    since_drift: usize,
    observations: u64,
    running: Running,
    /// The build of the newest observation.
    build: Option<u64>,
    pricing: Option<Pricing>,
    /// What requests of this build that count alike took, by where they ran.
    alike: Alike,
    model: Option<Model>,
    /// Trust in the model, whether or not it is in use.
    model_gate: Gate,
    /// Trust in the running mean.
    running_gate: Gate,
    /// Trust in the prior that is a feature.
    declared_gate: Gate,
    /// Of the estimates that were in use.
    track: Track,
    /// Observations since a model was trained, or since training gave none.
    since_training: usize,
    /// How many observations had been seen, since a drift, when the model was installed.
    rests_on: usize,
    /// Counted observations of this build since it was first seen.
    counted: usize,
    evidence: Evidence,
}

/// What the work of the newest request is known from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// There has been none.
    #[default]
    Nothing,
    /// Its host told what it cost.
    Costs,
    /// The time that it took: its host tells no costs.
    ElapsedTime,
}

/// Mean and p90 of all requests of the route.
#[derive(Debug, Clone)]
struct Running {
    mean: f64,
    p90: f64,
    /// The work of the newest requests: what the p90 is of.
    newest: Newest,
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
    /// The same by how large the requests were predicted to be, the smallest first.
    pub by_size: Vec<SizeQuality>,
    /// What the work of the newest request is known from: `costs` that its host told, or
    /// `elapsed_time`, where it tells none.
    pub learned_from: Evidence,
    /// The estimator in use: `prior`, `declared` (a prior that is an expression), `running_mean`
    /// or the name of a regression.
    pub estimator: String,
    /// Whether the drift gate lets the estimates steer.
    pub trusted: bool,
    /// The installed model's error on observations held back from its training.
    pub held_back_mdape: Option<f64>,
    /// The installed model's p90 coverage on observations held back from its training.
    pub held_back_p90_coverage: Option<f64>,
}

/// How good the estimates were of requests of about one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeQuality {
    /// They were predicted to cost up to so many CPU-seconds of the reference core, and more than
    /// those of the class before; `None`: any number.
    pub up_to_seconds: Option<f64>,
    /// How many of the recent ones.
    pub requests: usize,
    /// See [`Quality::mdape`].
    pub mdape: f64,
    /// See [`Quality::p90_coverage`].
    pub p90_coverage: f64,
}

/// When a (new) model should be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrainingDue {
    /// Observations that speak for it.
    pub observations: usize,
    /// It is due with so many.
    pub needed: usize,
    /// Whether those of late are about as varied as those that the model in use was trained on:
    /// otherwise it is not due.
    pub is_varied: bool,
}

impl TrainingDue {
    /// Whether there are enough of them, and varied enough.
    pub fn is_now(self) -> bool {
        self.needed <= self.observations && self.is_varied
    }
}

/// p90 over mean where nothing is known of the spread: that of an exponential distribution.
const P90_RATIO_UNKNOWN: f64 = std::f64::consts::LN_10;

/// p90 over mean of an exact repeat: its counts are the same, its CPU time is not quite.
const P90_RATIO_REPEAT: f64 = 1.1;

/// The running p90 is that of so many of the newest observations, and needs as many as that.
const RUNNING_P90_OF: usize = 100;
const RUNNING_P90_MIN: usize = 10;

/// No model is trained on fewer observations, whatever the policy says.
const OBSERVATIONS_MIN: usize = 10;

/// A model whose errors grow is trained anew after this part of the observations that it rests on.
const OFF_AFTER_PART: usize = 4;

/// A model that rests on a whole window, and errs as it was expected to, is trained anew after so
/// many windows: another would hardly be better.
const SETTLED_WINDOWS: usize = 4;

impl Predictor {
    /// Knows nothing but the route's prior.
    pub fn new(policy: &RoutePolicy, learn: &LearnPolicy) -> Predictor {
        debug_assert!(policy.work_min <= policy.work_max, "the bounds are an interval");
        Predictor {
            discovery: Discovery::new(&policy.features),
            is_auto: policy.features.is_auto(),
            prior: policy.prior,
            prior_feature: policy.features.prior(),
            prior_off: 0.0,
            work_min: policy.work_min,
            work_max: policy.work_max,
            policy: learn.clone(),
            window: Window::new(learn.window),
            since_drift: 0,
            observations: 0,
            running: Running { mean: 0.0, p90: 0.0, newest: Newest::of(RUNNING_P90_OF) },
            build: None,
            pricing: None,
            alike: Alike::default(),
            model: None,
            model_gate: Gate::new(learn.drift_error_max),
            running_gate: Gate::new(learn.drift_error_max),
            declared_gate: Gate::new(learn.drift_error_max),
            track: Track::default(),
            since_training: 0,
            rests_on: 0,
            counted: 0,
            evidence: Evidence::default(),
        }
    }

    /// The estimate for a request, within the route's bounds; `known` is the measured cost of an
    /// exact repeat. Allocates nothing.
    pub fn estimate(&self, features: &Features, known: Option<Work>) -> Estimate {
        if let Some(known) = known {
            let mean = known.as_cpu_secs();
            return self.bounded(mean, mean * P90_RATIO_REPEAT, Source::Repeat);
        }
        let of_model = self.model_in_use().and_then(|model| {
            let mean = model.cpu_secs(&features.0)?;
            Some(self.bounded(mean, mean * model.p90_ratio, Source::Model))
        });
        of_model.unwrap_or_else(|| self.estimate_without_model(features))
    }

    /// Until there is a model, a prior that is a feature goes on, times what requests cost more.
    fn estimate_without_model(&self, features: &Features) -> Estimate {
        let declared = self.declared(features).filter(|_| self.model.is_none());
        declared.unwrap_or_else(|| self.estimate_without_features())
    }

    fn declared(&self, features: &Features) -> Option<Estimate> {
        let prior = self.prior_of(features)? * self.prior_off.exp();
        Some(self.bounded(prior, prior * P90_RATIO_UNKNOWN, Source::Declared))
    }

    /// What the route's prior says of a request, where it is a feature, in CPU-seconds.
    fn prior_of(&self, features: &Features) -> Option<f64> {
        let prior = features.0.get(self.prior_feature?)?;
        (prior.is_finite() && 0.0 < *prior).then_some(*prior)
    }

    /// The estimate for a request of which nothing is known.
    pub fn estimate_without_features(&self) -> Estimate {
        if self.observations == 0 {
            let prior = self.prior.as_cpu_secs();
            return self.bounded(prior, prior * P90_RATIO_UNKNOWN, Source::Prior);
        }
        self.bounded(self.running.mean, self.running.p90, Source::RunningMean)
    }

    fn bounded(&self, mean: f64, p90: f64, source: Source) -> Estimate {
        let bound = |secs| Work::saturating(secs).max(self.work_min).min(self.work_max);
        let mean = bound(mean);
        let trusted = match source {
            Source::Prior => false,
            Source::Declared => self.declared_gate.is_open(),
            Source::RunningMean | Source::Model => self.is_trusted(),
            Source::Repeat => true,
        };
        Estimate { mean, p90: bound(p90).max(mean), source, trusted }
    }

    /// The model, unless the gate is closed or features tell it nothing: then the running mean is
    /// as good, and never stale.
    fn model_in_use(&self) -> Option<&Model> {
        let model = self.model.as_ref()?;
        (self.model_gate.is_open() && model.estimator() != "mean").then_some(model)
    }

    /// Measured cost as work: what its counts are worth, or its CPU time where there are no prices.
    /// `None` where the cost says nothing usable.
    pub fn price(&self, cost: &RequestCost, speed: Speed) -> Option<Work> {
        let priced = self.pricing.as_ref().and_then(|pricing| pricing.work(cost));
        priced.or_else(|| cost::by_cpu_time(cost, speed))
    }

    /// What the counts of `cost` are worth, on any host. `None` where there are none, or nothing is
    /// known of their worth.
    pub fn counted(&self, cost: &RequestCost) -> Option<Work> {
        let priced = self.pricing.as_ref().and_then(|pricing| pricing.work(cost));
        priced.filter(|_| cost::is_counted(cost))
    }

    /// What requests that count as `cost` does took elsewhere than at `site`, beside what this one
    /// took there. `None` where that says nothing, or counts of `build` do not compare.
    pub(crate) fn compare(&self, site: Site, cost: &RequestCost, build: u64) -> Option<Compared> {
        if !self.compares(build) {
            return None;
        }
        self.alike.compare(site, cost)
    }

    /// Notes what a request took at `site`, for those that will be compared with it.
    pub(crate) fn ran_at(&mut self, site: Site, cost: &RequestCost, build: u64) {
        if self.build == Some(build) {
            self.alike.note(site, cost);
        }
    }

    /// Whether counts of `build` compare with those that it has learned from.
    pub(crate) fn compares(&self, build: u64) -> bool {
        self.build.is_none_or(|known| known == build)
    }

    /// Learns from one completed request.
    pub fn observe(&mut self, observation: &Observation) {
        let given = self.estimate(&observation.features, None);
        self.note_error(observation, (given.mean, given.p90));
        self.learn(observation);
    }

    /// Notes how good the estimate was that a request was given: mean and p90.
    fn note_error(&mut self, observation: &Observation, (mean, p90): (Work, Work)) {
        let actual = observation.work.as_cpu_secs();
        if 0.0 < actual {
            self.track.push((mean.as_cpu_secs(), p90.as_cpu_secs()), actual);
        }
    }

    fn learn(&mut self, observation: &Observation) {
        self.judge(observation);
        self.note_build(observation);
        self.observations += 1;
        let is_told = observation.cost.is_told();
        self.evidence = if is_told { Evidence::Costs } else { Evidence::ElapsedTime };
        self.since_training = self.since_training.saturating_add(1);
        self.since_drift = self.since_drift.saturating_add(1);
        self.window.push(observation.clone());
        if self.is_auto {
            self.discovery.observe(&observation.features.0);
        }
        self.update_prior(observation);
        self.update_running(observation.work.as_cpu_secs());
    }

    /// Learns from a request that was completed in an earlier life. Where there is a model, it has
    /// learned from it already, and is not to be trained again for it; nor would its error on it be
    /// one that was made before the outcome was known. That one was kept beside the outcome. What
    /// was given to an exact repeat says nothing of estimates.
    pub fn recall(&mut self, observation: &Observation) {
        let since_training = self.since_training;
        if let Some(given) = observation.estimated.filter(|given| !is_of_repeat(*given)) {
            self.note_error(observation, given);
        }
        self.learn(observation);
        if self.model.is_some() {
            self.since_training = since_training;
        }
        self.rests_on = self.since_drift.min(self.policy.window);
    }

    /// Compares what would have been estimated with what it cost, before anything is learned of it.
    /// On a drift the observations from before it are forgotten: as many are kept as were missed.
    fn judge(&mut self, observation: &Observation) {
        let actual = observation.work.as_cpu_secs();
        if actual <= 0.0 {
            return;
        }
        let held = |estimate: Estimate| observation.work <= estimate.p90;
        // An underestimate is never off by more than 100 %, however wrong: trust asks by which
        // factor.
        let miss = |estimate: Estimate| {
            let factor = estimate.mean.as_cpu_secs() / actual;
            factor.max(1.0 / factor) - 1.0
        };
        let without = self.estimate_without_features();
        self.running_gate.push(miss(without), held(without));
        if let Some(declared) = self.declared(&observation.features) {
            self.declared_gate.push(miss(declared), held(declared));
        }
        let of_model = self.model.as_ref().and_then(|model| {
            let mean = model.cpu_secs(&observation.features.0)?;
            Some(self.bounded(mean, mean * model.p90_ratio, Source::Model))
        });
        if let Some(of_model) = of_model
            && self.model_gate.push(miss(of_model), held(of_model))
        {
            // This observation is one of those missed, and not yet in the window.
            let n_kept = self.model_gate.n_missed().saturating_sub(1);
            self.window.keep_newest(n_kept);
            self.since_drift = self.since_drift.min(n_kept);
            self.running.newest.keep(n_kept);
        }
    }

    /// Counts compare only within one build: prices of another are dropped, and those of the model
    /// taken up again where they are of this one.
    fn note_build(&mut self, observation: &Observation) {
        if !cost::is_counted(&observation.cost) {
            return;
        }
        if self.build != Some(observation.build) {
            self.build = Some(observation.build);
            self.counted = 0;
            self.alike = Alike::default();
            let of_model = self.model.as_ref().and_then(Model::pricing).cloned();
            let known = self.pricing.take().into_iter().chain(of_model);
            self.pricing = known.into_iter().find(|prices| prices.build() == observation.build);
        }
        self.counted = self.counted.saturating_add(1);
    }

    fn update_prior(&mut self, observation: &Observation) {
        let actual = observation.work.as_cpu_secs();
        if let Some(prior) = self.prior_of(&observation.features).filter(|_| 0.0 < actual) {
            let counted = self.observations.min(RUNNING_P90_OF as u64) as f64;
            self.prior_off += ((actual / prior).ln() - self.prior_off) / counted;
        }
    }

    /// The mean of all, until there are more than the window holds; then the newest count most.
    fn update_running(&mut self, cpu_secs: f64) {
        let counted = self.observations.min(self.policy.window.max(1) as u64);
        self.running.mean += (cpu_secs - self.running.mean) / counted as f64;
        let newest = &mut self.running.newest;
        newest.push(cpu_secs);
        let p90 = newest.quantile(0.9).filter(|_| RUNNING_P90_MIN <= newest.len());
        self.running.p90 = p90.unwrap_or(self.running.mean * P90_RATIO_UNKNOWN);
    }

    /// Whether a (new) model should be trained now. Stays true until [`Predictor::install`] or
    /// [`Predictor::give_up_training`].
    pub fn wants_training(&self) -> bool {
        self.training_due().is_now()
    }

    /// When a (new) model should be trained: the first, after as many more observations as the last
    /// one rests on, later where that is a whole window, sooner where its errors have grown, after
    /// a drift, or to price a new build's counts.
    ///
    /// So each observation is trained on about twice at first, every fourth one once later, and a
    /// few times more often where models go wrong, at any rate of requests: training costs time in
    /// proportion to them.
    pub fn training_due(&self) -> TrainingDue {
        let window = self.policy.window.max(1);
        let least = self.policy.observations_min.min(window).max(OBSERVATIONS_MIN);
        let seen = self.since_drift.min(window);
        if seen < least {
            return TrainingDue { observations: seen, needed: least, is_varied: true };
        }
        let Some(model) = &self.model else {
            return TrainingDue {
                observations: self.since_training,
                needed: least,
                is_varied: true,
            };
        };
        let retrain_after = self.policy.retrain_after.max(1);
        let rests_on = self.rests_on.max(1).min(seen);
        let is_unpriced = self.pricing.is_none() && cost::ROWS_MIN <= self.counted;
        let (needed, is_varied) = if is_unpriced {
            (least.min(retrain_after), true)
        } else if self.has_drifted() {
            // It rests on what was forgotten since; the next one on what there is.
            (least.max(rests_on), true)
        } else {
            let is_off = self.model_gate.is_off(model.held_back_mdape);
            let after = match (is_off, rests_on == window) {
                (true, _) => rests_on / OFF_AFTER_PART,
                (false, true) => rests_on * SETTLED_WINDOWS,
                (false, false) => rests_on,
            };
            // What has been seen of late may be a few requests over and over: they teach it
            // nothing.
            let is_varied = model.n_different <= VARIED_FACTOR * self.window.n_different();
            (retrain_after.max(after), is_varied)
        };
        TrainingDue { observations: self.since_training, needed, is_varied }
    }

    fn has_drifted(&self) -> bool {
        self.model.is_some() && !self.model_gate.is_open()
    }

    /// What to train on: the newest observations, since the last drift.
    pub fn training_set(&self) -> TrainingSet {
        TrainingSet {
            names: self.names().to_vec(),
            is_auto: self.is_auto,
            observations: self.window.rows().cloned().collect(),
            build: self.build.unwrap_or(0),
        }
    }

    /// What the features are: their names, and where they are found by themselves, how they are
    /// read.
    pub fn schema(&self) -> &Arc<Schema> {
        self.discovery.schema()
    }

    /// Names of the features. Where they are found by themselves, an observation of fewer features
    /// has the first of them.
    pub fn names(&self) -> &Arc<[String]> {
        self.schema().names()
    }

    /// Whether features are found by themselves.
    pub fn is_auto(&self) -> bool {
        self.is_auto
    }

    /// A request showed facts of these names, which its schema did not have.
    pub fn discover(&mut self, unknown: &[String]) {
        if self.is_auto {
            let used = self.model.as_ref().and_then(|model| model.places.as_deref());
            let used = used.unwrap_or_default();
            self.discovery.note(unknown, |place| used.contains(&place));
        }
    }

    /// Takes up names that were found in an earlier life or elsewhere, as far as there is room.
    pub fn adopt<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        if self.is_auto {
            self.discovery.adopt(names);
        }
    }

    /// Where the features of `model` are among those of the route; `None` where one cannot be read.
    fn places(&mut self, model: &Model) -> Option<Vec<usize>> {
        self.discovery.adopt(model.names());
        let schema = self.discovery.schema();
        model.names().iter().map(|name| schema.place(name)).collect()
    }

    /// Uses `model` from now on. Refuses one of other features or with impossible numbers: `false`.
    pub fn install(&mut self, mut model: Model) -> bool {
        if !model.is_sound() {
            return false;
        }
        if self.is_auto {
            let Some(places) = self.places(&model) else { return false };
            model.places = Some(places);
        } else if *model.names() != **self.names() {
            return false;
        }
        let same_build = |prices: &&Pricing| self.build.is_none_or(|build| build == prices.build());
        if let Some(prices) = model.pricing().filter(same_build) {
            self.pricing = Some(prices.clone());
        }
        self.model_gate = Gate::judged_by(self.policy.drift_error_max, model.held_back_mdape());
        self.model = Some(model);
        self.since_training = 0;
        self.rests_on = self.since_drift.min(self.policy.window);
        true
    }

    /// Training gave no model: the next one is due after further observations.
    pub fn give_up_training(&mut self) {
        self.since_training = 0;
    }

    /// The model that was installed last, whether or not it is trusted.
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// How good the estimates are.
    pub fn quality(&self) -> Quality {
        let estimator = match (self.model_in_use(), self.observations) {
            (Some(model), _) => model.estimator(),
            (None, _) if self.is_declared() => "declared",
            (None, 0) => "prior",
            (None, _) => "running_mean",
        };
        Quality {
            observations: self.observations,
            mdape: self.track.mdape(),
            p90_coverage: self.track.p90_coverage(),
            by_size: self.track.by_size(),
            learned_from: self.evidence,
            estimator: estimator.to_owned(),
            trusted: if self.is_declared() {
                self.declared_gate.is_open()
            } else {
                self.is_trusted()
            },
            held_back_mdape: self.model.as_ref().map(|model| model.held_back_mdape),
            held_back_p90_coverage: self.model.as_ref().map(|model| model.held_back_p90_coverage),
        }
    }

    /// Whether a prior that is a feature is in use.
    fn is_declared(&self) -> bool {
        self.model.is_none() && self.prior_feature.is_some()
    }

    /// Whether the drift gate lets the estimates in use steer, where none is declared.
    pub fn is_trusted(&self) -> bool {
        self.model_in_use().is_some() || self.running_gate.is_open()
    }
}

/// Whether an estimate, mean and p90, was the measured cost of an exact repeat.
fn is_of_repeat((mean, p90): (Work, Work)) -> bool {
    let ratio = p90.as_cpu_secs() / mean.as_cpu_secs();
    (ratio - P90_RATIO_REPEAT).abs() < 1e-9
}
