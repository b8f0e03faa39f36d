//! The results as people read them.

use std::fmt::Write;

use super::ServiceResult;
use crate::units::time;

/// A table in Markdown, one row a service, and the formulas under it.
pub(super) fn markdown(results: &[ServiceResult]) -> String {
    let mut table = String::from(
        "| service | learned from | time: least, median, most | median error | p90 held | running mean | two at a time | estimator |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for result in results {
        let ServiceResult { service, requests, score, estimator, .. } = result;
        let [least, median, most] = score.work_seconds.map(time);
        let [error, held, mean, busy] =
            [score.mdape, score.p90_coverage, score.running_mean_mdape, result.two_at_a_time_mdape]
                .map(|part| part * 100.0);
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {service} | {requests} | {least}, {median}, {most} | {error:.1} % | {held:.0} % | {mean:.0} % | {busy:.1} % | {estimator} |",
        );
    }
    table.push('\n');
    for result in results {
        let _ = writeln!(table, "- `{}`: {}", result.service, result.formula);
    }
    table
}
