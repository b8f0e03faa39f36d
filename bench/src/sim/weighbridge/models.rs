//! Where the balancer's models come from.

use smallvec::smallvec;
use weighbridge_core::balancer::Balancer;
use weighbridge_core::features::Features;
use weighbridge_core::learn::{self, TrainingSet};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::random::Random;
use weighbridge_core::request::RouteId;
use weighbridge_core::units::{Speed, Time, Work};

use super::{BUILD, INSTRUCTIONS};
use crate::sim::predict::Predictions;
use crate::sim::scenario::{Learning, Scenario};

/// Requests of each route that a model is trained on beforehand.
const OBSERVATIONS: usize = 400;

/// Sizes on which a frozen model is trained lie evenly on a logarithmic scale between these.
const SIZES: (f64, f64) = (1e-6, 1e4);

/// Trains the models with which a run begins.
pub(super) fn prepare(balancer: &mut Balancer, scenario: &Scenario, seed: u64) {
    for index in 0..scenario.sizes.classes.len() {
        let route = RouteId(index as u16);
        match scenario.learning {
            Learning::Frozen => install(balancer, route, &exact(balancer, route)),
            Learning::Live => {
                for observation in earlier(scenario, route, seed) {
                    balancer.restore(&observation);
                }
                train(balancer, route);
            }
            Learning::Cold => {}
        }
    }
}

/// Trains a model on what was observed, as the proxy does.
pub(super) fn train(balancer: &mut Balancer, route: RouteId) {
    let set = balancer.start_training(Time::ZERO, route);
    install(balancer, route, &set);
}

fn install(balancer: &mut Balancer, route: RouteId, set: &TrainingSet) {
    let is_installed =
        learn::train(set, u64::from(route.0)).is_ok_and(|model| balancer.install(route, model));
    if !is_installed {
        balancer.give_up_training(route);
    }
}

/// Requests that take just what is predicted of them: a model that passes predictions on.
fn exact(balancer: &Balancer, route: RouteId) -> TrainingSet {
    let (least, most) = SIZES;
    let sizes = (0..OBSERVATIONS).map(|index| {
        let part = index as f64 / (OBSERVATIONS - 1) as f64;
        least * (most / least).powf(part)
    });
    TrainingSet {
        names: balancer.policy().routes[usize::from(route.0)].features.names().to_vec(),
        is_auto: false,
        observations: sizes.map(|size| observation(route, size, size)).collect(),
        build: BUILD,
    }
}

/// Requests of an earlier life, with the scenario's error.
fn earlier(scenario: &Scenario, route: RouteId, seed: u64) -> Vec<Observation> {
    let mut random = Random::new(seed);
    let predictions = Predictions::new(scenario.errors, scenario.sigma, &scenario.sizes);
    let observed = (0..OBSERVATIONS).map(|_| {
        let work = scenario.sizes.draw_of(usize::from(route.0), &mut random);
        observation(route, predictions.predict(work, &mut random), work)
    });
    observed.collect()
}

fn observation(route: RouteId, predicted: f64, work: f64) -> Observation {
    Observation {
        route,
        features: Features(smallvec![predicted]),
        estimated: None,
        cost: RequestCost {
            instructions: Some(work * INSTRUCTIONS),
            cpu_seconds: Some(work),
            ..RequestCost::default()
        },
        work: Work::saturating(work),
        speed: Speed::ONE,
        build: BUILD,
    }
}
