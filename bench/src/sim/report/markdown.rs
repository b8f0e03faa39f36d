//! The results as a table in Markdown.

use std::fmt::Write;

use super::Row;

/// A table, one row a policy.
pub fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| policy | load | sigma | requests | mean response s | p99 response s | mean slowdown | p99 slowdown | cost USD |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {:.4} | {:.4} | {:.3} | {:.3} | {:.4} |",
            row.policy,
            row.load,
            row.sigma,
            row.requests,
            row.mean_response,
            row.p99_response,
            row.mean_slowdown,
            row.p99_slowdown,
            row.cost_usd,
        );
    }
    table
}
