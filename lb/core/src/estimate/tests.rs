use proptest::prelude::*;

use super::regress::{Design, Solver};
use super::*;

/// Rows of `x y -> work`; checks the chosen estimator, and its estimates for further rows.
fn check(
    rows: impl Iterator<Item = (f64, f64, f64)>,
    estimator: &str,
    further: &[(f64, f64, f64)],
) {
    let mut table = Table::default();
    for (x, y, work) in rows {
        table.features.push(vec![x, y]);
        table.cpu_secs.push(work);
    }
    let chosen = choose(&table, ALL, 1).unwrap();
    assert_eq!(chosen.estimator, estimator, "{chosen:?}");
    for (x, y, work) in further {
        let estimate = chosen.formula.cpu_secs(&[*x, *y]);
        assert!((estimate / work - 1.0).abs() < 0.05, "{x} {y}: {estimate}, not {work}");
    }
}

/// Numbers that look random enough, between 0 and 1.
fn spread(index: u32, step: f64) -> f64 {
    (f64::from(index) * step).fract()
}

fn grid() -> impl Iterator<Item = (f64, f64)> {
    (0..60).map(|i| (1.0 + 99.0 * spread(i, 0.618_034), 1.0 + 999.0 * spread(i, 0.754_877)))
}

#[test]
fn a_sum_is_linear() {
    let work = |x, y| 0.01 + 0.002 * x + 0.0003 * y;
    let further = [(500.0, 5000.0, work(500.0, 5000.0))];
    check(grid().map(|(x, y)| (x, y, work(x, y))), "linear", &further);
}

#[test]
fn a_power_is_log_log() {
    let work = |x: f64, y: f64| 1e-3 * (1.0 + x).powf(1.5) * (1.0 + y).powf(-0.7);
    let further = [(300.0, 20.0, work(300.0, 20.0))];
    check(grid().map(|(x, y)| (x, y, work(x, y))), "log_log", &further);
}

#[test]
fn a_product_is_pairwise() {
    let work = |x: f64, y: f64| 0.02 + 1e-4 * x * y;
    let further = [(200.0, 2000.0, work(200.0, 2000.0))];
    check(grid().map(|(x, y)| (x, y, work(x, y))), "pairwise", &further);
}

#[test]
fn few_rows_of_a_product_take_the_elastic_net() {
    let rows = grid().take(16).map(|(x, y)| (x, y, 0.02 + 1e-4 * x * y));
    check(rows, "elastic_net", &[]);
}

#[test]
fn features_that_tell_nothing_leave_the_mean() {
    let rows = grid().zip(0..).map(|((x, y), i)| (x, y, 1.0 + 0.2 * spread(i, 0.414_214)));
    check(rows, "mean", &[(5.0, 5.0, 1.1)]);
    check((0..12).map(|_| (3.0, 4.0, 0.5)), "mean", &[(3.0, 4.0, 0.5)]);
}

#[test]
fn a_constant_or_repeated_feature_is_left_out() {
    let rows = grid().map(|(x, _)| (x, 7.0, 0.5 + 0.1 * x));
    check(rows, "linear", &[(50.0, 7.0, 5.5)]);
    let rows = grid().map(|(x, _)| (x, 2.0 * x, 0.5 + 0.1 * x));
    check(rows, "linear", &[(50.0, 100.0, 5.5)]);
}

#[test]
fn small_requests_are_as_near_as_large_ones() {
    let work = |x: f64| 1e-3 + 1e-6 * x * x;
    let rows = (0..80).map(|i| {
        let x = 10_f64.powf(1.0 + 3.0 * spread(i, 0.618_034));
        (x, x * x, work(x) * if i % 2 == 0 { 1.02 } else { 0.98 })
    });
    let further = [10.0, 100.0, 1000.0].map(|x| (x, x * x, work(x)));
    check(rows, "linear", &further);
}

#[test]
fn noise_does_not_bias_the_mean() {
    let noise = |i: u32| (1.2 * (spread(i, 0.381_966) - 0.5)).exp();
    let mean = (0..400).map(noise).sum::<f64>() / 400.0;
    let rows = (0..400).map(|i| {
        let x = 1.0 + 99.0 * spread(i, 0.754_877);
        (x, 0.0, x * noise(i))
    });
    check(rows, "linear", &[(20.0, 0.0, 20.0 * mean), (80.0, 0.0, 80.0 * mean)]);
}

#[test]
fn the_p90_is_what_one_in_ten_exceed() {
    let mut table = Table::default();
    for i in 0..200_u32 {
        table.features.push(vec![f64::from(i % 17)]);
        let noise = if i % 20 == 0 { 3.0 } else { 1.0 + 0.2 * spread(i, 0.618_034) };
        table.cpu_secs.push((1.0 + f64::from(i % 17)) * noise);
    }
    let chosen = choose(&table, ALL, 3).unwrap();
    assert!((1.0..1.3).contains(&chosen.p90_ratio), "{chosen:?}");
    assert!((0.85..0.95).contains(&chosen.p90_coverage), "{chosen:?}");
}

#[test]
fn the_same_rows_and_seed_choose_the_same() {
    let mut table = Table::default();
    for ((x, y), i) in grid().zip(0..) {
        table.features.push(vec![x, y]);
        table.cpu_secs.push(x * y.sqrt() * (1.0 + 0.3 * spread(i, 0.618_034)));
    }
    let of_seed = |seed| format!("{:?}", choose(&table, ALL, seed));
    assert_eq!(of_seed(1), of_seed(1));
    assert_ne!(of_seed(1), of_seed(2));
}

#[test]
fn too_few_rows_choose_nothing() {
    assert!(choose(&Table::default(), ALL, 0).is_none());
    let table = Table { features: vec![vec![]; 9], cpu_secs: vec![1.0; 9] };
    assert!(choose(&table, ALL, 0).is_none());
    let table = Table { features: vec![vec![]; 10], cpu_secs: vec![1.0; 10] };
    assert_eq!(choose(&table, ALL, 0).unwrap().estimator, "mean");
}

/// The squares of ten times this feature are no number, those of eight are.
#[test]
fn an_estimator_that_fits_every_part_but_not_the_whole_leaves_it_to_the_next() {
    let per_second = (f64::MAX / 9.0).sqrt();
    let mut table = Table::default();
    for index in 0..10 {
        let cpu_secs = 1.0 + f64::from(index * 3 % 10) / 10.0;
        table.features.push(vec![cpu_secs * per_second]);
        table.cpu_secs.push(cpu_secs);
    }
    let chosen = choose(&table, ALL, 1).unwrap();
    assert_ne!(chosen.estimator, "linear", "{chosen:?}");
}

#[test]
fn nothing_negative_means_some_columns_are_left_out() {
    let rows = (0..20_u32).map(|i| vec![f64::from(i), f64::from(i * i), 1.0]);
    let targets: Vec<f64> =
        (0..20).map(|i| 5.0 + 3.0 * f64::from(i) - 0.01 * f64::from(i * i)).collect();
    let prices = Design::new(rows).absolute(&targets, Solver::NotNegative).unwrap();
    assert!(prices.iter().all(|price| 0.0 <= *price), "{prices:?}");
    assert!(prices[1] <= 0.0, "{prices:?}");
    assert!((prices[0] - 2.8).abs() < 0.1, "{prices:?}");
}

#[test]
fn what_is_left_is_at_right_angles_to_every_column() {
    let rows: Vec<Vec<f64>> = grid()
        // The fourth column is a combination of two others.
        .map(|(x, y)| vec![1.0, x, x * x, 2.0 * x + 3.0, x * y, y.ln()])
        .collect();
    let targets: Vec<f64> = (0..60).map(|i| 1.0 + spread(i, 0.324_718)).collect();
    let design = Design::new(rows.iter().cloned());
    let coefficients = design.absolute(&targets, Solver::LeastSquares).unwrap();
    assert!(coefficients[3].abs() < 1e-12 && 0.0 < coefficients[5].abs(), "{coefficients:?}");
    let left = rows.iter().zip(&targets).map(|(row, target)| {
        target - row.iter().zip(&coefficients).map(|(one, other)| one * other).sum::<f64>()
    });
    let left: Vec<f64> = left.collect();
    for column in 0..6 {
        let along: f64 = rows.iter().zip(&left).map(|(row, left)| row[column] * left).sum();
        let length: f64 = rows.iter().map(|row| row[column].powi(2)).sum::<f64>().sqrt();
        assert!((along / length).abs() < 1e-9, "{column}: {along} of {length}");
    }
}

/// Numbers of any size, many of them alike.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), -9.0..9.0_f64, 1e6..1e9_f64, -1e18..1e18_f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_was_observed_is_chosen_from_without_panic(
        rows in (1_usize..5).prop_flat_map(|n_features| prop::collection::vec(
            (prop::collection::vec(number(), n_features), 1e-9..1e6_f64), 10..40)),
        seed in any::<u64>(),
    ) {
        let (features, cpu_secs): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let table = Table { features, cpu_secs };
        let chosen = choose(&table, ALL, seed).unwrap();
        prop_assert!(chosen.formula.is_sound(table.n_features()), "{:?}", chosen);
        prop_assert!(chosen.mdape.is_finite() && 1.0 <= chosen.p90_ratio, "{:?}", chosen);
    }
}
