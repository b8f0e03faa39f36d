//! What the balancer is asked for a request: what its model sees, whether it is an exact repeat,
//! and how long it would be on its way to Lambda.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::header::CONTENT_TYPE;
use http::request::Parts;

use weighbridge_core::balancer::Ask;
use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::fleet::Path;
use weighbridge_core::request::{RequestSpec, RouteId};

use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::repeats::{Fingerprint, Repeatable, Repeats};

/// Asks for a request of `route` whose body is at hand. Beside it what tells its repeats, where
/// they are remembered.
pub(crate) fn held(
    dispatch: &Dispatch,
    repeats: &Repeats,
    route: RouteId,
    (head, body): (&Parts, &[u8]),
) -> (Ask, Option<Fingerprint>) {
    let fingerprint = repeats.is_on().then(|| fingerprint(&dispatch.config, route, head, body));
    let body_bytes = body.len() as u64;
    let ask = Ask {
        route,
        features: features(&dispatch.config.policy_of(route).features, head, body_bytes, body),
        path: path(route, head),
        is_idempotent: head.method.is_idempotent(),
        known: fingerprint.and_then(|fingerprint| repeats.known(fingerprint)),
        body_bytes,
        event_bytes: dispatch.event_bytes(route, head, body),
    };
    (ask, fingerprint)
}

/// Asks for a request of `route` whose body is passed on as it comes. It cannot go to Lambda, and
/// no repeat of it is known.
pub(crate) fn streamed(
    dispatch: &Dispatch,
    route: RouteId,
    head: &Parts,
    announced: Option<u64>,
) -> Ask {
    let set = &dispatch.config.policy_of(route).features;
    let features = features(set, head, announced.unwrap_or(0), &[]);
    Ask {
        route,
        features,
        path: path(route, head),
        is_idempotent: head.method.is_idempotent(),
        known: None,
        body_bytes: 0,
        event_bytes: None,
    }
}

/// What a model sees; headers that are no text are left out.
fn features(set: &FeatureSet, head: &Parts, body_bytes: u64, body: &[u8]) -> Features {
    let headers: Vec<(&str, &str)> = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let query = head.uri.query().unwrap_or("");
    set.extract(&RequestSpec { query, headers: &headers, body_bytes: Some(body_bytes), body })
}

/// What is asked for, whatever the query.
fn path(route: RouteId, head: &Parts) -> Path {
    let mut hasher = DefaultHasher::new();
    (route, head.uri.path()).hash(&mut hasher);
    Path(hasher.finish().max(1))
}

fn fingerprint(config: &Config, route: RouteId, head: &Parts, body: &[u8]) -> Fingerprint {
    let content_type = head.headers.get(CONTENT_TYPE);
    Fingerprint::of(&Repeatable {
        route: &config.route(route).name,
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or(""),
        content_type: content_type.and_then(|value| value.to_str().ok()).unwrap_or(""),
        body,
    })
}
