//! What `/snapshot` says, as lines for a terminal.

use serde_json::Value;

use weighbridge_proxy::words::{grouped, percent, rate, span, time_of_day};

/// Columns of a bar.
const BAR: usize = 26;

/// Eighths of a column, filled.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// What each part may take.
pub(super) struct Room {
    columns: usize,
    hosts: usize,
    routes: usize,
    requests: usize,
    changes: usize,
    is_terminal: bool,
}

impl Room {
    /// Of a terminal with so many columns and rows.
    pub(super) fn of((columns, rows): (usize, usize)) -> Room {
        // Titles, blank lines, and what tells how many more there are.
        let free = rows.saturating_sub(13);
        let (hosts, routes, changes) = (free * 2 / 5, free / 5, free / 10);
        let requests = free.saturating_sub(hosts + routes + changes);
        Room { columns, hosts, routes, requests, changes, is_terminal: true }
    }

    /// Whatever it takes.
    pub(super) fn unbounded() -> Room {
        let all = usize::MAX;
        Room {
            columns: all,
            hosts: all,
            routes: all,
            requests: all,
            changes: 5,
            is_terminal: false,
        }
    }
}

/// The lines, each with its line break.
pub(super) fn lines(snapshot: &Value, room: &Room) -> Vec<String> {
    let parts = [
        summary(snapshot),
        hosts(snapshot, room.hosts),
        requests(snapshot, room.requests),
        routes(snapshot, room.routes),
        changes(snapshot, room.changes),
    ];
    let shown = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let lines = shown.join(&Line::plain(""));
    lines.into_iter().map(|line| line.finish(room)).collect()
}

/// One line, and whether it is a title.
#[derive(Clone)]
struct Line {
    text: String,
    is_title: bool,
}

impl Line {
    fn plain(text: impl Into<String>) -> Line {
        Line { text: text.into(), is_title: false }
    }

    fn title(text: impl Into<String>) -> Line {
        Line { text: text.into(), is_title: true }
    }

    /// As it is written: no longer than there is room, and without what a terminal would obey.
    fn finish(&self, room: &Room) -> String {
        let seen =
            self.text.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let text: String = seen.take(room.columns).collect();
        if self.is_title && room.is_terminal {
            format!("\x1b[1m{text}\x1b[0m\n")
        } else {
            format!("{text}\n")
        }
    }
}

fn summary(snapshot: &Value) -> Vec<Line> {
    let hosts = list(&snapshot["hosts"]);
    let active: Vec<&Value> = hosts.iter().filter(|host| host["phase"] == "active").collect();
    let busy: f64 = active.iter().map(|host| float(&host["utilization"])).sum();
    let busy = percent(busy / active.len().max(1) as f64);
    let left = hosts.iter().map(|host| float(&host["work_left_seconds"])).sum();
    let flows = list(&snapshot["routes"]);
    let each_second: f64 = flows.iter().map(|route| float(&route["per_second"])).sum();
    let errors =
        flows.iter().map(|route| float(&route["per_second"]) * float(&route["error_ratio"]));
    let ready = if snapshot["ready"] == true { "ready" } else { "NOT READY" };
    let (waiting, requests) = (&snapshot["waiting"], &snapshot["requests"]);
    vec![
        Line::title(format!(
            "weighbridge {ready}   {} hosts, {} active, {busy} busy   {}   {} errors",
            hosts.len(),
            active.len(),
            rate(each_second),
            rate(errors.sum()),
        )),
        Line::plain(format!(
            "{} run with {} of work left   {} wait with {}",
            grouped(whole(&requests["running"]["count"])),
            span(left),
            grouped(whole(&waiting["requests"])),
            span(float(&waiting["work_seconds"])),
        )),
    ]
}

fn hosts(snapshot: &Value, room: usize) -> Vec<Line> {
    let hosts = list(&snapshot["hosts"]);
    let most = hosts.iter().fold(1.0, |most: f64, host| most.max(float(&host["seconds_left"])));
    let scale = format!("WORK LEFT (bar: {})", span(most));
    let title = format!(
        "{:<24} {:<9} {scale:<BAR$} {:>9} {:>9} {:>7} {:>6} {:>6} {:>5}",
        "HOST", "PHASE", "", "REQUESTS", "UTIL", "SPEED", "MEM", "FAILS",
    );
    let row = |host: &Value| {
        let phase = match (host["ejected"] == true, host["down"] == true) {
            (true, true) => "no answer",
            (true, false) => "ejected",
            (false, _) => text(&host["phase"]),
        };
        let left = float(&host["seconds_left"]);
        let memory = host["memory"].as_f64().map_or("-".to_owned(), percent);
        let requests = format!("{}/{}", whole(&host["in_flight"]), whole(&host["cores"]));
        format!(
            "{:<24} {phase:<9} {:<BAR$} {:>9} {requests:>9} {:>7} {:>6.2} {memory:>6} {:>5}",
            cut(text(&host["name"]), 24),
            bar(left, most),
            span(left),
            percent(float(&host["utilization"])),
            float(&host["speed"]),
            whole(&host["failures_in_row"]),
        )
    };
    part(title, hosts, (hosts.len(), room), row)
}

fn requests(snapshot: &Value, room: usize) -> Vec<Line> {
    let requests = &snapshot["requests"];
    let kinds = [&requests["running"], &requests["waiting"]];
    let shown: Vec<Value> = kinds.iter().flat_map(|kind| list(&kind["largest"])).cloned().collect();
    let count: u64 = kinds.iter().map(|kind| whole(&kind["count"])).sum();
    let title = format!(
        "{:<32} {:<20} {:>9} {:>9} {:>9} {:<12} {}",
        "REQUEST", "WHERE", "LEFT", "ESTIMATE", "AGE", "ROUTE", "CLIENT"
    );
    let row = |one: &Value| {
        let place = one["host"].as_str().or(one["function"].as_str()).unwrap_or("waits");
        let what = format!("{} {}", text(&one["method"]), text(&one["path"]));
        format!(
            "{:<32} {:<20} {:>9} {:>9} {:>9} {:<12} {}",
            cut(&what, 32),
            cut(place, 20),
            span(float(&one["work_left_seconds"])),
            span(float(&one["estimate_seconds"])),
            span(float(&one["age_seconds"])),
            cut(text(&one["route"]), 12),
            text(&one["client"]),
        )
    };
    part(title, &shown, (usize::try_from(count).unwrap_or(usize::MAX), room), row)
}

fn routes(snapshot: &Value, room: usize) -> Vec<Line> {
    let routes = list(&snapshot["routes"]);
    let title = format!(
        "{:<16} {:>8} {:>7} {:>8} {:>8} {:>8} {:>7} {:>8} {}",
        "ROUTE", "RATE", "ERRORS", "P50", "P99", "SLOWDOWN", "MODEL", "COVERAGE", "COST"
    );
    let known = |value: &Value, show: fn(f64) -> String| {
        value.as_f64().map_or_else(|| "-".to_owned(), show)
    };
    let row = |route: &Value| {
        format!(
            "{:<16} {:>8} {:>7} {:>8} {:>8} {:>8} {:>7} {:>8} {}",
            cut(text(&route["name"]), 16),
            rate(float(&route["per_second"])),
            percent(float(&route["error_ratio"])),
            known(&route["p50_seconds"], span),
            known(&route["p99_seconds"], span),
            known(&route["slowdown"], |x| format!("{x:.1} x")),
            known(&route["mdape"], percent),
            known(&route["p90_coverage"], percent),
            route["formula"].as_str().unwrap_or(text(&route["estimator"])),
        )
    };
    part(title, routes, (routes.len(), room), row)
}

fn changes(snapshot: &Value, room: usize) -> Vec<Line> {
    let changes: Vec<Value> =
        list(&snapshot["timeline"]["changes"]).iter().rev().cloned().collect();
    let row = |change: &Value| {
        let at = time_of_day(float(&change["at"]));
        let (action, n) = (text(&change["action"]), whole(&change["hosts"]));
        format!("{at} {action:<8} {n:>3}  {}", text(&change["reason"]))
    };
    // Older ones are of no interest here.
    part("CHANGES (UTC)".to_owned(), &changes, (changes.len().min(room), room), row)
}

/// A title, the first `room` rows, and how many more of the `count` there are.
fn part(
    title: String,
    rows: &[Value],
    (count, room): (usize, usize),
    row: impl Fn(&Value) -> String,
) -> Vec<Line> {
    if rows.is_empty() || room == 0 {
        return Vec::new();
    }
    let shown = rows.len().min(room);
    let more = count.saturating_sub(shown);
    let more = (0 < more).then(|| Line::plain(format!("and {} more", grouped(more as u64))));
    let rows = rows.iter().take(room).map(|one| Line::plain(row(one)));
    [Line::title(title)].into_iter().chain(rows).chain(more).collect()
}

/// A bar of `value` where `most` is full.
fn bar(value: f64, most: f64) -> String {
    let eighths = ((value / most).clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bars_are_filled_to_an_eighth() {
        assert_eq!(bar(0.0, 1.0), "");
        assert_eq!(bar(1.0, 1.0).chars().count(), BAR);
        assert_eq!(bar(0.5 / BAR as f64, 1.0), "▌");
        assert_eq!(bar(9.0, 1.0), bar(1.0, 1.0));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_what_would_be_obeyed_is_not_written() {
        let host = |n: u32| json!({ "name": format!("h{n}\u{1b}[2J"), "phase": "active" });
        let hosts: Vec<Value> = (0..100).map(host).collect();
        let room = Room::of((60, 30));
        let lines = lines(&json!({ "ready": true, "hosts": hosts }), &room);
        assert!(lines.iter().any(|line| line == "and 94 more\n"), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("\u{1b}[2J")), "{lines:?}");
        assert!(lines.iter().all(|line| line.trim_start_matches("\x1b[1m").chars().count() <= 65));
    }

    #[test]
    fn a_snapshot_that_says_nothing_is_shown_all_the_same() {
        let lines = lines(&json!({}), &Room::unbounded());
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("weighbridge NOT READY"), "{lines:?}");
    }
}
