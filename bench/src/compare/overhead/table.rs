//! The results as people read them.

use std::fmt::Write;

use super::{Measured, OverheadRow};
use crate::compare::{Spread, missing_lines};
use crate::units::time;

/// A table in Markdown for each setting.
pub(super) fn markdown(measured: &Measured) -> String {
    let mut text = format!("{}\n", measured.setting);
    let key = |row: &OverheadRow| (row.body_bytes, row.connections);
    for rows in measured.rows.chunk_by(|one, other| key(one) == key(other)) {
        // Writing to a string cannot fail.
        let _ = write_setting(&mut text, rows, measured);
    }
    text
}

fn write_setting(text: &mut String, rows: &[OverheadRow], measured: &Measured) -> std::fmt::Result {
    let Some(first) = rows.first() else { return Ok(()) };
    writeln!(text, "\n### {} bytes, {} connections\n", first.body_bytes, first.connections)?;
    text.push_str(
        "| proxy | requests per second | CPU µs per request | times bare pingora | added p50 | added p99 | failed |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let or_none = |spread: &Option<Spread>, show: fn(f64) -> String| {
            spread.as_ref().map_or_else(|| "–".to_owned(), |spread| spread.show(show))
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.proxy,
            row.requests_per_second.show(|value| format!("{value:.0}")),
            or_none(&row.cpu_micros, |value| format!("{value:.1}")),
            or_none(&row.cpu_over_pingora, |value| format!("{value:.2}")),
            or_none(&row.added_p50, signed_time),
            or_none(&row.added_p99, signed_time),
            row.failed,
        )?;
    }
    text.push_str(&missing_lines(&measured.missing, 5));
    Ok(())
}

fn signed_time(seconds: f64) -> String {
    if seconds < 0.0 { format!("−{}", time(-seconds)) } else { time(seconds) }
}
