//! The results as people read them.

use std::fmt::Write;

use super::LoadSummary;
use crate::units::time;

/// A line of counts, a line of errors where there are any, and a table in Markdown, one row a
/// class.
pub(super) fn markdown(report: &LoadSummary) -> String {
    let result = &report.result;
    let mut text = format!(
        "{} requests in {}: {:.1} right answers per second of {:.1} requests; sent late by less than {} (p99)\n",
        result.requests,
        time(result.seconds),
        result.throughput,
        report.rate,
        time(result.late_p99),
    );
    if 0 < result.errors.total() {
        let named = result.errors.named().into_iter().filter(|(_, n)| 0 < *n);
        let named: Vec<String> = named.map(|(name, n)| format!("{n} {name}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "failed: {}", named.join(", "));
    }
    text.push_str(
        "\n| class | alone, at most | answered | mean | p50 | p99 | longest | mean slowdown | p99 slowdown |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for class in [&result.all, &result.smaller_half].into_iter().chain(&result.classes) {
        let [mean, p50, p99, max] =
            [class.mean_response, class.p50_response, class.p99_response, class.max_response]
                .map(time);
        let (alone, slowdown, p99_slowdown) =
            (time(class.alone_max), class.mean_slowdown, class.p99_slowdown);
        let _ = writeln!(
            text,
            "| {} | {alone} | {} | {mean} | {p50} | {p99} | {max} | {slowdown:.2} | {p99_slowdown:.1} |",
            class.class, class.answered,
        );
    }
    text
}
