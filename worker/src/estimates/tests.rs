use http::HeaderValue;

use super::*;

fn headers(estimate: &str) -> HeaderMap {
    let value = HeaderValue::from_str(estimate).expect("it is visible text");
    HeaderMap::from_iter([(ESTIMATE, value)])
}

#[track_caller]
fn check(estimates: &Estimates, headers: &HeaderMap, work_secs: f64, is_told: bool) {
    let estimate = estimates.of("blur", headers);
    assert!((estimate.work_secs - work_secs).abs() < 1e-9, "{estimate:?}");
    assert_eq!(estimate.is_told, is_told);
}

#[test]
fn an_estimate_that_came_with_the_request_is_taken() {
    check(&Estimates::default(), &headers("0.012345"), 0.012_345, true);
    check(&Estimates::default(), &headers("1e-3"), 0.001, true);
}

#[test]
fn an_estimate_that_is_none_is_not_taken() {
    for not_one in ["", "0", "-1", "NaN", "inf", "0.1s", "0,1"] {
        check(&Estimates::default(), &headers(not_one), PRIOR_SECS, false);
    }
    check(&Estimates::default(), &HeaderMap::new(), PRIOR_SECS, false);
}

#[test]
fn an_estimate_is_within_bounds() {
    check(&Estimates::default(), &headers("1e300"), 3600.0, true);
    check(&Estimates::default(), &headers("1e-300"), 1e-6, true);
}

#[test]
fn without_an_estimate_it_is_the_mean_of_that_operation() {
    let estimates = Estimates::default();
    let untold = estimates.of("blur", &HeaderMap::new());
    for _ in 0..200 {
        estimates.ran("blur", untold, 0.5);
        estimates.ran("enhance", untold, 7.0);
    }
    check(&estimates, &HeaderMap::new(), 0.5, false);
    assert!((estimates.speed() - 1.0).abs() < 1e-9, "nobody told an estimate");
}

#[test]
fn the_speed_is_what_was_estimated_over_what_it_took() {
    let estimates = Estimates::default();
    for secs in [0.1, 2.0, 0.4] {
        let told = estimates.of("blur", &headers(&secs.to_string()));
        estimates.ran("blur", told, secs / 4.0);
    }
    assert!((estimates.speed() - 4.0).abs() < 1e-9, "{}", estimates.speed());
    // The mean is of this worker's seconds, an estimate of the reference core's.
    let untold = estimates.of("enhance", &HeaderMap::new());
    estimates.ran("enhance", untold, 1.0);
    let again = estimates.of("enhance", &HeaderMap::new());
    assert!((again.work_secs - 4.0).abs() < 1e-9, "{again:?}");
}

#[test]
fn the_speed_has_bounds_and_follows_the_present() {
    let estimates = Estimates::default();
    let told = estimates.of("blur", &headers("1000"));
    estimates.ran("blur", told, 1e-6);
    assert!((estimates.speed() - 64.0).abs() < 1e-9, "{}", estimates.speed());
    let told = estimates.of("blur", &headers("1"));
    for _ in 0..2000 {
        estimates.ran("blur", told, 1.0);
    }
    assert!((estimates.speed() - 1.0).abs() < 0.01, "{}", estimates.speed());
}

#[test]
fn where_a_client_stands_is_taken_as_it_was_told_and_otherwise_with_all_others() {
    let owner = |text: &str| {
        let value = HeaderValue::from_str(text).expect("it is visible text");
        owner_of(&HeaderMap::from_iter([(ORDER, value)]))
    };
    assert_eq!(owner("2 12.5"), Owner { priority: 2, attained_secs: 12.5 });
    let most = Owner { priority: 0, attained_secs: ATTAINED_SECS_MAX };
    assert_eq!(owner("0 1e300"), most);
    for not_one in ["", "2", "300 1", "0 -1", "0 NaN", "0  1", "a b", "-1 0"] {
        assert_eq!(owner(not_one), Owner::default(), "{not_one}");
    }
    assert_eq!(owner_of(&HeaderMap::new()), Owner::default());
}
