//! Hosts, with the seconds of work that each has left.

use maud::{Markup, html};
use serde_json::json;

use weighbridge_core::host::{PREFERENCE_MAX, PREFERENCE_MIN, Phase};

use super::super::snapshot::HostView;
use super::summary::level;
use super::words::{bar, count, known, number, ratio, secs, span};

/// The part's name.
pub(super) const NAME: &str = "hosts";

/// Hosts that are shown.
const SHOWN: usize = 200;

/// The shortest span that a full bar stands for, in seconds.
const BAR_MIN: f64 = 1.0;

/// See the module.
pub(super) fn html(hosts: &[HostView]) -> Markup {
    let most = hosts.iter().fold(BAR_MIN, |most, host| most.max(host.seconds_left));
    let shown = busiest(hosts);
    let has_fleets = hosts.iter().any(|host| host.fleet != hosts[0].fleet);
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { "host" }
                    th { "phase" }
                    th.wide { "work left " small { "full bar: " (span(most)) } }
                    th.n { "requests" }
                    th.n { "utilization" }
                    th.n { "speed" }
                    th.n.opt { "weight" }
                    th.n.opt { "memory" }
                    th.n { "failures" }
                    th.live { span.hidden { "change" } }
                } }
                tbody { @for host in &shown { (row(host, most, has_fleets)) } }
            }
        }
        @if hosts.is_empty() { p.none { "There are no hosts." } }
        @if shown.len() < hosts.len() {
            p.more { "and " (count("more", (hosts.len() - shown.len()) as u64)) " with less work left" }
        }
    }
}

/// The hosts with the most seconds of work left, in the order in which they joined.
fn busiest(hosts: &[HostView]) -> Vec<&HostView> {
    let mut shown: Vec<&HostView> = hosts.iter().collect();
    if SHOWN < shown.len() {
        shown.sort_by(|a, b| b.seconds_left.total_cmp(&a.seconds_left));
        shown.truncate(SHOWN);
        shown.sort_by_key(|host| host.id);
    }
    shown
}

fn row(host: &HostView, most: f64, has_fleets: bool) -> Markup {
    html! {
        tr id={ "host-" (host.id) } class=(host.phase_name()) {
            th scope="row" {
                (host.name)
                @if let Some(address) = &host.address {
                    @if *address != host.name { " " small { (address) } }
                }
                @if has_fleets { " " small { (host.fleet) } }
            }
            td { (phase(host)) }
            td.wide { (bar(host.seconds_left, most, "work")) (secs("seconds_left", host.seconds_left)) }
            td.n { (count("in_flight", u64::from(host.in_flight))) small { " / " (host.cores) } }
            td class={ "n " (level(host.utilization)) } { (ratio("utilization", host.utilization)) }
            td.n { (number("speed", host.speed, &format!("{:.2}", host.speed))) }
            td.n.opt { (number("weight", host.weight, &format!("{}", host.weight))) }
            td.n.opt { (known(host.memory, |memory| ratio("memory", memory))) }
            td.n { (count("failures_in_row", u64::from(host.failures_in_row))) }
            td.live { (changes(host)) }
        }
    }
}

fn phase(host: &HostView) -> Markup {
    let (kind, word) = match (host.ejected, host.down) {
        (true, true) => ("bad", "no answer"),
        (true, false) => ("bad", "ejected"),
        (false, _) => (host.phase_name(), host.phase_name()),
    };
    html! {
        span class={ "badge " (kind) } { (word) }
        @if let Some(secs) = host.ejected_seconds { " " small { (span(secs)) } }
    }
}

/// What can be asked for. The API says itself where it cannot be done.
fn changes(host: &HostView) -> Markup {
    let Some(address) = host.address.as_ref().filter(|_| host.is_listed) else { return html! {} };
    let body = json!({ "address": address }).to_string();
    let (path, word) = match host.phase {
        Phase::Draining => ("/fleet/undrain", "Resume"),
        Phase::Starting | Phase::Active | Phase::Gone => ("/fleet/drain", "Drain"),
    };
    let question = format!("Weight of {}, from {PREFERENCE_MIN} to {PREFERENCE_MAX}:", host.name);
    html! {
        button type="button" data-post=(path) data-body=(body) aria-label={ (word) " " (host.name) } { (word) }
        " "
        button type="button" data-post="/fleet/weight" data-body=(body) data-number="weight" data-ask=(question)
            data-now=(host.weight) aria-label={ "Weight of " (host.name) } { "Weight" }
    }
}

// === impl HostView ===

impl HostView {
    /// Its phase in a word.
    pub(super) fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Starting => "starting",
            Phase::Active => "active",
            Phase::Draining => "draining",
            Phase::Gone => "gone",
        }
    }
}
