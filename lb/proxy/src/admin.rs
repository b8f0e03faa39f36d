//! What operators and Prometheus ask: `/healthz`, `/readyz`, `/metrics`, `/fleet`, `/models` and
//! `/explain`; what they look at ([`page`]); what they change is in [`changes`].
//!
//! `POST /explain/raytracer?wcols=400&…` with the request's own body says what would happen to that
//! request, and why; nothing is sent anywhere. `Accept: application/json` gives it as a value.

mod changes;
mod clients;
mod jobs;
mod page;
mod requests;
mod snapshot;
pub(crate) mod door;
pub(crate) mod guard;
pub(crate) mod live;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CONTENT_TYPE, HOST, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use weighbridge_core::learn::Model;
use weighbridge_core::request::RouteId;

use crate::answer::Problem;
use crate::ask;
use crate::budget::{Owner, Share};
use crate::config::{FleetIndex, Shown, Taken, name_of};
use crate::forwarded;
use crate::front::{Current, Front};
use crate::gathered::{Gathered, too_large};
use crate::metrics::openmetrics;
use crate::pace::Pace;
use crate::payload::Payload;
use crate::tls::unbracketed;
use door::{Door, Visitor};
use guard::Via;
use live::{Heartbeat, Live};
use snapshot::Snapshot;

/// Connections that the admin API carries at once.
const CONNECTIONS_MAX: usize = 64;

/// From the moment that a request may come until its head has ended. Scrapers ask more seldom, and
/// connect again.
const HEAD_READ: Duration = Duration::from_secs(20);

/// What there is.
const PATHS: &str = "/healthz /readyz /metrics /snapshot /fleet /clients /requests /routes /timeline \
                     /models /events /explain/PATH /jobs; POST /reload /upgrade /fleet/join \
                     /fleet/drain /fleet/undrain /fleet/weight; DELETE /requests/ID\n";

type Answer = Response<Full<Bytes>>;

/// An answer that may not end.
type Streamed = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What the requests of one connection need.
struct Room {
    front: Current,
    live: Live,
    closing: watch::Receiver<bool>,
    heartbeat: Heartbeat,
}

/// Serves the admin API until it is dropped. Where connections are at their limit, a new one takes
/// the place of the oldest: connections that ask nothing keep nobody away. Once it is `closing`,
/// only those that are there go on.
pub(crate) async fn serve(
    door: Door,
    (front, live): (Current, Live),
    mut closing: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = door.accept() => accepted,
            _ = closing.changed() => break,
        };
        let (visitor, via) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                front.load().ledger.metrics.loop_failed("admin_accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        oldest_first.retain(|connection| !connection.is_finished());
        if CONNECTIONS_MAX <= oldest_first.len()
            && let Some(oldest) = oldest_first.pop_front()
        {
            oldest.abort();
        }
        let room = Room {
            front: front.clone(),
            live: live.clone(),
            closing: closing.clone(),
            heartbeat: Heartbeat::default(),
        };
        oldest_first.push_back(connections.spawn(carry(visitor, via, room)));
    }
    drop(door);
    // Who has just ordered it is to hear of it.
    while connections.join_next().await.is_some() {}
}

/// Serves the requests of one connection, each of which has a deadline.
async fn carry(visitor: Visitor, via: Via, room: Room) {
    let connection = match visitor.enter().await {
        Ok(connection) => connection,
        Err(error) => {
            tracing::debug!(%error, "an admin handshake failed");
            return;
        }
    };
    let heartbeat = room.heartbeat.clone();
    let room = Arc::new(room);
    let service = service_fn(move |request| {
        let room = room.clone();
        async move { Ok::<_, Infallible>(room.answer(request, via).await) }
    });
    let carrying = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ)
        .serve_connection(TokioIo::new(connection), service);
    tokio::select! {
        carried = carrying => {
            if let Err(error) = carried {
                tracing::debug!(%error, "an admin connection broke");
            }
        }
        () = heartbeat.stops() => tracing::info!("a reader of /events took nothing any more"),
    }
}

// === impl Room ===

impl Room {
    async fn answer(&self, request: Request<Incoming>, via: Via) -> Streamed {
        let front = self.front.load_full();
        let mut answer = match refused_at_all(&front, &request, via) {
            Some(problem) => whole(refuse(&problem)),
            None if request.uri().path() == "/events" && *request.method() == Method::GET => {
                let events = self.live.events(self.heartbeat.clone(), self.closing.clone());
                events.unwrap_or_else(|problem| whole(refuse(&problem)))
            }
            None => whole(answer(&front, request, via).await),
        };
        answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }
}

fn whole(answer: Answer) -> Streamed {
    answer.map(UnsyncBoxBody::new)
}

/// Why a request is not for this address, or not for whoever asks, if so.
fn refused_at_all<B>(front: &Front, request: &Request<B>, via: Via) -> Option<Problem> {
    // No page in a browser reaches a Unix socket.
    if via != Via::Socket && !is_for_us(&front.config.admin_hosts, request) {
        let detail = "`Host` is no address, not `localhost`, and not in admin_hosts";
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).at("host"));
    }
    guard::changes(request.method(), request.uri().path())
        .then(|| guard::refused(&front.config, request, via))
        .flatten()
}

async fn answer(front: &Front, request: Request<Incoming>, via: Via) -> Answer {
    let path = request.uri().path().to_owned();
    if path == "/explain" || path.starts_with("/explain/") {
        return explain(front, request, via).await;
    }
    if path == "/jobs" || path.starts_with("/jobs/") {
        return jobs::answer(front.jobs.as_deref(), &request, &path).await;
    }
    if changes::is_at(&path) {
        return changes::answer(front, request).await;
    }
    if let Some(id) = path.strip_prefix("/requests/") {
        return requests::cancel(front, &request, id);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return allow_only("GET, HEAD");
    }
    if let Some(part) = requests::part(&path) {
        return requests::show(front, &request, &part);
    }
    if let Some(asset) = page::asset(&path) {
        return of_page(asset.content_type, asset.body);
    }
    match path.as_str() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(front),
        "/metrics" => metrics(front, request.headers()),
        "/fleet" => json_answer(&fleet(front)),
        "/clients" => json_answer(&clients::clients(front)),
        "/models" => json_answer(&models(front)),
        "/" if page::reads_html(request.headers()) => {
            of_page("text/html; charset=utf-8", page::page(front).await)
        }
        "/" => text(StatusCode::OK, PATHS),
        _ => refuse(&Problem::new(StatusCode::NOT_FOUND, format!("nothing is at `{path}`"))),
    }
}

/// Ready: not draining, and at least one host takes requests and answers.
fn readiness(front: &Front) -> Answer {
    if front.is_leaving() {
        return refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining"));
    }
    if front.takes_requests() {
        return text(StatusCode::OK, "ready\n");
    }
    refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no host takes requests"))
}

fn metrics(front: &Front, headers: &HeaderMap) -> Answer {
    front.ledger.gauges.begin();
    for (nth, fleet) in front.dispatch.fleets.all().iter().enumerate() {
        fleet.look(|balancer, now| {
            front.ledger.gauges.read(&front.config, FleetIndex(nth), (balancer, now));
            if let Some(lambda) = balancer.lambda() {
                front.ledger.metrics.lambda.read(lambda, now);
            }
        });
    }
    front.ledger.gauges.buffered(front.dispatch.budget.held_bytes());
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    if openmetrics::is_wanted(&accepted.collect::<Vec<_>>().join(",")) {
        let text = front.ledger.metrics.open_text();
        return with_type(StatusCode::OK, openmetrics::CONTENT_TYPE, text);
    }
    match front.ledger.metrics.text() {
        Ok(body) => with_type(StatusCode::OK, prometheus::TEXT_FORMAT, body),
        Err(error) => refuse(&Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn fleet(front: &Front) -> Value {
    let Snapshot { hosts, waiting, .. } = Snapshot::of_hosts(front);
    json!({ "hosts": hosts, "waiting": waiting })
}

fn models(front: &Front) -> Value {
    let quality = |route: RouteId| {
        front.dispatch.fleets.of(route).look(|balancer, _| {
            let predictor = balancer.predictor(route);
            let mut quality = json!(predictor.quality());
            quality["model"] = json!(predictor.model());
            quality["training"] = json!(predictor.training_due());
            quality["training"]["is_going_on"] = json!(balancer.is_training(route));
            quality["features"] = json!(predictor.names().to_vec());
            quality["features_are"] = json!(if predictor.is_auto() { "auto" } else { "declared" });
            quality["formula"] = json!(predictor.model().map(Model::in_words));
            quality
        })
    };
    let routes = front.config.route_ids();
    let routes = routes.map(|route| (front.config.route(route).name.clone(), quality(route)));
    json!({ "routes": routes.collect::<serde_json::Map<_, _>>() })
}

/// What would happen to the request after `/explain`.
async fn explain(front: &Front, request: Request<Incoming>, via: Via) -> Answer {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path().trim_start_matches("/explain").to_owned();
    // `Host` names this address: who explains a request to another name says so as a proxy would.
    let host = head.headers.get(forwarded::HOST).and_then(|host| host.to_str().ok());
    let shown = Shown { host, path: &path, method: &head.method };
    let Taken::Route(route) = front.config.route_table.take(shown) else {
        let method = &head.method;
        let detail =
            format!("no route with hosts serves `{method}` of `{path}`, expected `/explain/PATH`");
        return refuse(&Problem::new(StatusCode::NOT_FOUND, detail).at("path"));
    };
    let body_bytes_max = front.config.route(route).body_bytes;
    let (body, _share) = match gather(front, (body, body_bytes_max), via).await {
        Ok(gathered) => gathered,
        Err(problem) => return refuse(&problem),
    };
    // From here on it is the request that is asked about.
    let target = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    head.uri = target.trim_start_matches("/explain").parse().unwrap_or_default();
    let ask =
        ask::held(&front.dispatch, &front.ledger.repeats, route, (&head, &Payload::Held(body))).ask;
    let explanation =
        front.dispatch.fleets.of(route).with(|balancer, now| balancer.explain(now, &ask));
    let wants_json = head.headers.get(ACCEPT).is_some_and(|a| a.as_bytes() == b"application/json");
    if wants_json {
        json_answer(&explanation)
    } else {
        text(StatusCode::OK, format!("{explanation}\n"))
    }
}

/// All of the body, within the limits that clients' bodies have, and the memory budget.
async fn gather(
    front: &Front,
    (mut body, bytes_max): (Incoming, u64),
    via: Via,
) -> Result<(Bytes, Share), Problem> {
    let (limits, timeouts) = (&front.config.limits, &front.config.timeouts);
    let share = front.dispatch.budget.share(Owner(via.peer()));
    let announced = body.size_hint().exact();
    if let Some(too_long) = announced.filter(|length| bytes_max < *length) {
        tracing::debug!(too_long, "a body to be explained is refused");
        return Err(too_large(bytes_max));
    }
    let mut gathered = Gathered::new(share, announced, (bytes_max, timeouts.body_read));
    let mut pace = Pace::new(timeouts.body_read, limits.rate_min);
    loop {
        let frame = tokio::time::timeout(pace.left(), body.frame()).await;
        let frame = frame.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body comes too slowly").at("body")
        })?;
        let Some(frame) = frame else { return Ok(gathered.whole()) };
        let frame = frame
            .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body broke off").at("body"))?;
        if let Ok(piece) = frame.into_data() {
            pace.moved(piece.len());
            gathered.add(&piece).await?;
        }
    }
}

/// Whether the request is for this address: a page in an operator's browser can have a name of its
/// own lead here, and would read what comes (DNS rebinding). An address, it cannot.
fn is_for_us<B>(names: &[String], request: &Request<B>) -> bool {
    let authority = request.uri().authority().map(Authority::as_str);
    let header = request.headers().get(HOST).map(|host| host.to_str().unwrap_or("?"));
    // Browsers always name one.
    let Some(host) = authority.or(header) else { return true };
    let name = name_of(host).trim_end_matches('.').to_ascii_lowercase();
    let literal = unbracketed(&name);
    literal.parse::<IpAddr>().is_ok() || name == "localhost" || names.contains(&name)
}

fn json_answer(value: &impl Serialize) -> Answer {
    match serde_json::to_vec_pretty(value) {
        Ok(body) => with_type(StatusCode::OK, "application/json", body),
        Err(error) => refuse(&Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

/// The answer to another method than `methods`.
fn allow_only(methods: &'static str) -> Answer {
    let detail = format!("expected {methods}");
    let mut answer = refuse(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).at("method"));
    answer.headers_mut().insert(ALLOW, http::HeaderValue::from_static(methods));
    answer
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "text/plain; charset=utf-8", body)
}

fn refuse(problem: &Problem) -> Answer {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut answer = with_type(status, "application/problem+json", body);
    if let Some(secs) = problem.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, secs.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
    }
    answer
}

/// A piece of the page.
fn of_page(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = with_type(StatusCode::OK, content_type, body);
    page::guard(answer.headers_mut());
    answer
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_were_allowed() {
        let is_for_us = |host: &str| {
            let request = Request::builder().uri("/fleet").header(HOST, host).body(()).unwrap();
            super::is_for_us(&["balancer".to_owned()], &request)
        };
        for host in [
            "127.0.0.1:9090",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9090",
            "10.0.0.7",
            "Balancer:9090",
        ] {
            assert!(is_for_us(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:9090", "127.0.0.1.evil.example", "", "balancer.x"]
        {
            assert!(!is_for_us(host), "{host}");
        }
        let without = Request::builder().uri("/fleet").body(()).unwrap();
        assert!(super::is_for_us(&[], &without));
    }
}
