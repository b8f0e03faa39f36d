//! The front: what clients meet. Here a request is refused, answered at once, or read and handed
//! on; the front knows pingora's sessions, the rooms behind it do not.
//!
//! Two ways lead on. Where the body is held, the exchange is ours ([`crate::exchange`]): any
//! framing, any number of tries, and the client watched all the while. Where a route streams,
//! pingora's own path carries it ([`stream`]).

mod body;
mod challenge;
mod client;
mod cors;
mod jobs;
mod https;
mod proxy;
mod refusal;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use weighbridge_core::request::RouteId;

use crate::acme::challenges::Challenges;
use crate::answer::{Problem, Whole};
use crate::caller::Gone;
use crate::clients::{Clients, Held, TooMany};
use crate::config::{BodyMode, Config, Shown, Taken};
use crate::dispatch::Dispatch;
use crate::exchange::{self, ExchangeError};
use crate::headers;
use crate::jobs::JobRoom;
use crate::jobs::wishes::Preferences;
use crate::ledger::Ledger;
use crate::metrics::http::Active;
use crate::networks;
use crate::order::Order;
use crate::payload::Payload;
use crate::places::Places;
use crate::record::Record;
use crate::whose;

use body::{BodyError, BodyLimits};
use client::{Client, WriteLimits, linger, settle};
pub(crate) use proxy::Proxy;

/// The front by the configuration that is in use.
pub(crate) type Current = Arc<ArcSwap<Front>>;

/// See the module.
pub(crate) struct Front {
    pub(crate) config: Arc<Config>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) ledger: Arc<Ledger>,
    /// Jobs, where there are any.
    pub(crate) jobs: Option<Arc<JobRoom>>,
    state: Arc<State>,
}

/// What the fronts of all configurations have in common.
struct State {
    /// Requests between their head and the end of their answer.
    in_flight: AtomicUsize,
    /// Places for requests. One that is refused has none, and takes none from another.
    places: Places,
    /// The end is near: nobody should send anything new.
    leaving: AtomicBool,
    /// No new connections; finish what is there.
    draining: AtomicBool,
    /// Where operators' orders go.
    orders: mpsc::Sender<Order>,
    /// What each client has.
    clients: Clients,
    /// What an authority finds that looks whether a name leads here.
    challenges: Arc<Challenges>,
}

/// The place of a request among all that are here, and what of its client's it takes.
pub(crate) struct Admitted {
    _place: OwnedSemaphorePermit,
    _client: Option<Held>,
}

/// Counts a request as in flight until dropped.
struct InFlight(Arc<State>);

impl Front {
    /// The front of `dispatch`, whose requests are kept in `ledger`.
    pub(crate) fn new(
        config: Arc<Config>,
        (dispatch, ledger): (Arc<Dispatch>, Arc<Ledger>),
        jobs: Option<Arc<JobRoom>>,
        (orders, challenges): (mpsc::Sender<Order>, Arc<Challenges>),
    ) -> Arc<Front> {
        let state = State {
            in_flight: AtomicUsize::new(0),
            places: Places::new(config.limits.requests_max),
            leaving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            orders,
            clients: Clients::default(),
            challenges,
        };
        Arc::new(Front { config, dispatch, ledger, jobs, state: Arc::new(state) })
    }

    /// The front by another configuration. Requests that are under way go on behind this one.
    pub(crate) fn followed_by(
        &self,
        config: Arc<Config>,
        dispatch: Arc<Dispatch>,
        ledger: Arc<Ledger>,
    ) -> Arc<Front> {
        self.state.places.resize(config.limits.requests_max);
        let jobs = self.jobs.clone();
        if let Some(jobs) = &jobs {
            jobs.follow(config.clone(), dispatch.clone(), ledger.clone());
        }
        Arc::new(Front { config, dispatch, ledger, jobs, state: self.state.clone() })
    }

    /// Who asks whether this balancer is ready is told that it is not, from now on.
    pub(crate) fn leave(&self) {
        self.state.leaving.store(true, Ordering::Release);
    }

    /// Whether nothing new should be sent here.
    pub(crate) fn is_leaving(&self) -> bool {
        self.state.leaving.load(Ordering::Acquire)
    }

    /// What each client has.
    pub(crate) fn clients(&self) -> &Clients {
        &self.state.clients
    }

    /// New requests are the last of their connections from now on.
    pub(crate) fn drain(&self) {
        self.leave();
        self.state.draining.store(true, Ordering::Release);
    }

    /// Whether new requests are to be the last of their connections.
    pub(crate) fn is_draining(&self) -> bool {
        self.state.draining.load(Ordering::Acquire)
    }

    /// Requests between their head and the end of their answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::Acquire)
    }

    /// Where operators' orders go.
    pub(crate) fn orders(&self) -> &mpsc::Sender<Order> {
        &self.state.orders
    }

    /// What may be read of a body of a request of `route`.
    fn body_limits(&self, route: RouteId) -> BodyLimits {
        BodyLimits {
            bytes_max: self.config.route(route).body_bytes,
            total_max: self.config.timeouts.body_total,
            pause_max: self.config.timeouts.body_read,
            rate_min: self.config.limits.rate_min,
        }
    }

    /// How long a client may take for its answer.
    fn write_limits(&self) -> WriteLimits {
        WriteLimits {
            pause_max: self.config.timeouts.answer_write,
            rate_min: self.config.limits.rate_min,
        }
    }

    /// A place for the request of `session`, or what to tell it where there is none.
    fn admit(&self, session: &Session) -> Result<Admitted, Problem> {
        let Some(place) = self.state.places.take() else {
            let detail = format!("`{}` requests are here already", self.config.limits.requests_max);
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1));
        };
        let limits = &self.config.limits.client;
        let client = client::address(session, &self.config.forwarding);
        let Some(client) = client else { return Ok(Admitted { _place: place, _client: None }) };
        match self.state.clients.ask(limits, (client, Instant::now())) {
            Ok(held) => Ok(Admitted { _place: place, _client: held }),
            Err(why) => {
                self.ledger.metrics.edge.limited(why.name());
                Err(too_many(why))
            }
        }
    }

    /// Notes that the request of `session` is here, and begins its trace, where one is taken.
    fn begin(&self, session: &Session, record: &mut Record) -> Active {
        let head = session.req_header();
        let whence = client::whence(session);
        record.is_https = self.config.forwarding.is_https(whence, &head.headers);
        record.trace = self.ledger.traces.begin(&head.headers);
        self.ledger.metrics.http.begun(&head.method, record.is_https)
    }

    /// Sets how long the connection waits for its next request, if it may have one: pingora would
    /// let HTTP/1.1 clients wait for ever.
    fn set_keepalive(&self, session: &mut Session) {
        if session.get_keepalive().is_none() {
            return;
        }
        let secs = self.config.timeouts.idle.as_secs_f64().ceil() as u64;
        session.set_keepalive((!self.is_draining()).then_some(secs.max(1)));
    }

    /// Notes what takes the request of `session`.
    fn route(&self, session: &Session, record: &mut Record) -> Taken {
        let request = session.req_header();
        let taken = self.config.route_table.take(Shown {
            host: headers::host(request),
            path: request.uri.path(),
            method: &request.method,
        });
        record.marks.cors = match &taken {
            Taken::Route(route) => {
                record.route = Some(*route);
                let route = self.config.route(*route);
                record.marks.timing.clone_from(&route.timing_allow_origin);
                record.marks.expose.clone_from(&route.expose_headers);
                route.cors
            }
            Taken::Fixed(index) => self.config.fixed[*index].cors,
            Taken::OtherMethods(_) | Taken::Nowhere => self.config.any_cors(),
        };
        taken
    }

    /// Answers what needs no host, or has no place here. Its route, where it needs a host.
    async fn answer_here(
        &self,
        session: &mut Session,
        record: &mut Record,
        (listener, refused): (usize, Option<Problem>),
    ) -> Result<Option<RouteId>, Gone> {
        let listener = &self.config.listeners[listener];
        let whence = client::whence(session);
        let redirect = listener.https_redirect.filter(|_| !record.is_https);
        record.marks.hsts = listener.hsts.clone().filter(|_| whence.is_tls);
        if let Some(shown) = self.state.challenges.at(session.req_header().uri.path()) {
            let answer = challenge::answer(shown).map_err(|_| Gone)?;
            return Box::pin(self.answer(session, record, answer)).await.map(|()| None);
        }
        let taken = self.route(session, record);
        let wrong = refusal::of(session.req_header(), self.config.limits.header_bytes);
        let wrong = wrong.or(refused).or_else(|| self.not_allowed(session, &taken));
        if let Some(problem) = wrong {
            session.set_keepalive(None);
            return Box::pin(self.refuse(session, record, &problem)).await.map(|()| None);
        }
        if let Some(asked) = self.asked_of_jobs(session.req_header().uri.path()) {
            record.route = None;
            return Box::pin(self.serve_jobs(session, record, asked)).await.map(|()| None);
        }
        if let Some(port) = redirect {
            let answer = https::redirect(session.req_header(), port).map_err(|_| Gone)?;
            return Box::pin(self.answer(session, record, answer)).await.map(|()| None);
        }
        match self.host_or_answer(session.req_header(), taken, record.marks.cors) {
            Ok(route) => Ok(Some(route)),
            Err(answer) => {
                let answer = answer.map_err(|_| Gone)?;
                Box::pin(self.answer(session, record, answer)).await.map(|()| None)
            }
        }
    }

    /// Notes whose the request of `session` for `route` is. False where it cannot be told, and that
    /// is answered.
    async fn whose(
        &self,
        session: &mut Session,
        record: &mut Record,
        route: RouteId,
    ) -> Result<bool, Gone> {
        let from = whose::From {
            address: client::address(session, &self.config.forwarding),
            subject: client::whence(session).subject,
        };
        match whose::terms(&self.config, route, from, &session.req_header().headers) {
            Ok(terms) => {
                record.terms = terms;
                Ok(true)
            }
            Err(problem) => Box::pin(self.refuse(session, record, &problem)).await.map(|()| false),
        }
    }

    /// Why the route that takes the request of `session` is not for its client, if so.
    fn not_allowed(&self, session: &Session, taken: &Taken) -> Option<Problem> {
        let Taken::Route(route) = taken else { return None };
        let allowed = &self.config.route(*route).allow;
        if allowed.is_empty() {
            return None;
        }
        let client = client::address(session, &self.config.forwarding);
        let is_allowed = client.is_some_and(|client| networks::allow(allowed, client));
        let detail = "this address may not ask for it";
        (!is_allowed).then(|| Problem::new(StatusCode::FORBIDDEN, detail).at("client"))
    }

    /// The route whose hosts answer `request`, which is `taken`; or the answer that it gets here.
    fn host_or_answer(
        &self,
        request: &RequestHeader,
        taken: Taken,
        cors: bool,
    ) -> Result<RouteId, pingora::Result<Whole>> {
        let path = request.uri.path();
        let is_options = request.method == Method::OPTIONS;
        if is_options && cors {
            return Err(cors::preflight(&request.headers).map(without_body));
        }
        let unserved = |status: StatusCode| {
            Problem::new(status, format!("no route serves `{path}`")).at("path")
        };
        let problem = match taken {
            Taken::Route(route) => return Ok(route),
            Taken::Fixed(index) => match self.config.fixed[index].status {
                status if status.is_client_error() || status.is_server_error() => unserved(status),
                status => return Err(fixed(status, &self.config.fixed[index].text)),
            },
            // It is about the balancer (RFC 9110, section 9.3.7), which has nothing to say.
            Taken::Nowhere if is_options && path == "*" => {
                return Err(empty(StatusCode::OK).map(without_body));
            }
            Taken::Nowhere => unserved(StatusCode::NOT_FOUND),
            Taken::OtherMethods(methods) => {
                let detail = format!("no route serves `{}` of `{path}`", request.method);
                let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
                let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).at("method");
                problem.allow(names.join(", "))
            }
        };
        Err(problem.answer())
    }

    /// Answers with `problem`.
    async fn refuse(
        &self,
        session: &mut Session,
        record: &mut Record,
        problem: &Problem,
    ) -> Result<(), Gone> {
        let answer = problem.answer().map_err(|_| Gone)?;
        self.answer(session, record, answer).await
    }

    /// Answers, having taken what the client still sends, so that it reads the answer rather than a
    /// reset.
    async fn answer(
        &self,
        session: &mut Session,
        record: &mut Record,
        answer: Whole,
    ) -> Result<(), Gone> {
        record.status = answer.header.status.as_u16();
        let complete = settle(session).await;
        record.bytes_out =
            client::send(session, answer, (self.write_limits(), &record.marks)).await?;
        if !complete {
            linger(session).await;
        }
        Ok(())
    }

    /// Whether the body of a request of `route` is read before a host is chosen. What asks for
    /// another protocol has none; what follows goes both ways.
    fn holds(&self, session: &Session, route: RouteId) -> bool {
        if session.is_upgrade_req() {
            return true;
        }
        match self.config.route(route).body {
            BodyMode::Buffer => true,
            BodyMode::Stream => false,
        }
    }

    /// Serves a request of `route` whose body is held.
    async fn serve_held(
        &self,
        session: &mut Session,
        record: &mut Record,
        route: RouteId,
    ) -> Result<(), ExchangeError> {
        let share = self.dispatch.budget.share(client::owner(session, &self.config.forwarding));
        let body = match body::read(session, self.body_limits(route), share).await {
            Ok(body) => body,
            Err(BodyError::ClientGone(_)) => return Err(Gone.into()),
            Err(BodyError::Refused(problem)) => {
                return Ok(Box::pin(self.refuse(session, record, &problem)).await?);
            }
        };
        if self.is_large(session, route, &body.bytes) {
            let preferences = Preferences::of(&session.req_header().headers);
            let wanted = (route, preferences, Some(body));
            return Box::pin(self.accept(session, record, wanted)).await;
        }
        let rooms = (&*self.dispatch, &*self.ledger);
        let mut client = Client::new(
            session,
            &self.config.forwarding,
            (self.write_limits(), record.marks.clone()),
        );
        let payload = Payload::Held(body.bytes.clone());
        exchange::serve(rooms, &mut client, record, (route, &payload)).await
    }
}

/// What to tell a client that has too many requests.
fn too_many(why: TooMany) -> Problem {
    let (detail, after) = match why {
        TooMany::AtOnce => ("this client has too many requests at once", 1.0),
        TooMany::TooOften(secs) => ("this client asks too often", secs),
    };
    let after = after.ceil().max(1.0) as u64;
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).at("client").retry_after(after)
}

/// `status` without a body.
fn empty(status: StatusCode) -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(status, Some(3))?;
    header.insert_header(header::CONTENT_LENGTH, 0)?;
    Ok(header)
}

/// `status` with `text`.
fn fixed(status: StatusCode, text: &str) -> pingora::Result<Whole> {
    let mut header = empty(status)?;
    if !text.is_empty() {
        header.insert_header(header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
        header.insert_header(header::CONTENT_LENGTH, text.len())?;
    }
    Ok(Whole { header: Box::new(header), body: Bytes::copy_from_slice(text.as_bytes()) })
}

fn without_body(header: ResponseHeader) -> Whole {
    Whole { header: Box::new(header), body: Bytes::new() }
}

// === impl InFlight ===

impl InFlight {
    /// Counts one more.
    fn new(front: &Front) -> InFlight {
        front.state.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(front.state.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
