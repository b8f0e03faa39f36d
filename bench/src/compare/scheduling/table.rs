//! The results as people read them.

use std::fmt::Write;

use super::{ClassSpread, Goal, Measured, SchedulingRow};
use crate::compare::{Spread, missing_lines};
use crate::units::time;

/// Tables in Markdown for each load: all requests, then each size class; and what came of the
/// goals.
pub(in crate::compare) fn markdown(measured: &Measured) -> String {
    let mut text = format!("{}\n", measured.setting);
    for rows in measured.rows.chunk_by(|one, other| one.load.to_bits() == other.load.to_bits()) {
        // Writing to a string cannot fail, here and below.
        let _ = write_load(&mut text, rows, measured);
    }
    text
}

fn write_load(text: &mut String, rows: &[SchedulingRow], measured: &Measured) -> std::fmt::Result {
    let Some(first) = rows.first() else { return Ok(()) };
    writeln!(text, "\n### Load {:.2}: {:.1} requests per second\n", first.load, first.rate)?;
    text.push_str(
        "| proxy | mean slowdown | p99 slowdown | mean response | p99 response | p99 response, smaller half | answers per second | proxy CPU per request | failed |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |",
            row.proxy,
            row.all.mean_slowdown.show(factor),
            row.all.p99_slowdown.show(factor),
            row.all.mean_response.show(time),
            row.all.p99_response.show(time),
            row.smaller_half.p99_response.show(time),
            row.throughput.show(factor),
            micros(row.proxy_cpu_micros).show(time),
            row.failed,
            row.requests,
        )?;
    }
    text.push_str(&missing_lines(&measured.missing, 7));
    text.push('\n');
    write_classes(text, rows, &first.classes)?;
    write_goals(text, rows, measured.goals)
}

/// Mean response and mean slowdown of each class.
fn write_classes(
    text: &mut String,
    rows: &[SchedulingRow],
    classes: &[ClassSpread],
) -> std::fmt::Result {
    text.push_str("| mean response, mean slowdown |");
    for class in classes {
        write!(text, " {} (to {}) |", class.class, time(class.alone_max))?;
    }
    writeln!(text, "\n|---|{}", "---|".repeat(classes.len()))?;
    for row in rows {
        write!(text, "| {} |", row.proxy)?;
        for class in &row.classes {
            let (response, slowdown) = (class.mean_response.median, class.mean_slowdown.median);
            write!(text, " {}, {} |", time(response), factor(slowdown))?;
        }
        text.push('\n');
    }
    Ok(())
}

fn write_goals(text: &mut String, rows: &[SchedulingRow], goals: &[Goal]) -> std::fmt::Result {
    for row in rows {
        let goal = goals.iter().find(|goal| goal.proxy == row.proxy);
        let Some((against, goal)) = row.against_best_peer.as_ref().zip(goal) else { continue };
        writeln!(
            text,
            "\n{} against the best peer: mean slowdown {:.2} times better than {} (goal {}), p99 response of \
             the smaller half {:.2} times better than {} (goal {}), worst size class {} with {:.2} times its \
             best peer's mean response (goal 1.1 at most).",
            row.proxy,
            against.mean_slowdown,
            against.mean_slowdown_peer,
            goal.mean_slowdown,
            against.smaller_half_p99,
            against.smaller_half_p99_peer,
            goal.smaller_half_p99,
            against.worst_class,
            against.worst_class_response,
        )?;
    }
    Ok(())
}

fn factor(value: f64) -> String {
    if value < 9.95 { format!("{value:.2}") } else { format!("{value:.1}") }
}

fn micros(spread: Spread) -> Spread {
    let Spread { median, least, most } = spread;
    Spread { median: median / 1e6, least: least / 1e6, most: most / 1e6 }
}
