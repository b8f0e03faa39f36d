//! The way of a request through the proxy: receive, decide, forward, observe.
//!
//! Two ways lead to a host. Where the body is held, the exchange is ours ([`crate::forward`]): any
//! framing, any number of tries, and the client watched all the while. Where a route streams,
//! pingora's own path carries it ([`crate::stream`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use pingora::connectors::http::Connector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use weighbridge_core::admit::{Placement, ShedReason, Verdict};
use weighbridge_core::observe::{Failure, Observation, Outcome};
use weighbridge_core::policy::RoutePolicy;
use weighbridge_core::request::RouteId;
use weighbridge_core::units::{Speed, Work};

use crate::access_log::{AccessRecord, AccessWriter};
use crate::config::{Config, Route};
use crate::decide::{Ask, Decide, Ticket};
use crate::fleet::AddressBook;
use crate::forward::{self, Answer, Rest, Try, TryError, TryLimits};
use crate::gauges::Gauges;
use crate::metrics::Metrics;
use crate::observe;
use crate::queue;
use crate::receive::{self, BodyLimits, Buffered, MemoryBudget, ReceiveError};
use crate::record::Record;
use crate::repeats::{Fingerprint, Repeatable, Repeats};
use crate::respond::{self, Problem};
use crate::store::{Recorder, StoredObservation};

/// Answered 200 with nothing, as the health checks of the earlier systems expect.
const HEALTH_PATHS: [&str; 2] = ["/", "/test"];

/// How long a refused client may go on sending before the connection is closed on it.
const LINGER: Duration = Duration::from_secs(30);

/// The longest pause in what it sends.
const LINGER_PAUSE: Duration = Duration::from_secs(2);

/// A body up to this length that nobody wants is read, so that the connection can be used again.
const SMALL_BODY_BYTES: u64 = 64 << 10;

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
    pub(crate) connector: Connector,
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

/// A request whose body is held, on its way.
struct Held<'a> {
    gateway: &'a Gateway,
    session: &'a mut Session,
    record: &'a mut Record,
    route: RouteId,
    request: RequestHeader,
    body: Buffered,
    fingerprint: Option<Fingerprint>,
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
        request: &RequestHeader,
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
            return self.refuse(session, record, &problem).await.map(|()| true);
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
            return self.refuse(session, record, &problem).await.map(|()| true);
        } else {
            return Ok(false);
        };
        let header = header.map_err(|_| ServeError::ClientGone)?;
        record.status = header.status.as_u16();
        let complete = settle(session).await;
        let sent = respond::send(session, header, Bytes::new()).await;
        record.bytes_out = sent.map_err(|_| ServeError::ClientGone)? as u64;
        if !complete {
            linger(session).await;
        }
        Ok(true)
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

    /// Serves a request of `route` whose body is held.
    pub(crate) async fn serve_held(
        &self,
        session: &mut Session,
        record: &mut Record,
        route: RouteId,
    ) -> Result<(), ServeError> {
        let body = match receive::body(session, self.body_limits(), &self.budget).await {
            Ok(body) => body,
            Err(ReceiveError::ClientGone(_)) => return Err(ServeError::ClientGone),
            Err(ReceiveError::Refused(problem)) => {
                return self.refuse(session, record, &problem).await;
            }
        };
        record.bytes_in = body.bytes.len() as u64;
        let request = match forward::request_for_host(session, &body.bytes) {
            Ok(request) => request,
            Err(error) => {
                let problem = Problem::new(StatusCode::BAD_REQUEST, error.to_string());
                return self.refuse(session, record, &problem).await;
            }
        };
        let policy = self.policy(route);
        let features = receive::features(&policy.features, session, &body.bytes);
        let fingerprint = self.fingerprint(route, &request, &body.bytes);
        let known = fingerprint.and_then(|fingerprint| self.repeats.known(fingerprint));
        let body_bytes = body.bytes.len() as u64;
        let started = Instant::now();
        let (ticket, verdict) = self.decide.arrive(Ask { route, features, known, body_bytes });
        self.metrics.decided(started.elapsed());
        Held { gateway: self, session, record, route, request, body, fingerprint }
            .serve(ticket, verdict)
            .await
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

    /// Counts an answer towards what is believed and learned.
    pub(crate) fn learn(
        &self,
        ticket: Ticket,
        record: &mut Record,
        answered: &ResponseHeader,
        fingerprint: Option<Fingerprint>,
    ) {
        let reported = observe::report(&answered.headers).unwrap_or_else(|error| {
            self.metrics.report_rejected();
            tracing::debug!(%error, "a load report was rejected");
            None
        });
        let success = answered.status.as_u16() < 400;
        let outcome = Outcome {
            success,
            cost: reported.map(|reported| reported.cost),
            elapsed: record.service(),
            build: reported.map_or(0, |reported| reported.build),
        };
        if let (Some(host), Some(reported)) = (record.host, reported) {
            self.decide.with(|balancer, now| balancer.report(now, host, &reported.host));
        }
        record.cost = outcome.cost;
        let Some(observation) = ticket.complete(&outcome) else { return };
        record.work = Some(observation.work);
        if let Some(fingerprint) = fingerprint {
            self.repeats.remember(fingerprint, observation.work);
        }
        if let Some(recorder) = &self.recorder {
            recorder.record(self.stored(observation, record));
        }
    }
}

impl Gateway {
    /// What the counts on an answer are worth, before it has ended. `None` where there are none, or
    /// no prices yet.
    fn price(&self, route: Option<RouteId>, answered: &ResponseHeader) -> Option<Work> {
        let reported = observe::report(&answered.headers).ok()??;
        let route = route?;
        self.decide.look(|balancer, _| balancer.predictor(route).price(&reported.cost, Speed::ONE))
    }

    /// An observation as it is kept.
    fn stored(&self, observation: Observation, record: &Record) -> StoredObservation {
        StoredObservation {
            route: self.route(observation.route).name.clone(),
            at: record.at,
            host: self.host_name(record).unwrap_or_default(),
            status: record.status,
            waiting: record.waiting(),
            response: record.response(),
            feature_names: self.feature_names[usize::from(observation.route.0)].clone(),
            features: observation.features,
            estimated: observation.estimated,
            cost: observation.cost,
            work: observation.work,
            speed: observation.speed,
            build: observation.build,
        }
    }

    /// Counts and logs a request that has ended.
    pub(crate) fn log(&self, session: &Session, record: &Record) {
        let route = record.route.map(|route| self.route(route).name.as_str());
        self.metrics.ended(route.unwrap_or("none"), record);
        if !self.access_log.is_on() {
            return;
        }
        let request = session.req_header();
        let path = request.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        let estimate = record.estimate;
        self.access_log.write(&AccessRecord {
            time: record.at,
            client: session.client_addr().and_then(|a| a.as_inet()).map(SocketAddr::ip),
            method: request.method.as_str(),
            path,
            route,
            status: (record.status != 0).then_some(record.status),
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            host: self.host_name(record).as_deref(),
            tries: record.tries,
            waiting_seconds: record.waiting().as_secs_f64(),
            response_seconds: record.response().as_secs_f64(),
            estimate_mean: estimate.map(|estimate| estimate.mean.as_cpu_secs()),
            estimate_p90: estimate.map(|estimate| estimate.p90.as_cpu_secs()),
            estimate_source: estimate.map(|estimate| estimate.source),
            work: record.work.map(Work::as_cpu_secs),
            cpu_seconds: record.cost.and_then(|cost| cost.cpu_seconds),
            trace_id: trace_id(request),
        });
    }

    fn host_name(&self, record: &Record) -> Option<String> {
        record.host.and_then(|host| self.hosts.place(host)).map(|place| place.name)
    }
}

/// Takes a small body that nobody wants. Whether no more of a body is to come; where some is, or
/// may be, the connection is not used again.
async fn settle(session: &mut Session) -> bool {
    let waits_for_continue =
        session.get_header(http::header::EXPECT).is_some() && session.response_written().is_none();
    if waits_for_continue && !session.is_body_done() {
        session.set_keepalive(None);
        return true;
    }
    let is_small = receive::content_length(session).is_some_and(|bytes| bytes <= SMALL_BODY_BYTES);
    if is_small && !session.is_body_done() {
        let drain = session.downstream_session.drain_request_body();
        let _late = tokio::time::timeout(LINGER_PAUSE, drain).await;
    }
    let complete = session.is_body_done();
    if !complete {
        session.set_keepalive(None);
    }
    complete
}

/// Takes what an answered client still sends, so that it reads the answer rather than a reset.
async fn linger(session: &mut Session) {
    let all = async {
        while let Ok(Ok(Some(_))) =
            tokio::time::timeout(LINGER_PAUSE, session.read_request_body()).await
        {}
    };
    let _late = tokio::time::timeout(LINGER, all).await;
}

/// The trace id of `traceparent`: `00-TRACE-PARENT-FLAGS` (W3C Trace Context).
fn trace_id(request: &RequestHeader) -> Option<&str> {
    request.headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)
}

impl Held<'_> {
    /// Follows the verdicts until the client has its answer.
    async fn serve(mut self, mut ticket: Ticket, mut verdict: Verdict) -> Result<(), ServeError> {
        let mut refused: Option<(Box<ResponseHeader>, Bytes)> = None;
        loop {
            verdict = match verdict {
                Verdict::Forward(placement) => match self.attempt(&placement).await? {
                    Tried::Answered(answer) => {
                        return self.deliver(ticket, answer).await;
                    }
                    Tried::Failed(failure, answer) => {
                        refused = answer.or(refused);
                        ticket.fail(failure)
                    }
                },
                Verdict::Queue { .. } => self.wait(&mut ticket).await?,
                Verdict::Shed(reason) => {
                    drop(ticket);
                    return match refused {
                        Some((header, body)) => self.pass_on(*header, body).await,
                        None => self.shed(reason).await,
                    };
                }
                Verdict::Lambda(_) => {
                    drop(ticket);
                    return self.shed(ShedReason::TriesExhausted).await;
                }
            };
        }
    }

    async fn wait(&mut self, ticket: &mut Ticket) -> Result<Verdict, ServeError> {
        let verdict =
            queue::wait(self.session, ticket).await.map_err(|_| ServeError::ClientGone)?;
        Ok(verdict.unwrap_or(Verdict::Shed(ShedReason::WaitedTooLong)))
    }

    async fn attempt(&mut self, placement: &Placement) -> Result<Tried, ServeError> {
        self.record.placed(placement);
        let Some(address) = self.gateway.hosts.address(placement.host) else {
            return Ok(Tried::Failed(Failure::Connect, None));
        };
        let gateway = self.gateway;
        let one = Try {
            connector: &gateway.connector,
            address,
            request: &self.request,
            body: &self.body.bytes,
            is_idempotent: gateway.policy(self.route).idempotent,
            limits: gateway.try_limits(),
        };
        let answer = forward::attempt(self.session, one).await;
        match answer {
            Ok(Answer::Whole { header, body }) if forward::is_unavailable(header.status) => {
                Ok(Tried::Failed(Failure::Refused, Some((header, body))))
            }
            Ok(answer) => Ok(Tried::Answered(answer)),
            Err(TryError::ClientGone) => Err(ServeError::ClientGone),
            Err(TryError::Host(failure, error)) => {
                gateway.metrics.try_failed(failure);
                let host = placement.host.0;
                tracing::warn!(host, ?failure, ?error, "a host failed a request");
                Ok(Tried::Failed(failure, None))
            }
        }
    }

    async fn deliver(self, ticket: Ticket, answer: Answer) -> Result<(), ServeError> {
        match answer {
            Answer::Whole { header, body } => {
                self.record.answered();
                self.gateway.learn(ticket, self.record, &header, self.fingerprint);
                self.pass_on(*header, body).await
            }
            Answer::Partial { header, beginning, rest } => {
                self.relay(ticket, header, beginning, *rest).await
            }
        }
    }

    async fn pass_on(self, mut header: ResponseHeader, body: Bytes) -> Result<(), ServeError> {
        let gone = |_| ServeError::ClientGone;
        self.record.status = header.status.as_u16();
        respond::strip(&mut header);
        self.record.add_timing(&mut header).map_err(gone)?;
        let head = self.session.req_header().method == Method::HEAD;
        let bodiless = head || matches!(header.status.as_u16(), 204 | 304);
        if bodiless {
            respond::allow_origin(&mut header).map_err(gone)?;
            self.session.write_response_header(Box::new(header), true).await.map_err(gone)?;
            self.session.write_response_body(None, true).await.map_err(gone)?;
            return Ok(());
        }
        self.record.bytes_out =
            respond::send(self.session, header, body).await.map_err(gone)? as u64;
        Ok(())
    }

    /// Passes on an answer that is too long to be held, as it arrives.
    async fn relay(
        self,
        ticket: Ticket,
        header: Box<ResponseHeader>,
        beginning: Bytes,
        mut rest: Rest,
    ) -> Result<(), ServeError> {
        let gone = |_| ServeError::ClientGone;
        self.record.status = header.status.as_u16();
        self.record.work = self.gateway.price(self.record.route, &header);
        let mut shown = header.clone();
        respond::strip(&mut shown);
        self.record.add_timing(&mut shown).map_err(gone)?;
        respond::allow_origin(&mut shown).map_err(gone)?;
        if forward::content_length(&shown).is_none() {
            shown.insert_header(http::header::TRANSFER_ENCODING, "chunked").map_err(gone)?;
        }
        self.session.write_response_header(shown, false).await.map_err(gone)?;
        let mut piece = Some(beginning);
        while let Some(bytes) = piece {
            self.record.bytes_out += bytes.len() as u64;
            if !bytes.is_empty() {
                self.session.write_response_body(Some(bytes), false).await.map_err(gone)?;
            }
            piece = rest.next().await.map_err(ServeError::BrokenOff)?;
        }
        self.session.write_response_body(None, true).await.map_err(gone)?;
        rest.release(&self.gateway.connector).await;
        self.record.answered();
        self.gateway.learn(ticket, self.record, &header, self.fingerprint);
        Ok(())
    }

    async fn shed(self, reason: ShedReason) -> Result<(), ServeError> {
        let problem = self.gateway.shed(reason);
        self.gateway.refuse(self.session, self.record, &problem).await
    }
}

/// What a try brought.
enum Tried {
    Answered(Answer),
    Failed(Failure, Option<(Box<ResponseHeader>, Bytes)>),
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
