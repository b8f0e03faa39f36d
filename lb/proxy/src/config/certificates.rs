//! What is to be said of the certificates that listeners show, besides mistakes in their files.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;

use super::Config;
use crate::tls::files::{self, Said};

/// A certificate that expires within this time is told of.
const SOON: Duration = Duration::from_hours(14 * 24);

/// A certificate as its files have it.
struct Shown {
    /// Its file, as text.
    chain: String,
    said: Said,
}

impl Config {
    /// The certificates that have expired at `now`, a sentence each. A balancer starts with them
    /// all the same: its listeners without TLS, and clients that do not mind, are served.
    pub fn expired(&self, now: SystemTime) -> Vec<String> {
        let expired = shown(self).into_iter().filter(|shown| shown.said.has_expired(now));
        let told = expired.map(|Shown { chain, said }| {
            let when = format_rfc3339_seconds(said.not_after);
            format!("the certificate in `{chain}` has expired on {when}: expected a new one")
        });
        told.collect()
    }

    /// What is allowed of certificates and may not be meant, a sentence each.
    pub(super) fn notes_of_certificates(&self, now: SystemTime) -> Vec<String> {
        let shown = shown(self);
        let managed = &self.acme.names;
        if shown.is_empty() && managed.is_empty() {
            return Vec::new();
        }
        let soon =
            |shown: &&Shown| !shown.said.has_expired(now) && shown.said.has_expired(now + SOON);
        let ends = shown.iter().filter(soon).map(|Shown { chain, said }| {
            let when = format_rfc3339_seconds(said.not_after);
            format!("the certificate in `{chain}` expires on {when}")
        });
        let names = self.route_table.names();
        let is_alone = |name: &&String| {
            !managed.contains(*name) && !shown.iter().any(|shown| is_for(&shown.said, name))
        };
        let alone = names.iter().filter(is_alone);
        let unnamed =
            alone.map(|name| format!("routes names `{name}`, and no certificate is for it"));
        ends.chain(unnamed).collect()
    }
}

/// The certificates of all listeners, each once; not those whose files have changed by now and
/// cannot be read.
fn shown(config: &Config) -> Vec<Shown> {
    let listeners = config.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let files: BTreeSet<_> = listeners.flat_map(|tls| &tls.certificates).collect();
    let read = files.into_iter().filter_map(|files| {
        let said = files::certificate(files).ok()?.said;
        Some(Shown { chain: files.chain.display().to_string(), said })
    });
    read.collect()
}

/// Whether a certificate is for `name`, which may be `*.NAME`: then for every name below it.
fn is_for(said: &Said, name: &str) -> bool {
    let parent = name.split_once('.').map(|(_, parent)| parent);
    let fits = |own: &String| {
        let below = own.strip_prefix("*.");
        own == name || below.is_some_and(|below| parent == Some(below))
    };
    said.names.iter().any(fits)
}
