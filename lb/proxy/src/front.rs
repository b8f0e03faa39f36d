//! The front: what clients meet. Here a request is refused, answered at once, or read and handed
//! on; the front knows pingora's sessions, the rooms behind it do not.
//!
//! Two ways lead on. Where the body is held, the exchange is ours ([`crate::exchange`]): any
//! framing, any number of tries, and the client watched all the while. Where a route streams,
//! pingora's own path carries it ([`stream`]).

mod body;
mod client;
mod cors;
mod proxy;
mod refusal;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use weighbridge_core::request::RouteId;

use crate::answer::{Problem, Whole};
use crate::caller::Gone;
use crate::config::{BodyMode, Config};
use crate::dispatch::Dispatch;
use crate::exchange::{self, ExchangeError};
use crate::ledger::Ledger;
use crate::record::Record;

use body::{BodyError, BodyLimits};
use client::{Client, WriteLimits, linger, settle};
pub(crate) use proxy::Proxy;

/// Answered 200 with nothing, as the health checks of the earlier systems expect.
const HEALTH_PATHS: [&str; 2] = ["/", "/test"];

/// See the module.
pub(crate) struct Front {
    pub(crate) config: Arc<Config>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) ledger: Arc<Ledger>,
    /// Requests between their head and the end of their answer.
    in_flight: AtomicUsize,
    /// No new connections; finish what is there.
    draining: AtomicBool,
}

/// Counts a request as in flight until dropped.
struct InFlight(Arc<Front>);

impl Front {
    /// The front of `dispatch`, whose requests are kept in `ledger`.
    pub(crate) fn new(
        config: Arc<Config>,
        dispatch: Arc<Dispatch>,
        ledger: Arc<Ledger>,
    ) -> Arc<Front> {
        Arc::new(Front {
            config,
            dispatch,
            ledger,
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        })
    }

    /// New requests are the last of their connections from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether new requests are to be the last of their connections.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Requests between their head and the end of their answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// What may be read of a body.
    fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            bytes_max: self.config.limits.body_bytes,
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

    /// What to tell a request that is one too many.
    fn one_too_many(&self) -> Option<Problem> {
        let most = self.config.limits.requests_max;
        (most < self.in_flight()).then(|| {
            let detail = format!("`{most}` requests are here already");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
        })
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

    /// Answers what needs no host. `true` when the request is done.
    async fn answer_here(&self, session: &mut Session, record: &mut Record) -> Result<bool, Gone> {
        let refused = refusal::of(session.req_header(), self.config.limits.header_bytes);
        let refused = refused.or_else(|| self.one_too_many());
        if let Some(problem) = refused {
            session.set_keepalive(None);
            return Box::pin(self.refuse(session, record, &problem)).await.map(|()| true);
        }
        let request = session.req_header();
        let path = request.uri.path();
        let header = if request.method == Method::OPTIONS {
            cors::preflight()
        } else if HEALTH_PATHS.contains(&path) {
            empty()
        } else if record.route.is_none() {
            let detail = format!("no route serves `{path}`");
            let problem = Problem::new(StatusCode::NOT_FOUND, detail).at("path");
            return Box::pin(self.refuse(session, record, &problem)).await.map(|()| true);
        } else {
            return Ok(false);
        };
        let header = Box::new(header.map_err(|_| Gone)?);
        let answer = Whole { header, body: Bytes::new() };
        Box::pin(self.answer(session, record, answer)).await.map(|()| true)
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
        record.bytes_out = client::send(session, answer, self.write_limits()).await?;
        if !complete {
            linger(session).await;
        }
        Ok(())
    }

    /// Whether the body of a request of `route` is read before a host is chosen.
    fn holds(&self, route: RouteId) -> bool {
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
        let share = self.dispatch.budget.share(client::owner(session));
        let body = match body::read(session, self.body_limits(), share).await {
            Ok(body) => body,
            Err(BodyError::ClientGone(_)) => return Err(Gone.into()),
            Err(BodyError::Refused(problem)) => {
                return Ok(Box::pin(self.refuse(session, record, &problem)).await?);
            }
        };
        let rooms = (&*self.dispatch, &*self.ledger);
        let mut client = Client::new(session, self.write_limits());
        exchange::serve(rooms, &mut client, record, (route, &body.bytes)).await
    }
}

/// 200 without a body: what health checks of the earlier systems expect at `/`.
fn empty() -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(StatusCode::OK, Some(3))?;
    header.insert_header(header::CONTENT_LENGTH, 0)?;
    Ok(header)
}

// === impl InFlight ===

impl InFlight {
    /// Counts one more.
    fn new(front: Arc<Front>) -> InFlight {
        front.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(front)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
