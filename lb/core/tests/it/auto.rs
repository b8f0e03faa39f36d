//! Services of which nobody wrote features: what they cost is found by their requests.

use std::time::Duration;

use weighbridge_core::features::FeatureSet;
use weighbridge_core::learn::{Predictor, train};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::policy::{LearnPolicy, RoutePolicy};
use weighbridge_core::request::{RequestSpec, RouteId};
use weighbridge_core::units::{Speed, Work};

use crate::learning::Random;

/// A request, and what it costs in CPU-seconds.
struct Request {
    query: String,
    body: String,
    cpu_secs: f64,
}

fn predictor(features: &FeatureSet) -> Predictor {
    let work = |secs| Work::from_cpu_secs(secs).unwrap();
    let route = RoutePolicy {
        name: "route".to_owned(),
        features: features.clone(),
        prior: work(0.1),
        work_min: work(1e-5),
        work_max: work(600.0),
        patience: Duration::from_secs(1),
        idempotent: Some(true),
        tries_max: None,
        function: None,
    };
    let learn =
        LearnPolicy { window: 1000, observations_min: 20, retrain_after: 50, drift_error_max: 1.0 };
    Predictor::new(&route, &learn)
}

/// Runs `n` requests through a predictor, which is told how long each took and no more.
fn run(
    predictor: &mut Predictor,
    n: usize,
    random: &mut Random,
    mut request: impl FnMut(&mut Random) -> Request,
) {
    let set = FeatureSet::auto();
    for _ in 0..n {
        let Request { query, body, cpu_secs } = request(random);
        let headers =
            [(":method", "POST"), (":path", "/work"), ("content-type", "application/json")];
        let body = body.as_bytes();
        let spec = RequestSpec { query: &query, headers: &headers, body_bytes: None, body };
        let read = set.read(predictor.schema(), &spec);
        predictor.discover(&read.unknown);
        // Times of a busy machine: a few percent off, and now and then far too long.
        let outlier = if random.whole(0, 49) == 0 { 4.0 } else { 1.0 };
        let noise = random.noise(0.04).max(1.0 / random.noise(0.04)) * outlier;
        predictor.observe(&Observation {
            route: RouteId(0),
            features: read.features,
            estimated: None,
            cost: RequestCost::default(),
            work: Work::from_cpu_secs(cpu_secs * noise).unwrap(),
            speed: Speed::ONE,
            build: 0,
        });
        if predictor.wants_training() {
            let model = train(&predictor.training_set(), 3).unwrap();
            assert!(predictor.install(model));
        }
    }
}

/// The median error of what is estimated after 300 requests, and the formula in words.
fn learned(seed: u64, mut request: impl FnMut(&mut Random) -> Request) -> (f64, String) {
    let (mut random, mut predictor) = (Random(seed), predictor(&FeatureSet::auto()));
    run(&mut predictor, 300, &mut random, &mut request);
    let words = predictor.model().unwrap().in_words();
    run(&mut predictor, 100, &mut random, &mut request);
    let mdape = predictor.quality().mdape.unwrap();
    println!("{mdape:.4} {words}");
    (mdape, words)
}

#[test]
fn a_product_of_two_parameters_is_found_among_others() {
    let (mdape, words) = learned(1, |random| {
        let (width, height) = (random.whole(50, 2000), random.whole(50, 2000));
        let query = format!(
            "width={width}&height={height}&id={}&user=u{}&quality={}",
            random.next() % 1_000_000,
            random.whole(0, 500),
            random.whole(50, 95),
        );
        let cpu_secs = 0.002 + 14e-9 * (width * height) as f64;
        Request { query, body: String::new(), cpu_secs }
    });
    assert!(mdape < 0.06, "{mdape} {words}");
    assert!(
        words.contains("query.width x query.height")
            || words.contains("query.height x query.width"),
        "{words}"
    );
    assert!(!words.contains("query.id") && !words.contains("query.user"), "{words}");
}

#[test]
fn an_enumeration_has_a_cost_for_each_value() {
    let (mdape, words) = learned(2, |random| {
        let rows = random.whole(10, 5000);
        let (format, fixed, each) =
            [("csv", 1e-3, 1e-6), ("xlsx", 8e-3, 9e-6), ("pdf", 20e-3, 30e-6)]
                [random.whole(0, 2) as usize];
        let query = format!("rows={rows}&format={format}");
        Request { query, body: String::new(), cpu_secs: fixed + each * rows as f64 }
    });
    assert!(mdape < 0.07, "{mdape} {words}");
    assert!(words.contains("where query.format = "), "{words}");
}

#[test]
fn numbers_of_few_values_may_be_an_enumeration() {
    let (mdape, words) = learned(3, |random| {
        let (level, bytes) = (random.whole(1, 6), random.whole(1000, 900_000));
        let each = [2e-9, 2.2e-9, 3e-9, 9e-9, 40e-9, 41e-9][level as usize - 1];
        let query = format!("level={level}&size={bytes}");
        Request { query, body: String::new(), cpu_secs: 1e-3 + each * bytes as f64 }
    });
    assert!(mdape < 0.08, "{mdape} {words}");
    assert!(words.contains("query.level"), "{words}");
}

#[test]
fn lengths_in_json_are_found() {
    let (mdape, words) = learned(4, |random| {
        let rows: Vec<String> = (0..random.whole(1, 300))
            .map(|index| format!(r#"{{"name": "row {index}", "n": {}}}"#, random.next() % 1000))
            .collect();
        let cpu_secs = 3e-3 + 2e-4 * rows.len() as f64;
        let body = format!(r#"{{"title": "a", "rows": [{}]}}"#, rows.join(","));
        Request { query: String::new(), body, cpu_secs }
    });
    assert!(mdape < 0.06, "{mdape} {words}");
    assert!(words.contains("body.json/rows"), "{words}");
}

#[test]
fn a_power_is_a_power_of_logarithms() {
    let (mdape, words) = learned(5, |random| {
        let n = (random.between(2.0, 9.0)).exp().round();
        let cpu_secs = 2e-5 * (1.0 + n).powf(1.4);
        Request { query: format!("n={n}&k={}", random.whole(1, 9)), body: String::new(), cpu_secs }
    });
    assert!(mdape < 0.06, "{mdape} {words}");
    assert!(words.contains("(1 + query.n)^1.4"), "{words}");
}

#[test]
fn the_length_of_a_range_is_found() {
    let (mdape, words) = learned(10, |random| {
        let (from, n) = (random.whole(0, 1_000_000), random.whole(100, 200_000));
        let query = format!("from={from}&to={}&limit={}", from + n, random.whole(1, 100));
        Request { query, body: String::new(), cpu_secs: 5e-4 + 3e-7 * n as f64 }
    });
    assert!(mdape < 0.06, "{mdape} {words}");
    assert!(words.contains("x (query.to - query.from)"), "{words}");
}

#[test]
fn where_nothing_tells_the_mean_is_used() {
    let (_, words) = learned(6, |random| {
        let cpu_secs = 0.01 * random.noise(0.8);
        let query =
            format!("a={}&b={}&c=x{}", random.whole(0, 9), random.next(), random.whole(0, 5));
        Request { query, body: String::new(), cpu_secs }
    });
    assert!(words.ends_with(" ms") && !words.contains(" x "), "{words}");
}

#[test]
fn after_a_drift_the_features_are_chosen_anew() {
    let (mut random, mut predictor) = (Random(7), predictor(&FeatureSet::auto()));
    let by = |of_a: f64, of_b: f64| {
        move |random: &mut Random| {
            let (a, b) = (random.whole(1, 1000), random.whole(1, 1000));
            let cpu_secs = 1e-3 + of_a * a as f64 + of_b * b as f64;
            Request { query: format!("a={a}&b={b}"), body: String::new(), cpu_secs }
        }
    };
    run(&mut predictor, 300, &mut random, by(1e-4, 0.0));
    let before = predictor.model().unwrap().in_words();
    assert!(before.contains("query.a") && !before.contains("query.b"), "{before}");
    run(&mut predictor, 500, &mut random, by(0.0, 3e-3));
    let after = predictor.model().unwrap().in_words();
    assert!(after.contains("query.b") && !after.contains("query.a"), "{after}");
    assert!(predictor.quality().mdape.unwrap() < 0.06, "{:?}", predictor.quality());
}

#[test]
fn the_same_requests_and_seed_give_the_same_model() {
    let model = || {
        let (mut random, mut predictor) = (Random(8), predictor(&FeatureSet::auto()));
        run(&mut predictor, 150, &mut random, |random| {
            let (a, b) = (random.whole(1, 1000), random.whole(1, 7));
            let query = format!("a={a}&b={b}&c={}", random.next());
            Request { query, body: String::new(), cpu_secs: 1e-3 + 1e-5 * (a * b) as f64 }
        });
        serde_json::to_string(predictor.model().unwrap()).unwrap()
    };
    assert_eq!(model(), model());
}

#[test]
fn a_model_is_used_by_a_predictor_that_has_found_its_features_in_another_order() {
    let of = |random: &mut Random, query: fn(u64, u64) -> String| {
        let (a, b) = (random.whole(1, 1000), random.whole(1, 1000));
        let cpu_secs = 1e-3 + 1e-7 * (a * b) as f64;
        Request { query: query(a, b), body: String::new(), cpu_secs }
    };
    let mut one = predictor(&FeatureSet::auto());
    run(&mut one, 100, &mut Random(9), |random| of(random, |a, b| format!("a={a}&b={b}")));
    let model = one.model().unwrap().clone();
    let mut other = predictor(&FeatureSet::auto());
    run(&mut other, 10, &mut Random(9), |random| of(random, |a, b| format!("b={b}&z=1&a={a}")));
    assert!(other.install(serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap()));
    let spec = |query| RequestSpec { query, headers: &[], body_bytes: None, body: b"" };
    let estimate = |predictor: &Predictor, query| {
        let read = FeatureSet::auto().read(predictor.schema(), &spec(query));
        predictor.estimate(&read.features, None).mean.as_cpu_secs()
    };
    let (here, there) = (estimate(&one, "a=500&b=500"), estimate(&other, "a=500&b=500"));
    assert!((here - there).abs() < 1e-12 && (here / 0.026 - 1.0).abs() < 0.1, "{here} {there}");
}

#[test]
fn a_prior_may_be_an_expression() {
    let extractors = weighbridge_core::features::extractors::ALL;
    let set = FeatureSet::auto().with_prior("2e-8 * query.w * query.h", extractors).unwrap();
    let mut predictor = predictor(&set);
    let spec = RequestSpec { query: "w=1000&h=500", headers: &[], body_bytes: None, body: b"" };
    let read = set.read(predictor.schema(), &spec);
    let mean = |predictor: &Predictor| predictor.estimate(&read.features, None).mean.as_cpu_secs();
    assert!((mean(&predictor) - 0.01).abs() < 1e-9);
    predictor.observe(&Observation {
        route: RouteId(0),
        features: read.features.clone(),
        estimated: None,
        cost: RequestCost::default(),
        work: Work::from_cpu_secs(0.03).unwrap(),
        speed: Speed::ONE,
        build: 0,
    });
    assert!((mean(&predictor) - 0.03).abs() < 1e-9, "what it costs more counts for the next");
}
