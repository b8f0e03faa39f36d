//! Clients: who has had how much, and who waits.

use maud::{Markup, html};

use weighbridge_core::share::{ClassShown, ClientShown};

use super::super::clients::Sharing;
use super::words::{count, number, secs};

/// The part's name.
pub(super) const NAME: &str = "clients";

/// Clients of each fleet that are shown.
pub(super) const SHOWN: usize = 50;

/// See the module.
pub(super) fn html(fleets: &[Sharing]) -> Markup {
    let shared: Vec<&Sharing> = fleets.iter().filter(|fleet| !fleet.classes.is_empty()).collect();
    html! {
        @for fleet in &shared {
            @if 1 < fleets.len() { h3 { (fleet.fleet) } }
            p.classes { @for class in &fleet.classes { (words_of(class)) } }
            div.scroll { (table(fleet)) }
            @if fleet.clients.is_empty() { p.none { "No client has asked yet." } }
            @if fleet.clients.len() < fleet.n_clients {
                p.more {
                    "and " (count("more", (fleet.n_clients - fleet.clients.len()) as u64))
                    " that have had less"
                }
            }
        }
    }
}

/// A class in words: how evenly its clients are served.
fn words_of(class: &ClassShown) -> Markup {
    html! {
        span.badge { (class.class) }
        " "
        @if let Some(fairness) = class.fairness {
            abbr title="Jain's index: 1 where all clients have had as much" { "fairness" }
            " " (number("fairness", fairness, &format!("{fairness:.2}"))) ", "
        }
        (secs("used_cpu_seconds", class.used_cpu_seconds)) " used. "
    }
}

fn table(fleet: &Sharing) -> Markup {
    html! {
        table {
            thead { tr {
                th { "client" }
                th { "class" }
                th.n { abbr title="CPU seconds, of which half is forgotten with each half-life" { "has had" } }
                th.n { "here" }
                th.n { "running" }
                th.n.opt { "used" }
                th.n { "requests" }
                th.n { "refused" }
            } }
            tbody { @for client in &fleet.clients { (row(&fleet.fleet, client)) } }
        }
    }
}

fn row(fleet: &str, client: &ClientShown) -> Markup {
    html! {
        tr id={ "client-" (fleet) "-" (client.class) "-" (client.client) } {
            th scope="row" { (client.client) }
            td { (client.class) }
            td.n { (secs("attained_cpu_seconds", client.attained_cpu_seconds)) }
            td.n { (count("here", u64::from(client.here))) }
            td.n { (secs("running_cpu_seconds", client.running_cpu_seconds)) }
            td.n.opt { (secs("used_cpu_seconds", client.used_cpu_seconds)) }
            td.n { (count("requests", client.requests)) }
            td.n.bad[0 < client.refused] { (count("refused", client.refused)) }
        }
    }
}
