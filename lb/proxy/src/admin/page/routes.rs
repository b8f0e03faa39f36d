//! Routes: how their requests go, and what is learned of their cost.

use maud::{Markup, html};

use super::super::snapshot::RouteView;
use super::words::{count, known, number, rate, ratio, secs};

/// The part's name.
pub(super) const NAME: &str = "routes";

/// Routes that are shown.
const SHOWN: usize = 100;

/// The slowdown above which a route looks slow.
const SLOW: f64 = 10.0;

/// The error of estimates above which they look bad.
const OFF: f64 = 0.5;

/// See the module.
pub(super) fn html(routes: &[RouteView]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { "route" }
                    th.n { "rate" }
                    th.n { "errors" }
                    th.n { "p50" }
                    th.n { "p99" }
                    th.n { abbr title="mean of response time over measured work" { "slowdown" } }
                    th.n { abbr title="median error of recent estimates, made before the outcome" { "model error" } }
                    th.n { abbr title="fraction of requests that stayed below their 90 % estimate" { "coverage" } }
                    th.n.opt { "observed" }
                    th { "cost, as learned" }
                } }
                tbody { @for route in routes.iter().take(SHOWN) { (row(route)) } }
            }
        }
        @if SHOWN < routes.len() {
            p.more { "and " (count("more", (routes.len() - SHOWN) as u64)) " routes more" }
        }
    }
}

fn row(route: &RouteView) -> Markup {
    let (flow, quality) = (&route.flow, &route.quality);
    let is_slow = flow.slowdown.is_some_and(|slowdown| SLOW <= slowdown);
    let is_off = quality.mdape.is_some_and(|error| OFF <= error);
    html! {
        tr id={ "route-" (route.name) } {
            th scope="row" {
                (route.name)
                " " small { (count("requests", flow.requests)) " so far" }
            }
            td.n { (number("per_second", flow.per_second, &rate(flow.per_second))) }
            td.n.bad[0.0 < flow.error_ratio] { (ratio("error_ratio", flow.error_ratio)) }
            td.n { (known(flow.p50_seconds, |at| secs("p50_seconds", at))) }
            td.n { (known(flow.p99_seconds, |at| secs("p99_seconds", at))) }
            td.n.warn[is_slow] { (known(flow.slowdown, |x| number("slowdown", x, &format!("{x:.1} ×")))) }
            td.n.warn[is_off] { (known(quality.mdape, |error| ratio("mdape", error))) }
            td.n { (known(quality.p90_coverage, |part| ratio("p90_coverage", part))) }
            td.n.opt { (count("observations", quality.observations)) }
            td.formula { (formula(route)) }
        }
    }
}

fn formula(route: &RouteView) -> Markup {
    html! {
        @if let Some(formula) = &route.formula { code { (formula) } " " }
        small {
            (route.quality.estimator)
            @if !route.quality.trusted { ", not believed" }
            @if route.is_training { ", training" }
        }
    }
}
