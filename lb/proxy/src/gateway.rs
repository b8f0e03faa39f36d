//! The way of a request through the proxy: receive, decide, forward, observe.
//!
//! Two ways lead to a host. Where the body is held, the exchange is ours ([`crate::forward`]): any
//! framing, any number of tries, and the client watched all the while. Where a route streams,
//! pingora's own path carries it ([`crate::stream`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use weighbridge_core::admit::ShedReason;
use weighbridge_core::policy::RoutePolicy;
use weighbridge_core::request::RouteId;

use crate::access_log::AccessWriter;
use crate::config::{Config, Route};
use crate::decide::Decide;
use crate::fleet::AddressBook;
use crate::forward::{Connections, TryLimits};
use crate::gauges::Gauges;
use crate::lambda::Functions;
use crate::linger::{linger, settle};
use crate::metrics::Metrics;
use crate::receive::{self, BodyLimits, MemoryBudget};
use crate::record::Record;
use crate::repeats::{Fingerprint, Repeatable, Repeats};
use crate::respond::{self, Problem};
use crate::store::Recorder;

/// Answered 200 with nothing, as the health checks of the earlier systems expect.
const HEALTH_PATHS: [&str; 2] = ["/", "/test"];

/// The longest that a client is told to stay away.
const RETRY_AFTER_MAX_SECS: u64 = 60;

/// What all requests share.
pub(crate) struct Gateway {
    pub(crate) config: Arc<Config>,
    /// Names of the features, by route.
    pub(crate) feature_names: Vec<Arc<[String]>>,
    pub(crate) decide: Arc<Decide>,
    pub(crate) hosts: Arc<AddressBook>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) repeats: Repeats,
    pub(crate) recorder: Option<Arc<Recorder>>,
    pub(crate) access_log: AccessWriter,
    pub(crate) gauges: Gauges,
    pub(crate) budget: MemoryBudget,
    pub(crate) connections: Connections,
    /// Runs requests on Lambda; there where the policy has any.
    pub(crate) functions: Option<Arc<dyn Functions>>,
    /// Requests between their head and the end of their answer.
    pub(crate) in_flight: AtomicUsize,
    /// No new connections; finish what is there.
    pub(crate) draining: AtomicBool,
}

/// How one request ends, for those who log and count it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The client hung up.
    #[error("the client left")]
    ClientGone,
    /// The answer broke off when some of it had been sent: only closing tells the client.
    #[error("the answer broke off")]
    BrokenOff(#[source] Box<pingora::Error>),
}

impl Gateway {
    /// What may be read of a body.
    pub(crate) fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            bytes_max: self.config.limits.body_bytes,
            pause_max: self.config.timeouts.body_read,
        }
    }

    /// How long one try may take.
    pub(crate) fn try_limits(&self) -> TryLimits {
        TryLimits {
            connect: self.config.timeouts.connect,
            response: self.config.timeouts.response,
            idle: self.config.timeouts.idle,
            held_bytes_max: self.config.limits.response_buffer_bytes,
        }
    }

    /// Whether new requests are to be the last of their connections.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Sets how long the connection waits for its next request, if it may have one: pingora would
    /// let HTTP/1.1 clients wait for ever.
    pub(crate) fn set_keepalive(&self, session: &mut Session) {
        if session.get_keepalive().is_none() {
            return;
        }
        let secs = self.config.timeouts.idle.as_secs_f64().ceil() as u64;
        session.set_keepalive((!self.is_draining()).then_some(secs.max(1)));
    }

    /// The route that a request takes.
    pub(crate) fn route_of(&self, session: &Session) -> Option<RouteId> {
        let index = self.config.route_of(session.req_header().uri.path())?;
        u16::try_from(index).ok().map(RouteId)
    }

    /// What the proxy knows of `route`.
    pub(crate) fn route(&self, route: RouteId) -> &Route {
        &self.config.routes[usize::from(route.0)]
    }

    /// What the core knows of `route`.
    pub(crate) fn policy(&self, route: RouteId) -> &RoutePolicy {
        &self.config.policy.routes[usize::from(route.0)]
    }

    /// What tells an exact repeat; `None` where repeats are not remembered.
    pub(crate) fn fingerprint(
        &self,
        route: RouteId,
        request: &Parts,
        body: &[u8],
    ) -> Option<Fingerprint> {
        let content_type = request.headers.get(http::header::CONTENT_TYPE);
        let fingerprint = || {
            Fingerprint::of(&Repeatable {
                route: &self.route(route).name,
                method: request.method.as_str(),
                path: request.uri.path(),
                query: request.uri.query().unwrap_or(""),
                content_type: content_type.and_then(|value| value.to_str().ok()).unwrap_or(""),
                body,
            })
        };
        self.repeats.is_on().then(fingerprint)
    }

    /// In how many seconds a refused client may try again.
    fn retry_after_secs(&self) -> u64 {
        let after = self.decide.look(|balancer, _| balancer.retry_after());
        (after.as_secs_f64().ceil() as u64).clamp(1, RETRY_AFTER_MAX_SECS)
    }

    /// Answers what needs no host. `true` when the request is done.
    pub(crate) async fn answer_here(
        &self,
        session: &mut Session,
        record: &mut Record,
    ) -> Result<bool, ServeError> {
        if let Some(problem) = self.refusal(session) {
            session.set_keepalive(None);
            return Box::pin(self.refuse(session, record, &problem)).await.map(|()| true);
        }
        let request = session.req_header();
        let path = request.uri.path();
        let header = if request.method == Method::OPTIONS {
            respond::preflight()
        } else if HEALTH_PATHS.contains(&path) {
            respond::empty()
        } else if record.route.is_none() {
            let detail = format!("no route serves `{path}`");
            let problem = Problem::new(StatusCode::NOT_FOUND, detail).at("path");
            return Box::pin(self.refuse(session, record, &problem)).await.map(|()| true);
        } else {
            return Ok(false);
        };
        let header = header.map_err(|_| ServeError::ClientGone)?;
        Box::pin(self.answer_bodiless(session, record, header)).await.map(|()| true)
    }

    async fn answer_bodiless(
        &self,
        session: &mut Session,
        record: &mut Record,
        header: ResponseHeader,
    ) -> Result<(), ServeError> {
        record.status = header.status.as_u16();
        let complete = settle(session).await;
        let sent = respond::send(session, Box::new(header), Bytes::new()).await;
        record.bytes_out = sent.map_err(|_| ServeError::ClientGone)? as u64;
        if !complete {
            linger(session).await;
        }
        Ok(())
    }

    /// Why a request is refused whatever its path is.
    fn refusal(&self, session: &Session) -> Option<Problem> {
        let request = session.req_header();
        let header_bytes_max = self.config.limits.header_bytes;
        if header_bytes_max < receive::head_bytes(request) {
            let detail = format!("the head is longer than `{header_bytes_max}` bytes");
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Some(Problem::new(status, detail).at("head"));
        }
        if request.method == Method::CONNECT {
            let detail = "this is not a forward proxy";
            return Some(Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).at("method"));
        }
        let target = request.raw_path();
        let is_path = target.starts_with(b"/") || target.windows(3).any(|part| part == b"://");
        if is_path || (request.method == Method::OPTIONS && target == b"*") {
            return None;
        }
        let detail = "the target is neither a path nor a URL";
        Some(Problem::new(StatusCode::BAD_REQUEST, detail).at("path"))
    }

    /// Answers with `problem`, having taken what the client still sends, so that it reads the
    /// answer rather than a reset.
    pub(crate) async fn refuse(
        &self,
        session: &mut Session,
        record: &mut Record,
        problem: &Problem,
    ) -> Result<(), ServeError> {
        record.status = problem.status;
        let complete = settle(session).await;
        let sent = respond::send_problem(session, problem).await;
        record.bytes_out = sent.map_err(|_| ServeError::ClientGone)? as u64;
        if !complete {
            linger(session).await;
        }
        Ok(())
    }

    /// What a shed request is told.
    pub(crate) fn shed(&self, reason: ShedReason) -> Problem {
        if reason == ShedReason::NotRetriable {
            let detail = "a host failed the request, which must not be sent twice";
            return Problem::new(StatusCode::BAD_GATEWAY, detail);
        }
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason.to_string())
            .retry_after(self.retry_after_secs())
    }
}

/// Counts a request as in flight until dropped.
pub(crate) struct InFlight(Arc<Gateway>);

impl InFlight {
    /// Counts one more.
    pub(crate) fn new(gateway: Arc<Gateway>) -> InFlight {
        gateway.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(gateway)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
