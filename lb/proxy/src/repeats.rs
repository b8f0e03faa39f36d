//! Remembers what exact repeats cost: fingerprint of the whole request -> measured work.

#[cfg(test)]
mod tests;

use moka::sync::Cache;
use prometheus::{IntCounter, Registry};
use weighbridge_core::units::Work;
use xxhash_rust::xxh3::Xxh3;

use crate::config::RepeatConfig;

/// The cache. Bounded by entries and by age; without locks of ours.
#[derive(Debug)]
pub struct Repeats {
    /// `None` where the cache is switched off.
    works: Option<Cache<Fingerprint, Work>>,
    hits: IntCounter,
    misses: IntCounter,
}

/// 128 bits (XXH3) of everything that decides what a request costs.
///
/// Two requests that a client made to collide would only be given each other's estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

/// What a fingerprint is taken of.
#[derive(Debug, Clone, Copy)]
pub struct Repeatable<'a> {
    /// Name of the route.
    pub route: &'a str,
    /// Method: `POST`.
    pub method: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// Query without `?`, every parameter as received.
    pub query: &'a str,
    /// Content type; empty where there is none.
    pub content_type: &'a str,
    /// The whole body.
    pub body: &'a [u8],
}

// === impl Repeats ===

impl Repeats {
    /// An empty cache; registers `weighbridge_repeats_*`.
    pub fn new(config: &RepeatConfig, registry: &Registry) -> Result<Repeats, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let cache =
            || Cache::builder().max_capacity(config.entries_max).time_to_live(config.ttl).build();
        Ok(Repeats {
            works: (0 < config.entries_max).then(cache),
            hits: counter(
                "weighbridge_repeats_hits_total",
                "Requests whose work was known from an exact repeat.",
            )?,
            misses: counter(
                "weighbridge_repeats_misses_total",
                "Requests that were looked up in the cache of repeats and not found.",
            )?,
        })
    }

    /// Whether anything is remembered: where not, fingerprints need not be taken.
    pub fn is_on(&self) -> bool {
        self.works.is_some()
    }

    /// The work that was measured for the same request, where it is remembered.
    pub fn known(&self, fingerprint: Fingerprint) -> Option<Work> {
        let works = self.works.as_ref()?;
        let known = works.get(&fingerprint);
        match known {
            Some(_) => self.hits.inc(),
            None => self.misses.inc(),
        }
        known
    }

    /// Remembers what the request cost, in place of what was known of it.
    pub fn remember(&self, fingerprint: Fingerprint, work: Work) {
        if let Some(works) = &self.works {
            works.insert(fingerprint, work);
        }
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    /// The fingerprint of a request; reads all of its body once.
    pub fn of(request: &Repeatable<'_>) -> Fingerprint {
        let Repeatable { route, method, path, query, content_type, body } = *request;
        let mut hash = Xxh3::new();
        let texts = [route, method, path, query, content_type];
        for field in texts.map(str::as_bytes).into_iter().chain([body]) {
            // With its length, so that no two requests can have the same bytes in other fields.
            hash.update(&(field.len() as u64).to_le_bytes());
            hash.update(field);
        }
        Fingerprint(hash.digest128())
    }
}
