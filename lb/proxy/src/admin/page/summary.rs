//! The numbers on top.

use maud::{Markup, html};

use super::super::snapshot::{Shown, Snapshot};
use super::words::{count, number, percent, rate, secs};

/// The part's name.
pub(super) const NAME: &str = "summary";

/// See the module.
pub(super) fn html(shown: &Shown) -> Markup {
    let now = &shown.snapshot;
    let (phases, busy) = hosts(now);
    let left: f64 = now.hosts.iter().map(|host| host.work_left_seconds).sum();
    let [requests, errors] = per_second(now);
    html! {
        div.tiles {
            (tile(if now.ready { "ready" } else { "not ready" }, if now.ready { "good" } else { "bad" },
                &html! { (count("hosts", now.hosts.len() as u64)) " hosts" }, &phases))
            (tile("utilization", level(busy), &number("utilization", busy, &percent(busy)),
                "mean of active hosts"))
            (tile("running", "", &count("running", now.requests.running.count as u64),
                "requests at hosts"))
            (tile("waiting", if now.waiting.requests == 0 { "" } else { "warn" },
                &count("waiting", now.waiting.requests as u64), "requests in the waiting room"))
            (tile("work left", "", &secs("work_left_seconds", left), "CPU time at hosts"))
            (tile("work waiting", "", &secs("work_seconds", now.waiting.work_seconds),
                "CPU time in the waiting room"))
            (tile("requests", "", &number("per_second", requests, &rate(requests)), "of the last minute"))
            (tile("errors", if 0.0 < errors { "bad" } else { "" },
                &number("errors_per_second", errors, &rate(errors)), "500 and above"))
        }
    }
}

fn tile(name: &str, kind: &str, value: &Markup, what: &str) -> Markup {
    html! {
        div class={ "tile " (kind) } {
            span.name { (name) }
            strong { (value) }
            small { (what) }
        }
    }
}

/// Hosts by phase, in words, and the mean utilization of active ones.
fn hosts(now: &Snapshot) -> (String, f64) {
    let n = |phase: &str| now.hosts.iter().filter(|host| host.phase_name() == phase).count();
    let active = n("active");
    let busy = now.hosts.iter().filter(|host| host.phase_name() == "active");
    let busy: f64 = busy.map(|host| host.utilization).sum();
    let out = now.hosts.iter().filter(|host| host.ejected).count();
    let kinds = [
        (active, "active"),
        (n("starting"), "starting"),
        (n("draining"), "draining"),
        (out, "out"),
    ];
    let kinds = kinds.iter().filter(|(n, _)| 0 < *n);
    let words: Vec<String> = kinds.map(|(n, kind)| format!("{n} {kind}")).collect();
    (words.join(", "), busy / active.max(1) as f64)
}

/// Requests and errors in a second, of all routes.
fn per_second(now: &Snapshot) -> [f64; 2] {
    let flows = now.routes.iter().map(|route| &route.flow);
    flows.fold([0.0, 0.0], |[requests, errors], flow| {
        [requests + flow.per_second, errors + flow.per_second * flow.error_ratio]
    })
}

/// How a utilization looks.
pub(super) fn level(utilization: f64) -> &'static str {
    match utilization {
        busy if busy < 0.7 => "",
        busy if busy < 0.95 => "warn",
        _ => "bad",
    }
}
