//! What several balancers do for each other: the one that has the lease trains on what all have
//! observed, the others use what it keeps.
//!
//! The store is read on a schedule: how often does not depend on how many requests there are.

use std::time::{Duration, UNIX_EPOCH};

use tokio::time::sleep;
use weighbridge_core::learn::TrainingSet;
use weighbridge_core::request::RouteId;

use super::{CurrentTrainer, StoreError, Trainer};

/// Looks about every `every` at what the others have kept. Balancers that start together do not go
/// on looking together.
pub(crate) async fn share(current: CurrentTrainer, every: Duration) {
    loop {
        sleep(every.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
        let trainer = current.load_full();
        let routes: Vec<RouteId> = trainer.config.route_ids().collect();
        for route in routes {
            if let Err(error) = trainer.share(route).await {
                trainer.metrics.loop_failed("share");
                let error = &error as &dyn std::error::Error;
                tracing::warn!(route = trainer.name(route), error, "models are not shared");
                // The others of this turn would only wait for the same.
                break;
            }
        }
    }
}

impl Trainer {
    async fn share(&self, route: RouteId) -> Result<(), StoreError> {
        let Some(fence) = self.leadership.fence() else {
            if self.load(route).await? {
                tracing::info!(route = self.name(route), "a model of another balancer is in use");
            }
            return Ok(());
        };
        if let Some(set) = self.new_set(route).await? {
            self.train_on(route, set, fence).await;
        }
        Ok(())
    }

    /// What all have observed lately, once that is enough for another model: as
    /// `Predictor::wants_training` says of what was observed here, but for drifts.
    async fn new_set(&self, route: RouteId) -> Result<Option<TrainingSet>, StoreError> {
        let Some(store) = &self.store else { return Ok(None) };
        let (name, learn) = (self.name(route), &self.config.policy.learn);
        let (since, wanted) = match self.in_use(route) {
            Some(in_use) => {
                (in_use.at, learn.retrain_after.max(in_use.observations).min(learn.window))
            }
            None => (UNIX_EPOCH, learn.observations_min),
        };
        let rows = store.recent(name, learn.window, since).await?;
        let new = self.evidence(route, &rows);
        // A window that is full of new rows is all that there is to train on.
        if new.len() < wanted.max(1) {
            return Ok(None);
        }
        let rows = store.recent(name, learn.window, UNIX_EPOCH).await?;
        let observations = self.evidence(route, &rows);
        let build = observations.last().map_or(0, |newest| newest.build);
        let is_auto = self.is_auto(route);
        let names =
            self.fleets.of(route).look(|balancer, _| balancer.predictor(route).names().to_vec());
        let set = TrainingSet { names, is_auto, observations, build };
        let is_varied = self.fleets.of(route).look(|balancer, _| {
            balancer.predictor(route).model().is_none_or(|model| set.is_as_varied_as(model))
        });
        Ok(is_varied.then_some(set))
    }
}
