//! The results as people read them.

use std::fmt::Write;

use super::RouteResult;
use crate::units::time;

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
