//! What the balancer is asked for a request: what its model sees, whether it is an exact repeat,
//! and how long it would be on its way to Lambda.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::header::CONTENT_TYPE;
use http::request::Parts;

use weighbridge_core::balancer::Ask;
use weighbridge_core::features::auto::Read;
use weighbridge_core::fleet::Path;
use weighbridge_core::request::{RequestSpec, RouteId};
use weighbridge_core::share::Terms;

use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::payload::Payload;
use crate::repeats::{Fingerprint, Repeatable, Repeats};

/// What is asked of the balancer, and what was noticed beside it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    /// What tells the request's repeats, where they are remembered.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Names of facts that the route's features do not have, where these are found by themselves.
    unknown: Vec<String>,
}

impl Asked {
    /// What has been asked before, once more.
    pub(crate) fn again(ask: Ask) -> Asked {
        Asked { ask, fingerprint: None, unknown: Vec::new() }
    }

    /// Tells the balancer of what was noticed: for requests that are served, and not for those that
    /// are only asked about.
    pub(crate) fn noticed(self, dispatch: &Dispatch) -> (Ask, Option<Fingerprint>) {
        if !self.unknown.is_empty() {
            dispatch.fleets.of(self.ask.route).discover(self.ask.route, &self.unknown);
        }
        (self.ask, self.fingerprint)
    }
}

/// Asks for a request of `route` whose body is at hand.
pub(crate) fn held(
    dispatch: &Dispatch,
    repeats: &Repeats,
    route: RouteId,
    (head, body): (&Parts, &Payload),
) -> Asked {
    let whole = body.whole().filter(|_| repeats.is_on());
    let fingerprint = whole.map(|whole| fingerprint(&dispatch.config, route, head, whole));
    let body_bytes = body.bytes();
    let seen = (body_bytes, &**body.beginning());
    let Read { features, unknown } = read(dispatch, route, head, seen);
    let ask = Ask {
        route,
        features,
        path: path(route, head),
        is_idempotent: head.method.is_idempotent(),
        known: fingerprint.and_then(|fingerprint| repeats.known(fingerprint)),
        // What is not in memory takes no room of the waiting room.
        body_bytes: body.beginning().len() as u64,
        event_bytes: body.whole().and_then(|body| dispatch.event_bytes(route, head, body)),
        job: None,
        terms: Terms::default(),
    };
    Asked { ask, fingerprint, unknown }
}

/// Asks for a request of `route` whose body is passed on as it comes. It cannot go to Lambda, and
/// no repeat of it is known.
pub(crate) fn streamed(
    dispatch: &Dispatch,
    route: RouteId,
    head: &Parts,
    announced: Option<u64>,
) -> Asked {
    let Read { features, unknown } = read(dispatch, route, head, (announced.unwrap_or(0), &[]));
    let ask = Ask {
        route,
        features,
        path: path(route, head),
        is_idempotent: head.method.is_idempotent(),
        known: None,
        body_bytes: 0,
        event_bytes: None,
        job: None,
        terms: Terms::default(),
    };
    Asked { ask, fingerprint: None, unknown }
}

/// What a model sees; headers that are no text are left out.
fn read(
    dispatch: &Dispatch,
    route: RouteId,
    head: &Parts,
    (body_bytes, body): (u64, &[u8]),
) -> Read {
    let own = [(":method", head.method.as_str()), (":path", head.uri.path())];
    let of_client =
        head.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let headers: Vec<(&str, &str)> = own.into_iter().chain(of_client).collect();
    let query = head.uri.query().unwrap_or("");
    let spec = RequestSpec { query, headers: &headers, body_bytes: Some(body_bytes), body };
    let set = &dispatch.config.policy_of(route).features;
    if set.is_auto() {
        set.read(&dispatch.fleets.of(route).schema(route), &spec)
    } else {
        Read { features: set.extract(&spec), unknown: Vec::new() }
    }
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
