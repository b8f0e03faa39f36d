use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};

use super::*;

/// A row with these features.
fn row(features: &[(&str, f64)]) -> StoredObservation {
    StoredObservation {
        id: 1,
        route: "work".to_owned(),
        at: UNIX_EPOCH,
        host: "host".to_owned(),
        status: 200,
        waiting: Duration::ZERO,
        response: Duration::ZERO,
        feature_names: features.iter().map(|(name, _)| (*name).to_owned()).collect(),
        features: Features(features.iter().map(|(_, value)| *value).collect()),
        estimated: None,
        cost: RequestCost::default(),
        work: Work::saturating(1.0),
        speed: Speed::ONE,
        build: 0,
    }
}

#[test]
fn rows_are_read_by_name_in_whatever_order_features_were_found() {
    let names = ["auto", "query.b", "query.new", "query.a"].map(str::to_owned);
    let kept = row(&[("auto", 1.0), ("query.a", 2.0), ("query.b", 3.0), ("query.gone", 4.0)]);
    let observation = kept.observation_by_name(RouteId(0), &names).unwrap();
    assert_eq!(observation.features.0[..], [1.0, 3.0, 0.0, 2.0]);
    let declared = row(&[("query.a", 2.0), ("query.b", 3.0)]);
    let read = declared.observation_by_name(RouteId(0), &names);
    assert_eq!(read, None, "what was not looked for is not 0");
}

#[test]
fn names_that_are_seldom_there_are_not_taken_up_again() {
    let mut rows: Vec<_> = (0..10).map(|_| row(&[("auto", 1.0), ("query.a", 2.0)])).collect();
    rows.push(row(&[("auto", 1.0), ("query.a", 2.0), ("query.seldom", 1.0)]));
    rows.push(row(&[("query.declared", 2.0)]));
    assert_eq!(common_names(&rows), ["auto", "query.a"]);
}

#[test]
fn rows_from_before_the_common_names_were_found_are_left_out() {
    let whole = row(&[("auto", 1.0), ("query.a", 2.0)]);
    let early = row(&[("auto", 1.0)]);
    let of = |n_early: usize, n_whole: usize| {
        let rows: Vec<_> = std::iter::repeat_n(&early, n_early)
            .chain(std::iter::repeat_n(&whole, n_whole))
            .collect();
        whole_rows(&rows).len()
    };
    assert_eq!(of(2, 10), 10);
    assert_eq!(of(8, 10), 18, "so many were not overlooked");
}
