//! The results as people read them.

use std::fmt::Write;

use super::RouteResult;

/// A table in Markdown, one row a route.
pub(super) fn markdown(results: &[RouteResult]) -> String {
    let mut table = String::from(
        "| route | learned from | judged | work: least, median, most | estimator | median error | p90 held | extract | estimate |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for result in results {
        let RouteResult { route, requests, estimator, score, timing, .. } = result;
        let [least, median, most] = score.work_seconds.map(time);
        let (mdape, held) = (score.mdape * 100.0, score.p90_coverage * 100.0);
        let (extract, estimate) = (time(timing.extract_seconds), time(timing.estimate_seconds));
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {route} | {requests} | {} | {least}, {median}, {most} | {estimator} | {mdape:.1} % | {held:.0} % | {extract} | {estimate} |",
            score.held_out,
        );
    }
    table
}

/// A time in the unit that suits it.
fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}
