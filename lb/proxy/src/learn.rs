//! Trains models off the request path, one at a time, and keeps them.
//!
//! Alone, a balancer trains on what it has seen. Of several one trains, the holder of a lease, and
//! the others load what it keeps ([`share`]).

mod share;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use weighbridge_core::learn::{Model, NoModel, TrainingSet, train};
use weighbridge_core::observe::Observation;
use weighbridge_core::request::RouteId;

use crate::config::Config;
use crate::fleets::Fleets;
use crate::lease::{Fence, Leadership};
use crate::metrics::Metrics;
use crate::store::{ObservationStore, StoreError, StoredModel, StoredObservation};

pub(crate) use share::share;

/// Trains and restores models.
pub(crate) struct Trainer {
    pub(crate) config: Arc<Config>,
    pub(crate) fleets: Arc<Fleets>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Option<Arc<dyn ObservationStore>>,
    /// Of several balancers, one trains.
    pub(crate) leadership: Arc<Leadership>,
    /// The model in use of each route.
    pub(crate) in_use: Arc<Mutex<BTreeMap<RouteId, InUse>>>,
}

/// The trainer by the configuration that is in use.
pub(crate) type CurrentTrainer = Arc<ArcSwap<Trainer>>;

/// Which model is in use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InUse {
    /// When it was trained, to the microsecond, as it is kept.
    at: SystemTime,
    /// What it was trained on.
    observations: usize,
}

/// Why no new model of a route is in use after training.
#[derive(Debug, thiserror::Error)]
enum TrainError {
    #[error(transparent)]
    NoModel(#[from] NoModel),
    #[error("training panicked")]
    Panicked(#[from] tokio::task::JoinError),
    #[error("another balancer has trained since")]
    Superseded,
    #[error("the model does not fit the route")]
    Unsound,
}

impl TrainError {
    /// As in metrics.
    fn reason(&self) -> &'static str {
        match self {
            TrainError::NoModel(NoModel::TooFewUsable { .. }) => "too_few_usable",
            TrainError::NoModel(NoModel::NoFit) => "no_fit",
            TrainError::Panicked(_) => "panicked",
            TrainError::Superseded => "superseded",
            TrainError::Unsound => "unsound",
        }
    }
}

impl Trainer {
    /// Trains a model for `route` on what was observed here lately, and puts it to use.
    pub(crate) async fn train(&self, route: RouteId) {
        let Some(fence) = self.leadership.fence() else { return };
        let set = self.fleets.of(route).with(|balancer, now| balancer.start_training(now, route));
        self.train_on(route, set, fence).await;
    }

    /// Trains a model for `route` on `set`, keeps it and puts it to use; or says why there is none.
    async fn train_on(&self, route: RouteId, set: TrainingSet, fence: Fence) {
        let (name, observations) = (self.name(route), set.observations.len());
        if let Err(error) = self.try_training(route, set, fence).await {
            self.fleets.of(route).with(|balancer, _| balancer.give_up_training(route));
            self.metrics.not_trained(name, error.reason());
            let error = &error as &dyn std::error::Error;
            tracing::warn!(route = name, observations, error, "no model was trained");
            return;
        }
        let quality = self.fleets.of(route).look(|balancer, _| balancer.predictor(route).quality());
        let (estimator, mdape) = (&quality.estimator, quality.held_back_mdape);
        tracing::info!(route = name, observations, estimator, mdape, "a model was trained");
    }

    async fn try_training(
        &self,
        route: RouteId,
        set: TrainingSet,
        fence: Fence,
    ) -> Result<(), TrainError> {
        let seed = u64::from(route.0);
        let model = tokio::task::spawn_blocking(move || train(&set, seed)).await??;
        let at = now();
        if !self.keep(route, &model, at, fence).await {
            return Err(TrainError::Superseded);
        }
        self.install(route, model, at).then_some(()).ok_or(TrainError::Unsound)
    }

    /// Brings back models and recent observations, before the first request. Where the store is
    /// away the balancer starts without them.
    pub(crate) async fn restore(&self) -> Result<(), StoreError> {
        self.restore_from(0).await
    }

    /// The trainer of `fleets` by `config`, which follows the one of this.
    pub(crate) fn followed_by(&self, config: Arc<Config>, fleets: Arc<Fleets>) -> Trainer {
        Trainer {
            config,
            fleets,
            metrics: self.metrics.clone(),
            store: self.store.clone(),
            leadership: self.leadership.clone(),
            in_use: self.in_use.clone(),
        }
    }

    /// Brings back what is kept of the routes from the place `first` on.
    pub(crate) async fn restore_from(&self, first: usize) -> Result<(), StoreError> {
        let routes: Vec<RouteId> = self.config.route_ids().collect();
        for route in routes.into_iter().filter(|route| first <= usize::from(route.0)) {
            match self.restore_route(route).await {
                Err(error) if error.is_outage() => {
                    self.metrics.loop_failed("restore");
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "nothing is restored: the store is away");
                    return Ok(());
                }
                restored => restored?,
            }
        }
        Ok(())
    }

    async fn restore_route(&self, route: RouteId) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        let name = self.name(route);
        // However old they seem: the store forgets what is too old, and a clock can be wrong.
        let rows = store.recent(name, self.config.policy.learn.window, UNIX_EPOCH).await?;
        let n_rows = rows.len();
        // First the model: the observations tell how good it is.
        let has_model = self.load(route).await?;
        let observations = self.evidence(route, &rows);
        self.fleets.of(route).with(|balancer, _| {
            for observation in &observations {
                balancer.restore(observation);
            }
        });
        tracing::info!(route = name, observations = n_rows, has_model, "restored");
        Ok(())
    }

    /// Puts the model that is kept for `route` to use, unless it is in use; whether it was put to
    /// use.
    async fn load(&self, route: RouteId) -> Result<bool, StoreError> {
        let Some(store) = &self.store else { return Ok(false) };
        let name = self.name(route);
        let Some(kept) = store.model(name).await? else { return Ok(false) };
        let is_known = self.in_use(route).is_some_and(|in_use| in_use.at == kept.at);
        let is_other = !self.is_auto(route) && kept.feature_names != self.feature_names(route);
        if is_known || is_other {
            return Ok(false);
        }
        let Some(model) = read(name, &kept.json) else { return Ok(false) };
        Ok(self.install(route, model, kept.at))
    }

    fn install(&self, route: RouteId, model: Model, at: SystemTime) -> bool {
        let in_use = InUse { at, observations: model.observations() };
        let is_installed = self.fleets.of(route).with(|balancer, _| balancer.install(route, model));
        if is_installed {
            self.lock().insert(route, in_use);
        }
        is_installed
    }

    /// Keeps `model`; false where another balancer has trained since, so that it is out of date.
    async fn keep(&self, route: RouteId, model: &Model, at: SystemTime, fence: Fence) -> bool {
        let Some(store) = &self.store else { return true };
        let Ok(json) = serde_json::to_string(model) else { return true };
        let kept = StoredModel { at, feature_names: model.names().to_vec(), json };
        let name = self.name(route);
        let Err(error) = store.save_model(name, &kept, fence).await else { return true };
        self.metrics.loop_failed("save_model");
        let cause = &error as &dyn std::error::Error;
        tracing::warn!(route = name, error = cause, "a model was not kept");
        !matches!(error, StoreError::Fenced)
    }

    fn in_use(&self, route: RouteId) -> Option<InUse> {
        self.lock().get(&route).copied()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RouteId, InUse>> {
        self.in_use.lock()
    }

    fn name(&self, route: RouteId) -> &str {
        &self.config.routes[usize::from(route.0)].name
    }

    fn feature_names(&self, route: RouteId) -> &[String] {
        self.config.policy.routes[usize::from(route.0)].features.names()
    }

    /// Whether the features of `route` are found by themselves.
    fn is_auto(&self, route: RouteId) -> bool {
        self.config.policy.routes[usize::from(route.0)].features.is_auto()
    }

    /// What `rows` teach of `route`. Where features are found by themselves, those that came often
    /// enough in them are found by this.
    fn evidence(&self, route: RouteId, rows: &[StoredObservation]) -> Vec<Observation> {
        if !self.is_auto(route) {
            let names = self.feature_names(route);
            return rows.iter().filter_map(|row| row.observation(route, names)).collect();
        }
        let common = common_names(rows);
        let names = self.fleets.of(route).with(|balancer, _| {
            balancer.adopt(route, &common);
            Arc::clone(balancer.predictor(route).names())
        });
        let all: Vec<&StoredObservation> = rows.iter().filter(|row| row.is_found()).collect();
        let whole = whole_rows(&all);
        whole.iter().filter_map(|row| row.observation_by_name(route, &names)).collect()
    }
}

/// The names of features that have a value in some part of the `rows` whose features were found by
/// themselves, in the order of the newest rows.
fn common_names(rows: &[StoredObservation]) -> Vec<String> {
    /// A hundredth of the rows, and three at the least.
    const PART: usize = 100;
    const ROWS_MIN: usize = 3;

    let rows: Vec<&StoredObservation> = rows.iter().filter(|row| row.is_found()).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut order: Vec<&String> = Vec::new();
    for row in rows.iter().rev() {
        for (name, value) in row.feature_names.iter().zip(&row.features.0) {
            let count = counts.entry(name).or_insert_with(|| {
                order.push(name);
                0
            });
            *count += usize::from(*value != 0.0);
        }
    }
    let least = (rows.len() / PART).max(ROWS_MIN);
    order.retain(|name| least <= counts.get(name.as_str()).copied().unwrap_or(0));
    order.into_iter().cloned().collect()
}

/// The rows that know every name which most of the rows have a value of: the first requests of a
/// route lack them. All of them, where more than a fifth do not: what is new is not what was
/// overlooked.
fn whole_rows<'a>(rows: &[&'a StoredObservation]) -> Vec<&'a StoredObservation> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        for (name, value) in row.feature_names.iter().zip(&row.features.0) {
            *counts.entry(name).or_default() += usize::from(*value != 0.0);
        }
    }
    counts.retain(|_, count| rows.len() <= 2 * *count);
    let is_whole = |row: &&&StoredObservation| {
        counts.keys().all(|name| row.feature_names.iter().any(|known| known == name))
    };
    let whole: Vec<&StoredObservation> = rows.iter().filter(is_whole).copied().collect();
    if 4 * rows.len() <= 5 * whole.len() { whole } else { rows.to_vec() }
}

/// Now, to the microsecond.
fn now() -> SystemTime {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A model as it was kept; `None`, and a word in the log, where this version cannot read it.
fn read(route: &str, json: &str) -> Option<Model> {
    serde_json::from_str(json)
        .inspect_err(|error| tracing::warn!(route, %error, "a kept model is not readable"))
        .ok()
}
