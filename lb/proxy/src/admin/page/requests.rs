//! Requests that run and wait, those with the most work left first.

use maud::{Markup, html};

use super::super::snapshot::{RequestView, Snapshot};
use super::words::{bar, bytes, count, number, secs, span};

/// The part's name.
pub(super) const NAME: &str = "requests";

/// The shortest span that a full bar stands for, in seconds.
const BAR_MIN: f64 = 0.1;

/// See the module.
pub(super) fn html(now: &Snapshot) -> Markup {
    let (running, waiting) = (&now.requests.running, &now.requests.waiting);
    let all = || running.largest.iter().chain(&waiting.largest);
    let most = all().fold(BAR_MIN, |most, one| most.max(one.work_left_seconds));
    html! {
        p.state {
            (count("running", running.count as u64)) " run, "
            (count("waiting", waiting.count as u64)) " wait with "
            (number("bytes", now.waiting.bytes as f64, &bytes(now.waiting.bytes))) " of bodies and "
            (secs("work_seconds", now.waiting.work_seconds)) " of work"
        }
        @if all().next().is_some() {
            div.scroll.tall {
                table {
                    thead { tr {
                        th { "request" }
                        th { "where" }
                        th.wide { "work left " small { "full bar: " (span(most)) } }
                        th.n { "estimate" }
                        th.n { "age" }
                        th.n.opt { "tries" }
                        th.opt { "client" }
                        th.live { span.hidden { "change" } }
                    } }
                    tbody {
                        @for one in &running.largest { (row(one, "running", most)) }
                        (more("running", running.count - running.largest.len()))
                        @for one in &waiting.largest { (row(one, "waiting", most)) }
                        (more("waiting", waiting.count - waiting.largest.len()))
                    }
                }
            }
        } @else {
            p.none { "No request is here." }
        }
    }
}

fn more(kind: &str, n: usize) -> Markup {
    html! {
        @if 0 < n {
            tr.more id={ "more-" (kind) } {
                td colspan="8" { "and " (count("more", n as u64)) " more that are " (kind) }
            }
        }
    }
}

fn row(one: &RequestView, kind: &str, most: f64) -> Markup {
    html! {
        tr id={ "request-" (one.id) } class=(kind) {
            th scope="row" {
                (one.method.as_deref().unwrap_or_default()) " "
                span.path { (one.path.as_deref().unwrap_or("–")) }
                " " small { (one.route) }
            }
            td { (place(one, kind)) }
            td.wide { (bar(one.work_left_seconds, most, kind)) (secs("work_left_seconds", one.work_left_seconds)) }
            td.n title={ (one.estimate_source) ", 90 % below " (span(one.estimate_p90_seconds)) } {
                (secs("estimate_seconds", one.estimate_seconds))
            }
            td.n { (secs("age_seconds", one.age_seconds)) }
            td.n.opt { (count("tries", one.tries as u64)) }
            td.opt { (one.client.as_deref().unwrap_or("–")) }
            td.live { (cancel(one)) }
        }
    }
}

fn place(one: &RequestView, kind: &str) -> Markup {
    let place = one.host.as_ref().or(one.function.as_ref());
    html! {
        @match place {
            Some(place) => { (place) }
            None => { span class={ "badge " (kind) } { (if kind == "waiting" { "waits" } else { "host gone" }) } }
        }
        @if one.job.is_some() { " " small { "job" } }
    }
}

fn cancel(one: &RequestView) -> Markup {
    let what = one.path.as_deref().unwrap_or_default();
    let path = match &one.job {
        Some(job) => format!("/jobs/{job}"),
        None => format!("/requests/{}", one.id),
    };
    html! {
        button.danger type="button" data-delete=(path) data-ask={ "Cancel " (what) "?" } aria-label={ "Cancel " (what) } {
            "Cancel"
        }
    }
}
