//! Takes up another configuration while requests go on.
//!
//! The rooms that requests share are made anew, of the same fleets, hosts, models, connections and
//! counters. Requests that are under way go on in the rooms in which they began.

use std::sync::Arc;

use super::Server;
use super::setup::{budget_limits, feature_names, seed};
use crate::config::{Config, FleetIndex, FleetSource, StaticHost, Successor};
use crate::descriptors;
use crate::dispatch::Dispatch;
use crate::ledger::Ledger;
use crate::order::Reloaded;
use crate::roster::Origin;

/// Where the configuration of a running balancer can be read anew.
pub trait Source: Send + Sync {
    /// Reads it, and checks all of it. Blocks.
    ///
    /// # Errors
    ///
    /// Every mistake, a sentence each.
    fn read(&self) -> Result<Config, Vec<String>>;

    /// `config` is in use from now on.
    fn taken_up(&self, config: &Config);
}

impl Server {
    /// Reads the configuration anew and goes on by it. A mistake changes nothing.
    ///
    /// # Errors
    ///
    /// Every mistake, a sentence each.
    pub async fn reload(&mut self) -> Result<Reloaded, Vec<String>> {
        let result = self.try_reload().await;
        let metrics = &self.front().ledger.metrics;
        metrics.reloaded(result.is_ok(), self.generation);
        match &result {
            Ok(Reloaded { generation, needs_restart }) => {
                tracing::info!(generation, "the configuration has been read anew");
                if !needs_restart.is_empty() {
                    let keys = needs_restart.join(", ");
                    tracing::warn!(keys, "what was changed there holds after a restart only");
                }
            }
            Err(mistakes) => {
                let n_mistakes = mistakes.len();
                tracing::error!(n_mistakes, "the configuration stays as it was, for its mistakes");
                for mistake in mistakes {
                    tracing::error!("{mistake}");
                }
            }
        }
        result
    }

    async fn try_reload(&mut self) -> Result<Reloaded, Vec<String>> {
        let Some(source) = self.source.clone() else {
            return Err(vec!["there is no file to read the configuration from".to_owned()]);
        };
        let reader = source.clone();
        let read = tokio::task::spawn_blocking(move || reader.read()).await;
        let config = read.map_err(|error| vec![error.to_string()])??;
        let successor = config.after(&self.front().config);
        let Successor { config, kept } = successor
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        source.taken_up(&config);
        self.take_up(config).await;
        self.generation += 1;
        Ok(Reloaded { generation: self.generation, needs_restart: kept })
    }

    /// Goes on by `config`, which follows the one in use.
    async fn take_up(&mut self, config: Config) {
        for note in config.notes() {
            tracing::warn!("{note}");
        }
        let before = self.front();
        let n_routes = before.config.routes.len();
        let n_fleets = before.dispatch.fleets.all().len();
        let config = Arc::new(config);
        let fleets = Arc::new(before.dispatch.fleets.followed_by(&config, seed()));
        let trainer = self.trainer.load().followed_by(config.clone(), fleets.clone());
        if let Err(error) = trainer.restore_from(n_routes).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "new routes begin without what is kept of them");
        }
        let Ledger { hosts, metrics, gauges, access_log, traces, repeats, recorder, .. } =
            &*before.ledger;
        let ledger = Arc::new(Ledger {
            feature_names: feature_names(&config),
            hosts: hosts.clone(),
            metrics: metrics.clone(),
            gauges: gauges.clone(),
            access_log: access_log.clone(),
            traces: traces.clone(),
            repeats: repeats.clone(),
            recorder: recorder.clone(),
            fleets: fleets.clone(),
            config: config.clone(),
        });
        let Dispatch { hosts, roster, connections, budget, functions, .. } = &*before.dispatch;
        budget.resize(budget_limits(&config));
        roster.reconfigure(&config);
        let dispatch = Arc::new(Dispatch {
            hosts: hosts.clone(),
            roster: roster.clone(),
            connections: connections.clone(),
            budget: budget.clone(),
            functions: functions.clone(),
            fleets,
            config: config.clone(),
        });
        self.show_certificates(&config).await;
        self.room.resize(descriptors::allow(&config.limits));
        self.current.store(before.followed_by(config, dispatch, ledger));
        self.trainer.store(Arc::new(trainer));
        self.start_ticks(n_fleets);
        self.tell_roster();
    }

    /// Lets listeners show the certificates that `config` says.
    async fn show_certificates(&self, config: &Arc<Config>) {
        let listeners = config.listeners.iter().map(|listener| listener.tls.clone());
        let all = listeners.chain([config.admin_tls.clone()]);
        let pairs = self.keepers.iter().cloned().zip(all).filter_map(|(keeper, tls)| {
            let (keeper, tls) = (keeper?, tls?);
            Some((keeper, tls))
        });
        let pairs: Vec<_> = pairs.collect();
        let shown = tokio::task::spawn_blocking(move || {
            for (keeper, tls) in pairs {
                keeper.follow(&tls);
            }
        });
        if shown.await.is_err() {
            self.front().ledger.metrics.loop_failed("certificates");
        }
    }

    /// Tells the roster which hosts the configuration lists.
    pub(super) fn tell_roster(&self) {
        let front = self.front();
        let main: &[StaticHost] = match front.config.fleet.source() {
            FleetSource::Listed(hosts) => hosts,
            FleetSource::Processes(_) | FleetSource::Rented(_) => &[],
        };
        let others = front.config.fleets.iter().map(|fleet| &*fleet.hosts);
        let listed = std::iter::once(main).chain(others);
        for ((nth, fleet), hosts) in front.dispatch.fleets.all().iter().enumerate().zip(listed) {
            front.dispatch.roster.tell((FleetIndex(nth), fleet), &Origin::Configuration, hosts);
        }
    }
}
