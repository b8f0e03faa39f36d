//! Trains models off the request path, one at a time, and keeps them.

use std::sync::Arc;
use std::time::SystemTime;

use weighbridge_core::learn::{Model, train};
use weighbridge_core::request::RouteId;

use crate::config::Config;
use crate::decide::Decide;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::store::{ObservationStore, StoreError, StoredModel};

/// Trains and restores models.
pub(crate) struct Trainer {
    pub(crate) config: Arc<Config>,
    pub(crate) decide: Arc<Decide>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Option<Arc<dyn ObservationStore>>,
    /// Of several balancers, one trains.
    pub(crate) leadership: Arc<Leadership>,
}

impl Trainer {
    /// Trains a model for `route` on what was observed lately, and puts it to use.
    pub(crate) async fn train(&self, route: RouteId) {
        if self.leadership.fence().is_none() {
            return;
        }
        let set = self.decide.look(|balancer, _| balancer.training_set(route));
        let seed = u64::from(route.0);
        let trained = tokio::task::spawn_blocking(move || train(&set, seed)).await;
        let name = &self.config.routes[route.0 as usize].name;
        let model = match trained {
            Ok(Some(model)) => model,
            Ok(None) => return,
            Err(error) => {
                self.metrics.loop_failed("train");
                tracing::error!(route = name, %error, "training failed");
                return;
            }
        };
        self.keep(route, &model).await;
        let quality = self.decide.with(|balancer, _| {
            balancer.install(route, model);
            balancer.predictor(route).quality()
        });
        let (estimator, mdape) = (&quality.estimator, quality.held_back_mdape);
        tracing::info!(route = name, estimator, mdape, "a model was trained");
    }

    /// Brings back models and recent observations, before the first request.
    pub(crate) async fn restore(&self) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        let models = store.models().await?;
        for (index, route) in self.config.routes.iter().enumerate() {
            let id = RouteId(u16::try_from(index).unwrap_or(u16::MAX));
            let rows = store.recent(&route.name, self.config.policy.learn.window).await?;
            let n_rows = rows.len();
            let names = self.config.policy.routes[index].features.names();
            self.decide.with(|balancer, _| {
                for observation in rows.iter().filter_map(|row| row.observation(id, names)) {
                    balancer.restore(&observation);
                }
            });
            let kept = models.iter().find(|(name, _)| *name == route.name);
            let kept = kept.filter(|(_, kept)| kept.feature_names == names);
            let model = kept.and_then(|(name, kept)| read(name, &kept.json));
            let has_model = model
                .is_some_and(|model| self.decide.with(|balancer, _| balancer.install(id, model)));
            tracing::info!(route = route.name, observations = n_rows, has_model, "restored");
        }
        Ok(())
    }

    async fn keep(&self, route: RouteId, model: &Model) {
        let Some(store) = &self.store else { return };
        let Ok(json) = serde_json::to_string(model) else { return };
        let feature_names =
            self.config.policy.routes[usize::from(route.0)].features.names().to_vec();
        let kept = StoredModel { at: SystemTime::now(), feature_names, json };
        let route = self.config.routes[usize::from(route.0)].name.as_str();
        if let Err(error) = store.save_model(route, &kept).await {
            self.metrics.loop_failed("save_model");
            tracing::warn!(route, error = &error as &dyn std::error::Error, "a model was not kept");
        }
    }
}

/// A model as it was kept; `None`, and a word in the log, where this version cannot read it.
fn read(route: &str, json: &str) -> Option<Model> {
    serde_json::from_str(json)
        .inspect_err(|error| tracing::warn!(route, %error, "a kept model is not readable"))
        .ok()
}
