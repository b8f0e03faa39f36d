//! The results as tables in Markdown.

use std::fmt::Write;

use super::super::measure::Measured;
use super::super::scenario::Scenario;
use super::{Row, oracle};

/// A table, one row a policy.
pub fn table(rows: &[Row]) -> String {
    let has_functions = rows.iter().any(|row| row.lambda_usd.is_some());
    let mut table = String::from(
        "| policy | load | sigma | requests | mean response s | p99 response s | mean slowdown | p99 slowdown | cost USD |",
    );
    table += if has_functions { " of it Lambda USD | runs on Lambda |\n" } else { "\n" };
    table += "|---|---|---|---|---|---|---|---|---|";
    table += if has_functions { "---|---|\n" } else { "\n" };
    for row in rows {
        // Writing to a string cannot fail.
        let _ = write!(
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
        if let (Some(usd), Some(runs)) = (row.lambda_usd, row.lambda_runs) {
            let _ = write!(table, " {usd:.4} | {runs} |");
        }
        table.push('\n');
    }
    table
}

/// The whole report: tables, and pictures by file name and title.
pub fn report(
    scenario: &Scenario,
    rows: &[Row],
    results: &[Measured],
    pictures: &[(&str, &str)],
) -> String {
    let Scenario { name, about, seed, .. } = scenario;
    let mut report = format!("# {name}\n\n{about}\n\nSeed {seed}.\n\n{}", table(rows));
    if rows.iter().any(|row| oracle::is_oracle(&row.policy)) {
        report += "\n## Cost over the oracle's at the same response\n\n";
        report += &costs(rows);
    }
    report += "\n## Mean response by size\n\n";
    report += &deciles(results);
    for (file, title) in pictures {
        // Writing to a string cannot fail.
        let _ = write!(report, "\n![{title}]({file})\n");
    }
    report
}

/// Each policy beside the cheapest run of the oracle with no longer 99 % response.
fn costs(rows: &[Row]) -> String {
    let mut table = String::from(
        "| policy | p99 response s | cost USD | oracle | oracle's p99 s | oracle's cost USD | cost over the oracle's |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in rows.iter().filter(|row| !oracle::is_oracle(&row.policy)) {
        let beside = match oracle::match_of(row, rows) {
            Some(best) => format!(
                "{} | {:.4} | {:.4} | {:+.1} %",
                best.policy,
                best.p99_response,
                best.cost_usd,
                (row.cost_usd / best.cost_usd - 1.0) * 100.0,
            ),
            None => "none reaches it | | |".to_owned(),
        };
        let Row { policy, p99_response, cost_usd, .. } = row;
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {policy} | {p99_response:.4} | {cost_usd:.4} | {beside} |");
    }
    table
}

/// Mean responses in seconds of each tenth of the requests, the smallest first.
fn deciles(results: &[Measured]) -> String {
    let mut table = String::from(
        "| policy, mean response s | 1st tenth | 2nd | 3rd | 4th | 5th | 6th | 7th | 8th | 9th | 10th |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for measured in results {
        let means = measured.deciles().into_iter().map(|class| class.mean_response);
        let means: Vec<String> = means.map(|mean| format!("{mean:.4}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} | {} |", measured.policy, means.join(" | "));
    }
    table
}
