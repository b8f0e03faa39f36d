//! When models are to be trained, as the tick says.

use super::*;
use crate::learn::{NoModel, TrainingDue, train};

const A: RouteId = RouteId(0);
const B: RouteId = RouteId(1);

/// What the policy of these tests says.
const OBSERVATIONS_MIN: usize = 20;

fn balancer() -> Balancer {
    Balancer::new(policy(), 1)
}

fn at(secs: f64) -> Time {
    Time::from_secs_f64(secs)
}

/// Observes `n` requests of `route` that cost so many CPU-seconds each.
fn observe(balancer: &mut Balancer, route: RouteId, n: usize, cpu_secs: f64) {
    for _ in 0..n {
        let observation = Observation {
            route,
            features: Features::default(),
            estimated: None,
            cost: RequestCost::default(),
            work: Work::from_cpu_secs(cpu_secs).unwrap(),
            speed: Speed::ONE,
            build: 0,
        };
        balancer.route_mut(route).unwrap().predictor.observe(&observation);
    }
}

fn due(observations: usize, needed: usize) -> TrainingDue {
    TrainingDue { observations, needed, is_varied: true }
}

/// Whatever is busy with one route takes no notice of the others: they are told of until they are
/// trained.
#[test]
fn a_route_that_falls_due_while_another_is_trained_is_asked_for_again() {
    let mut balancer = balancer();
    observe(&mut balancer, A, OBSERVATIONS_MIN, 1.0);
    assert_eq!(balancer.tick(at(1.0)).train, [A]);
    let set = balancer.start_training(at(1.0), A);
    observe(&mut balancer, B, OBSERVATIONS_MIN, 1.0);
    assert_eq!(balancer.tick(at(1.5)).train, [B]);
    assert_eq!(balancer.tick(at(2.0)).train, [B]);
    assert!(balancer.install(A, train(&set, 1).unwrap()));
    assert_eq!(balancer.tick(at(2.5)).train, [B]);
    balancer.start_training(at(2.5), B);
    assert_eq!(balancer.tick(at(3.0)).train, []);
}

#[test]
fn training_that_goes_on_is_asked_for_again_only_once_it_is_lost() {
    let mut balancer = balancer();
    observe(&mut balancer, A, OBSERVATIONS_MIN, 1.0);
    assert!(!balancer.is_training(A));
    balancer.start_training(at(1.0), A);
    assert!(balancer.is_training(A));
    assert_eq!(balancer.tick(at(60.9)).train, []);
    assert_eq!(balancer.tick(at(61.0)).train, [A]);
}

#[test]
fn training_that_gives_no_model_is_tried_again_with_other_observations() {
    let mut balancer = balancer();
    observe(&mut balancer, A, OBSERVATIONS_MIN, 0.0);
    let set = balancer.start_training(at(1.0), A);
    assert_eq!(
        train(&set, 1),
        Err(NoModel::TooFewUsable { usable: 0, all: set.observations.len() })
    );
    balancer.give_up_training(A);
    assert!(!balancer.is_training(A));
    assert_eq!(balancer.tick(at(2.0)).train, []);
    observe(&mut balancer, A, OBSERVATIONS_MIN - 1, 1.0);
    assert_eq!(balancer.predictor(A).training_due(), due(OBSERVATIONS_MIN - 1, OBSERVATIONS_MIN));
    assert_eq!(balancer.tick(at(3.0)).train, []);
    observe(&mut balancer, A, 1, 1.0);
    assert_eq!(balancer.tick(at(4.0)).train, [A]);
    let set = balancer.start_training(at(4.0), A);
    assert!(balancer.install(A, train(&set, 1).unwrap()));
}

#[test]
fn a_model_that_does_not_fit_the_route_is_not_trained_again_at_once() {
    let mut balancer = balancer();
    observe(&mut balancer, A, OBSERVATIONS_MIN, 1.0);
    let mut set = balancer.start_training(at(1.0), A);
    set.names = vec!["query.x".to_owned()];
    for observation in &mut set.observations {
        observation.features = Features(smallvec::smallvec![1.0]);
    }
    assert!(!balancer.install(A, train(&set, 1).unwrap()));
    balancer.give_up_training(A);
    assert_eq!(balancer.tick(at(2.0)).train, []);
}

#[test]
fn a_route_tells_when_it_is_due() {
    let mut balancer = balancer();
    observe(&mut balancer, A, 7, 1.0);
    assert_eq!(balancer.predictor(A).training_due(), due(7, OBSERVATIONS_MIN));
    observe(&mut balancer, A, 13, 1.0);
    assert_eq!(balancer.predictor(A).training_due(), due(20, OBSERVATIONS_MIN));
    let set = balancer.start_training(at(1.0), A);
    assert!(balancer.install(A, train(&set, 1).unwrap()));
    observe(&mut balancer, A, 3, 1.0);
    // `retrain_after` is more than the model rests on.
    assert_eq!(balancer.predictor(A).training_due(), due(3, 50));
}

#[test]
fn what_is_restored_without_a_model_is_trained_on() {
    let mut balancer = balancer();
    let observation = Observation {
        route: A,
        features: Features::default(),
        estimated: None,
        cost: RequestCost::default(),
        work: Work::from_cpu_secs(1.0).unwrap(),
        speed: Speed::ONE,
        build: 0,
    };
    for _ in 0..OBSERVATIONS_MIN {
        balancer.restore(&observation);
    }
    assert_eq!(balancer.tick(at(1.0)).train, [A]);
}
