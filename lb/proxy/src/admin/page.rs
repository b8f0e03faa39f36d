//! The page that operators leave open: `/`.
//!
//! What is on it is made here, as HTML, whoever reads it: it is a whole page without any script.
//! With script its parts are replaced as they change ([`super::live`]), what is asked for is sent
//! with the token, and a file can be dropped to be explained. All of it is in this program; the
//! page asks nobody else for anything, and its policy forbids it to.

mod assets;
mod clients;
mod document;
mod hosts;
mod jobs;
mod requests;
mod routes;
mod summary;
mod timeline;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use http::header::ACCEPT;

use super::clients::sharing;
use super::snapshot::{REQUESTS, Shown};
use crate::front::Front;
use crate::timeline::unix_secs;
use jobs::JobsCache;

pub(super) use assets::{asset, guard};

/// The parts of the page, by the `id` of the element that each is in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parts(BTreeMap<&'static str, Arc<str>>);

/// Makes the parts, and remembers what is not asked for each time.
#[derive(Debug, Default)]
pub(super) struct Maker {
    jobs: JobsCache,
}

// === impl Parts ===

impl Parts {
    /// Those that `before` does not have, or has otherwise.
    pub(super) fn since<'a>(&'a self, before: &Parts) -> BTreeMap<&'static str, &'a str> {
        let new = self.0.iter().filter(|(name, html)| before.0.get(*name) != Some(*html));
        new.map(|(name, html)| (*name, &**html)).collect()
    }

    /// The part of this name; empty where there is none.
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |html| html)
    }
}

// === impl Maker ===

impl Maker {
    /// What there is to be seen now.
    pub(super) async fn parts(&mut self, front: &Front) -> Parts {
        let shown = Shown::take(front, REQUESTS);
        let now = unix_secs();
        let mut parts = BTreeMap::from([
            (summary::NAME, summary::html(&shown)),
            (hosts::NAME, hosts::html(&shown.snapshot.hosts)),
            (requests::NAME, requests::html(&shown.snapshot)),
            (routes::NAME, routes::html(&shown.snapshot.routes)),
            (timeline::NAME, timeline::html(&shown.timeline, now)),
        ]);
        let sharing = sharing(front, clients::SHOWN);
        if sharing.iter().any(|fleet| !fleet.classes.is_empty()) {
            parts.insert(clients::NAME, clients::html(&sharing));
        }
        if let Some(room) = front.jobs.as_deref() {
            parts.insert(jobs::NAME, self.jobs.html(room, &front.ledger.metrics).await);
        }
        let text =
            |(name, html): (&'static str, maud::Markup)| (name, Arc::from(html.into_string()));
        Parts(parts.into_iter().map(text).collect())
    }
}

/// The whole page.
pub(super) async fn page(front: &Front) -> String {
    let parts = Maker::default().parts(front).await;
    document::html(&parts, document::Writes::of(&front.config)).into_string()
}

/// Whether who asks with `headers` is a browser, or whoever else reads HTML.
pub(super) fn reads_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
