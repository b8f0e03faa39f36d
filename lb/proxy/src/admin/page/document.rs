//! The page around its parts.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Parts, clients, hosts, jobs, requests, routes, summary, timeline};
use crate::config::Config;

/// Parts with a heading, in their order; each can be gone to by its number.
const SECTIONS: [(&str, &str); 6] = [
    (timeline::NAME, "Time line"),
    (hosts::NAME, "Hosts"),
    (requests::NAME, "Requests"),
    (routes::NAME, "Routes"),
    (clients::NAME, "Clients"),
    (jobs::NAME, "Jobs"),
];

/// Methods that can be explained.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What a change needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    /// The token.
    Token,
    /// Nothing: whoever is on this machine may.
    Open,
    /// It cannot be asked for here.
    Never,
}

impl Writes {
    /// By this configuration.
    pub(super) fn of(config: &Config) -> Writes {
        match (&config.admin_token_file, &config.admin_socket) {
            (Some(_), _) => Writes::Token,
            (None, Some(_)) => Writes::Never,
            (None, None) => Writes::Open,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Writes::Token => "token",
            Writes::Open => "open",
            Writes::Never => "never",
        }
    }
}

/// The page of `parts`.
pub(super) fn html(parts: &Parts, writes: Writes) -> Markup {
    let sections = SECTIONS.iter().filter(|(name, _)| !parts.get(name).is_empty());
    let sections: Vec<&(&str, &str)> = sections.collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Weighbridge" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body data-writes=(writes.name()) {
                (header(&sections, writes))
                main {
                    section #overview aria-label="Overview" { div #summary { (part(parts, summary::NAME)) } }
                    @for (nth, (name, heading)) in sections.iter().enumerate() {
                        section.card id={ "at-" (name) } tabindex="-1" aria-labelledby={ "name-" (name) } {
                            h2 id={ "name-" (name) } { (heading) " " kbd.live { (nth + 1) } }
                            div id=(name) { (part(parts, name)) }
                        }
                    }
                    (explain(sections.len() + 1))
                }
                output #said role="status" aria-live="polite" {}
                (footer())
            }
        }
    }
}

fn part(parts: &Parts, name: &str) -> Markup {
    // It was made of what is escaped.
    PreEscaped(parts.get(name).to_owned())
}

fn header(sections: &[&(&str, &str)], writes: Writes) -> Markup {
    html! {
        header {
            a.skip href="#at-hosts" { "Skip to hosts" }
            h1 { img src="/icon.svg" alt="" width="24" height="24"; "Weighbridge" }
            nav aria-label="Parts" {
                @for (name, heading) in sections { a href={ "#at-" (name) } { (heading) } }
                a href="#at-explain" { "Explain" }
            }
            span #link.link role="status" { noscript { "as it was when this page was loaded" } }
            button #pause.live type="button" aria-pressed="false" { "Pause" }
            @match writes {
                Writes::Token => {
                    form #key.live {
                        // By this name, password managers keep it.
                        input.hidden type="text" autocomplete="username" value="weighbridge"
                            readonly tabindex="-1" aria-hidden="true";
                        label for="token" { "Token" }
                        input #token type="password" autocomplete="current-password" placeholder="for changes";
                    }
                }
                Writes::Never => { small.live { "Changes need the Unix socket or a token" } }
                Writes::Open => {}
            }
        }
    }
}

fn explain(nth: usize) -> Markup {
    html! {
        section #at-explain.card tabindex="-1" aria-labelledby="name-explain" {
            h2 #name-explain { "Explain a request " kbd.live { (nth) } }
            p { "What would happen to it, and why. Nothing is sent to a host." }
            noscript { p.none { "Without script: " code { "weighbridge explain /PATH --body FILE" } } }
            form #explain.live {
                select #method aria-label="Method" {
                    @for method in METHODS { option { (method) } }
                }
                input #target type="text" required placeholder="/path?query" aria-label="Path and query"
                    autocomplete="off" spellcheck="false";
                input #host type="text" placeholder="host, where routes are chosen by it" aria-label="Host"
                    autocomplete="off" spellcheck="false";
                input #file.hidden type="file" aria-label="File with the body";
                label #drop for="file" {
                    "Drop a file here, or " span.as-button { "choose one" } " "
                    output #chosen { "no body" }
                }
                button type="submit" { "Explain" }
            }
            pre #explained tabindex="0" hidden {}
        }
    }
}

fn footer() -> Markup {
    html! {
        footer {
            p.live {
                kbd { "1" } "–" kbd { "7" } " go to a part, " kbd { "/" } " explain, " kbd { "p" }
                " pause, " kbd { "Tab" } " and " kbd { "Enter" } " for the rest"
            }
            p {
                "The same for programs: "
                @for path in ["/snapshot", "/fleet", "/requests", "/routes", "/clients", "/models", "/timeline", "/metrics"] {
                    a href=(path) { (path) } " "
                }
            }
        }
    }
}
