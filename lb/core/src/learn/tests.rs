use std::time::Duration;

use proptest::prelude::*;
use smallvec::smallvec;

use super::*;
use crate::features::{FeatureSet, extractors};
use crate::request::RouteId;

fn work(cpu_secs: f64) -> Work {
    Work::from_cpu_secs(cpu_secs).unwrap()
}

fn predictor(names: &[&str]) -> Predictor {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    predictor_of(FeatureSet::parse(&names, extractors::ALL).unwrap())
}

fn predictor_of(features: FeatureSet) -> Predictor {
    let route = RoutePolicy {
        name: "route".to_owned(),
        features,
        prior: work(0.25),
        work_min: work(0.001),
        work_max: work(100.0),
        patience: Duration::ZERO,
        idempotent: Some(true),
        tries_max: None,
        function: None,
    };
    let learn =
        LearnPolicy { window: 200, observations_min: 30, retrain_after: 60, drift_error_max: 0.5 };
    Predictor::new(&route, &learn)
}

fn features(x: f64) -> Features {
    Features(smallvec![x])
}

/// One observation of `x` that cost so many CPU-seconds; its counts are those of `build`.
fn observation(x: f64, cpu_secs: f64, build: u64) -> Observation {
    let cost = RequestCost {
        instructions: Some(cpu_secs * 1e9 * build as f64),
        cpu_seconds: Some(cpu_secs),
        ..RequestCost::default()
    };
    Observation {
        route: RouteId(0),
        features: features(x),
        estimated: None,
        cost,
        work: work(cpu_secs),
        speed: Speed::ONE,
        build,
    }
}

/// Observes requests of sizes 1 to 50 that cost `per_size` each; trains when it is asked for.
fn run(predictor: &mut Predictor, n_requests: u32, per_size: f64) {
    for index in 0..n_requests {
        let x = 1.0 + f64::from(index * 7 % 50);
        predictor.observe(&observation(x, x * per_size, 1));
        if predictor.wants_training() {
            let model = train(&predictor.training_set(), 1).unwrap();
            assert!(predictor.install(model));
        }
    }
}

fn check(predictor: &Predictor, x: f64, expected: &str) {
    let Estimate { mean, p90, source, .. } = predictor.estimate(&features(x), None);
    let got = format!("{source:?} {:.3} {:.3}", mean.as_cpu_secs(), p90.as_cpu_secs());
    assert_eq!(got, expected);
}

#[test]
fn estimates_go_from_prior_to_running_mean_to_model() {
    let mut predictor = predictor(&["query.x"]);
    check(&predictor, 10.0, "Prior 0.250 0.576");
    run(&mut predictor, 1, 0.01);
    check(&predictor, 10.0, "RunningMean 0.010 0.023");
    run(&mut predictor, 28, 0.01);
    check(&predictor, 10.0, "RunningMean 0.250 0.480");
    assert_eq!(predictor.quality().estimator, "running_mean");
    run(&mut predictor, 1, 0.01);
    check(&predictor, 10.0, "Model 0.100 0.100");
    assert_eq!(predictor.quality().estimator, "linear");
}

/// A route whose prior says a hundredth of a second for each unit of size.
fn declared() -> Predictor {
    predictor_of(FeatureSet::default().with_prior("0.01 * query.x", extractors::ALL).unwrap())
}

/// One observation of size `x`, of which the prior says a hundredth.
fn declared_observation(x: f64, cpu_secs: f64) -> Observation {
    Observation { features: features(x * 0.01), ..observation(x, cpu_secs, 1) }
}

#[test]
fn a_declared_prior_steers_from_the_first_request() {
    let mut predictor = declared();
    let given = |predictor: &Predictor| predictor.estimate(&features(0.1), None);
    check(&predictor, 0.1, "Declared 0.100 0.230");
    assert!(given(&predictor).trusted && given(&predictor).is_individual());
    assert_eq!(predictor.quality().estimator, "declared");
    // What requests cost more than it says, it learns.
    for x in 1..20 {
        predictor.observe(&declared_observation(f64::from(x), f64::from(x) * 0.02));
    }
    check(&predictor, 0.1, "Declared 0.200 0.461");
    assert!(given(&predictor).trusted);
}

#[test]
fn a_declared_prior_that_is_wrong_no_longer_steers() {
    let mut predictor = declared();
    for nth in 0..25 {
        // What it says is large is small.
        let x = if nth % 2 == 0 { 10.0 } else { 1.0 };
        predictor.observe(&declared_observation(x, 0.1 / x));
    }
    let given = predictor.estimate(&features(0.1), None);
    assert_eq!(given.source, Source::Declared);
    assert!(!given.trusted && !predictor.quality().trusted);
}

#[test]
fn estimates_stay_within_the_bounds_of_the_route() {
    let mut predictor = predictor(&["query.x"]);
    run(&mut predictor, 60, 0.01);
    check(&predictor, 1e9, "Model 100.000 100.000");
    check(&predictor, -1e9, "Model 0.002 0.002");
    check(&predictor, f64::NAN, "RunningMean 0.250 0.450");
    let repeat = predictor.estimate(&features(1.0), Some(work(1e6)));
    assert_eq!((repeat.mean, repeat.source), (work(100.0), Source::Repeat));
}

#[test]
fn features_of_another_length_get_the_running_mean() {
    let mut predictor = predictor(&["query.x"]);
    run(&mut predictor, 60, 0.01);
    for features in [Features::default(), Features(smallvec![1.0, 2.0])] {
        assert_eq!(predictor.estimate(&features, None).source, Source::RunningMean);
    }
}

#[test]
fn a_route_without_features_keeps_its_running_mean() {
    let mut predictor = predictor(&[]);
    for index in 0..120 {
        let cpu_secs = if index < 40 { 1.0 } else { 2.0 };
        predictor.observe(&Observation {
            features: Features::default(),
            ..observation(0.0, cpu_secs, 1)
        });
        if predictor.wants_training() {
            assert!(predictor.install(train(&predictor.training_set(), 1).unwrap()));
        }
    }
    let estimate = predictor.estimate(&Features::default(), None);
    assert_eq!(estimate.source, Source::RunningMean);
    assert!((1.6..1.7).contains(&estimate.mean.as_cpu_secs()), "{estimate:?}");
}

#[test]
fn quality_tells_how_good_estimates_were_before_the_outcome() {
    let mut predictor = predictor(&["query.x"]);
    run(&mut predictor, 30, 0.01);
    let before = predictor.quality();
    assert!(0.3 < before.mdape.unwrap(), "{before:?}");
    run(&mut predictor, 100, 0.01);
    let after = predictor.quality();
    assert_eq!(after.observations, 130);
    assert!(after.mdape.unwrap() < 1e-6 && after.trusted, "{after:?}");
    assert!(after.held_back_mdape.unwrap() < 1e-6, "{after:?}");
    assert!(serde_json::to_string(&after).unwrap().contains("\"estimator\":\"linear\""));
}

#[test]
fn a_drifted_model_is_switched_off_and_trained_anew() {
    let mut predictor = predictor(&["query.x"]);
    run(&mut predictor, 100, 0.01);
    for index in 0..50 {
        let x = 1.0 + f64::from(index * 7 % 50);
        predictor.observe(&observation(x, x * 0.05, 1));
    }
    assert!(predictor.wants_training());
    check(&predictor, 10.0, "RunningMean 0.595 2.250");
    run(&mut predictor, 1, 0.05);
    check(&predictor, 10.0, "Model 0.500 0.500");
    assert!(predictor.is_trusted());
}

#[test]
fn chance_is_not_trusted_and_seldom_trained_on() {
    let mut predictor = predictor(&["query.x"]);
    let (mut chance, mut n_trainings) = (1_u64, 0);
    for _ in 0..1000 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let cpu_secs = 10_f64.powf((chance >> 40) as f64 / f64::from(1 << 24) * 4.0 - 3.0);
        predictor.observe(&observation((chance >> 20 & 63) as f64, cpu_secs, 1));
        if predictor.wants_training() {
            n_trainings += 1;
            assert!(predictor.install(train(&predictor.training_set(), 1).unwrap()));
        }
    }
    assert!(n_trainings <= 8, "{n_trainings}");
    assert!(!predictor.is_trusted(), "{:?}", predictor.quality());
    assert_eq!(predictor.quality().estimator, "running_mean");
}

#[test]
fn training_is_wanted_early_and_then_as_observations_double() {
    let mut predictor = predictor(&["query.x"]);
    let mut trained_after = Vec::new();
    for index in 0..400 {
        let x = f64::from(index % 50);
        predictor.observe(&observation(x, 0.1 + x * 0.01, 1));
        if predictor.wants_training() {
            trained_after.push(index + 1);
            assert!(predictor.install(train(&predictor.training_set(), 1).unwrap()));
            assert!(!predictor.wants_training());
        }
    }
    assert_eq!(trained_after, [30, 90, 180, 360]);
}

#[test]
fn a_good_model_of_a_whole_window_is_trained_again_after_four_windows() {
    let mut predictor = predictor(&["query.x"]);
    let mut trained = Vec::new();
    for index in 0..2000_u32 {
        let x = 1.0 + f64::from(index * 7 % 50);
        // Without any noise, what is rounded up is above the p90.
        let noise = 1.0 + 0.1 * (f64::from(index) * 0.618_034).fract();
        predictor.observe(&observation(x, x * 0.01 * noise, 1));
        if predictor.wants_training() {
            trained.push(index + 1);
            assert!(predictor.install(train(&predictor.training_set(), 1).unwrap()));
        }
    }
    assert_eq!(trained, [30, 90, 180, 360, 1160, 1960]);
}

#[test]
fn a_new_build_is_priced_anew() {
    let mut predictor = predictor(&["query.x"]);
    run(&mut predictor, 60, 0.01);
    // The machine says a tenth of the time that its counts are worth: the counts are believed.
    let cost = RequestCost { cpu_seconds: Some(0.01), ..observation(1.0, 0.1, 1).cost };
    let price = |predictor: &Predictor| predictor.price(&cost, Speed::ONE).unwrap().as_cpu_secs();
    assert!((price(&predictor) - 0.1).abs() < 1e-6);
    predictor.observe(&observation(10.0, 0.1, 2));
    assert!((price(&predictor) - 0.01).abs() < 1e-9);
    for index in 0..60 {
        let x = 1.0 + f64::from(index * 7 % 50);
        predictor.observe(&observation(x, x * 0.01, 2));
    }
    assert!(predictor.wants_training());
    assert!(predictor.install(train(&predictor.training_set(), 1).unwrap()));
    assert!((price(&predictor) - 0.05).abs() < 1e-6);
    check(&predictor, 10.0, "Model 0.100 0.100");
}

#[test]
fn a_model_survives_its_file_and_another_start() {
    let mut trained = predictor(&["query.x"]);
    run(&mut trained, 60, 0.01);
    let model = train(&trained.training_set(), 9).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    let read: Model = serde_json::from_str(&text).unwrap();
    assert_eq!(read, model);
    let mut fresh = predictor(&["query.x"]);
    assert!(fresh.install(read));
    check(&fresh, 10.0, "Model 0.100 0.100");
    assert!(fresh.is_trusted());
}

#[test]
fn what_is_restored_tells_how_good_the_model_is() {
    let mut trained = predictor(&["query.x"]);
    run(&mut trained, 150, 0.01);
    let rows = trained.training_set().observations;
    // Each was given a tenth too little, and a p90 that is just enough.
    let given = |row: &Observation| Some((row.work * 0.9, row.work));
    let rows = rows.into_iter().map(|row| Observation { estimated: given(&row), ..row });
    let rows: Vec<Observation> = rows.collect();
    let before = trained.quality();
    let mut restarted = predictor(&["query.x"]);
    assert!(restarted.install(trained.model().unwrap().clone()));
    // What an older build counted comes first, and its prices are not those of the model.
    for row in rows.iter().take(20) {
        restarted.recall(&Observation { build: 3, ..row.clone() });
    }
    for row in &rows {
        restarted.recall(row);
    }
    let after = restarted.quality();
    assert!((after.mdape.unwrap() - 0.1).abs() < 1e-9, "{after:?}");
    assert!(0.95 < after.p90_coverage.unwrap(), "{after:?}");
    assert_eq!((after.estimator, after.trusted), (before.estimator, before.trusted));
    let cost = RequestCost { cpu_seconds: Some(7.0), ..rows[0].cost };
    assert_eq!(restarted.price(&cost, Speed::ONE), trained.price(&cost, Speed::ONE));
    assert!(!restarted.wants_training(), "it was trained on this");
    run(&mut restarted, 149, 0.01);
    assert!(!restarted.wants_training(), "it rests on 170");
}

#[test]
fn after_a_restart_errors_and_coverage_are_those_that_were() {
    let mut before = predictor(&["query.x"]);
    let mut rows = Vec::new();
    for nth in 0..150_u32 {
        // From 1 ms to some seconds, and noise that the estimates do not know of.
        let x = f64::from(1 + (nth * 7) % 50);
        let cpu_secs = 0.001 * x * x * (1.0 + 0.3 * f64::from(nth % 5));
        let given = before.estimate(&features(x), None);
        let row =
            Observation { estimated: Some((given.mean, given.p90)), ..observation(x, cpu_secs, 1) };
        before.observe(&row);
        if before.wants_training() {
            let model = train(&before.training_set(), 9).unwrap();
            assert!(before.install(model));
        }
        rows.push(row);
    }
    let was = before.quality();
    assert!(0.01 < was.mdape.unwrap(), "{was:?}");
    assert!(2 < was.by_size.len(), "{was:?}");
    assert_eq!(was.by_size.iter().map(|class| class.requests).sum::<usize>(), 150, "{was:?}");
    let mut after = predictor(&["query.x"]);
    assert!(after.install(before.model().unwrap().clone()));
    for row in &rows {
        after.recall(row);
    }
    let is = after.quality();
    assert_eq!(
        (is.mdape, is.p90_coverage, &is.by_size),
        (was.mdape, was.p90_coverage, &was.by_size)
    );
}

#[test]
fn what_a_repeat_was_given_says_nothing_of_estimates() {
    let mut predictor = predictor(&["query.x"]);
    let known = predictor.estimate(&features(1.0), Some(work(0.5)));
    let given = Some((known.mean, known.p90));
    predictor.recall(&Observation { estimated: given, ..observation(1.0, 0.5, 1) });
    predictor.recall(&observation(1.0, 0.5, 1));
    assert_eq!((predictor.quality().mdape, predictor.quality().observations), (None, 2));
}

#[test]
fn a_model_of_other_features_is_refused() {
    let mut trained = predictor(&["query.x"]);
    run(&mut trained, 60, 0.01);
    let model = train(&trained.training_set(), 9).unwrap();
    assert!(!predictor(&["query.y"]).install(model.clone()));
    assert!(!predictor(&[]).install(model.clone()));
    let spoilt = serde_json::to_string(&model).unwrap().replace("{\"raw\":0}", "{\"raw\":7}");
    assert!(!predictor(&["query.x"]).install(serde_json::from_str(&spoilt).unwrap()));
}

#[test]
fn the_window_is_bounded() {
    let mut predictor = predictor(&["query.x"]);
    for index in 0..500 {
        predictor.observe(&observation(f64::from(index), 0.1, 1));
    }
    let rows = predictor.training_set().observations;
    assert_eq!((rows.len(), rows[0].features.0[0]), (200, 300.0));
    assert_eq!(predictor.quality().observations, 500);
}

#[test]
fn one_request_over_and_over_has_a_small_part_of_the_window() {
    let mut predictor = predictor(&["query.x"]);
    for index in 0..2200 {
        let x = if index < 100 { f64::from(index) } else { 5.0 };
        predictor.observe(&observation(x, 0.1, 1));
    }
    let rows = predictor.training_set().observations;
    assert_eq!(rows.len(), 99 + 10);
    assert_eq!(rows.iter().filter(|row| row.features == features(5.0)).count(), 10);
}

#[test]
fn a_hot_request_does_not_erase_what_is_known_of_others() {
    let mut predictor = predictor(&["query.x"]);
    run(&mut predictor, 120, 0.01);
    let noise = |index: u32| 0.95 + 0.1 * (f64::from(index) * 0.618_034).fract();
    for index in 0..2200 {
        predictor.observe(&observation(3.0, 0.03 * noise(index), 1));
        if predictor.wants_training() {
            assert!(predictor.install(train(&predictor.training_set(), 1).unwrap()));
        }
    }
    for x in [1.0, 10.0, 50.0] {
        let mean = predictor.estimate(&features(x), None).mean.as_cpu_secs();
        assert!((mean / (x * 0.01) - 1.0).abs() < 0.05, "{x}: {mean}");
    }
    // Nor after a restart, when the window has the hot request alone.
    let mut restarted = super::tests::predictor(&["query.x"]);
    assert!(restarted.install(predictor.model().unwrap().clone()));
    for index in 0..2200 {
        restarted.observe(&observation(3.0, 0.03 * noise(index), 1));
        assert!(!restarted.wants_training(), "of one request nothing is learned");
    }
}

#[test]
fn a_hot_request_from_the_start_leaves_the_others_their_part() {
    let mut predictor = predictor(&["query.x"]);
    for index in 0..2400 {
        // One in twelve is another request, of which a model is to be made.
        let is_other = index % 12 == 0;
        let x = if is_other { 1.0 + f64::from(index / 12 * 7 % 50) } else { 3.0 };
        predictor.observe(&observation(x, x * 0.01, 1));
        if predictor.wants_training() {
            assert!(predictor.install(train(&predictor.training_set(), 1).unwrap()));
        }
    }
    check(&predictor, 50.0, "Model 0.500 0.500");
    let quality = predictor.quality();
    assert!(quality.held_back_mdape.unwrap() < 1e-6, "{quality:?}");
    assert!(0.9 < quality.p90_coverage.unwrap(), "{quality:?}");
}

#[test]
fn errors_that_grow_bring_a_training_forward() {
    let mut predictor = predictor(&["query.x"]);
    run(&mut predictor, 190, 0.01);
    assert!(!predictor.wants_training());
    let mut trained_after = None;
    for index in 0..180 {
        let x = 1.0 + f64::from(index * 7 % 50);
        // Within the drift gate, and far from what the model had on rows that were held back.
        predictor.observe(&observation(x, x * 0.013, 1));
        if trained_after.is_none() && predictor.wants_training() {
            trained_after = Some(index + 1);
        }
    }
    assert_eq!(trained_after, Some(50), "not after the 180 that the model rests on");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn estimates_are_finite_and_bounded_whatever_was_observed(
        rows in prop::collection::vec(
            (prop_oneof![0.0..100.0_f64, -1e18..1e18_f64], 0.0..1e6_f64, 0_u64..3), 0..60),
        x in any::<f64>(),
    ) {
        let mut predictor = predictor(&["query.x"]);
        for (x, cpu_secs, build) in rows {
            predictor.observe(&observation(x, cpu_secs, build));
            if predictor.wants_training()
                && let Ok(model) = train(&predictor.training_set(), 1)
            {
                prop_assert!(predictor.install(model));
            }
            let Estimate { mean, p90, .. } = predictor.estimate(&features(x), None);
            prop_assert!(work(0.001) <= mean && mean <= p90 && p90 <= work(100.0));
        }
        let Estimate { mean, p90, .. } = predictor.estimate(&features(x), None);
        prop_assert!(work(0.001) <= mean && mean <= p90 && p90 <= work(100.0));
        let quality = predictor.quality();
        prop_assert!(quality.mdape.is_none_or(f64::is_finite), "{:?}", quality);
    }
}

#[test]
fn a_tenth_of_the_truth_is_as_bad_as_ten_times_the_truth() {
    for factor in [0.1, 10.0] {
        let mut predictor = predictor(&["query.x"]);
        predictor.policy.drift_error_max = 1.0;
        run(&mut predictor, 100, 0.01);
        assert_eq!(predictor.quality().estimator, "linear");
        for index in 0..50 {
            let x = 1.0 + f64::from(index * 7 % 50);
            predictor.observe(&observation(x, x * 0.01 * factor, 1));
        }
        assert_eq!(predictor.quality().estimator, "running_mean", "off by a factor of {factor}");
    }
}
