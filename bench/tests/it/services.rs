use serde_json::Value;

use crate::program::bench_services;

/// One of the services, small: what its requests show tells what they cost, and nobody said so.
#[test]
fn a_service_of_others_is_predicted_without_a_line_of_features() {
    let line = "--services page --requests 120 --held-out 40";
    let Some(rows) = bench_services(line) else { return };
    let [row] = &rows[..] else { panic!("one service: {rows:?}") };
    let number = |key: &str| row[key].as_f64().unwrap();
    assert_eq!((&row["service"], &row["requests"]), (&"page".into(), &120.into()), "{row}");
    assert!(number("mdape") < number("running_mean_mdape") / 2.0, "{row}");
    assert!(
        matches!(&row["formula"], Value::String(formula) if formula.contains("query.items")),
        "{row}"
    );
}
