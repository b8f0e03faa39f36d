//! Routes, as operators are shown them: how their requests go, and what is learned of their cost.

use std::collections::BTreeMap;

use serde::Serialize;

use weighbridge_core::balancer::Balancer;
use weighbridge_core::learn::{Model, Quality};

use crate::config::{Config, FleetIndex};
use crate::traffic::Flow;

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RouteView {
    /// Its name.
    pub(crate) name: String,
    /// The fleet that serves it.
    pub(crate) fleet: String,
    /// How its requests go.
    #[serde(flatten)]
    pub(crate) flow: Flow,
    /// How good its estimates are.
    #[serde(flatten)]
    pub(crate) quality: Quality,
    /// What was learned, in words.
    pub(crate) formula: Option<String>,
    /// Whether a model is being trained.
    pub(crate) is_training: bool,
}

/// What the balancer of a fleet has learned of its routes.
pub(super) fn learned(
    config: &Config,
    (index, fleet): (FleetIndex, &str),
    balancer: &Balancer,
) -> Vec<RouteView> {
    let mine = config.route_ids().filter(|route| config.route(*route).fleet == index);
    let view = |route| {
        let predictor = balancer.predictor(route);
        RouteView {
            name: config.route(route).name.clone(),
            fleet: fleet.to_owned(),
            flow: Flow::default(),
            quality: predictor.quality(),
            formula: predictor.model().map(Model::in_words),
            is_training: balancer.is_training(route),
        }
    };
    mine.map(view).collect()
}

/// Adds how the requests of each route go.
pub(super) fn fill_in(routes: &mut [RouteView], flows: &BTreeMap<String, Flow>) {
    for route in routes {
        if let Some(flow) = flows.get(&route.name) {
            route.flow = flow.clone();
        }
    }
}
