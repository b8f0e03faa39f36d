//! Requests whose body is passed on as it comes: the balancer's verdicts between pingora's
//! callbacks.

use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};

use weighbridge_core::admit::{ShedReason, Verdict};
use weighbridge_core::observe::Failure;
use weighbridge_core::request::RouteId;

use crate::answer::Problem;
use crate::ask;
use crate::caller::Gone;
use crate::decide::Ticket;
use crate::dispatch::Dispatch;
use crate::exchange::ExchangeError;
use crate::forward;
use crate::gathered::too_large;
use crate::metrics::http::Active;
use crate::record::Record;
use crate::register::{self, Entry};

use super::body::{self, BodyError};
use super::client;
use super::{Admitted, Front, InFlight};

/// How pingora is told that the client hung up before its answer was complete. Not a broken
/// connection, which a client that sent half a body may still read an answer on.
const CLIENT_GONE: ErrorType = ErrorType::Custom("the client left");

/// One request on its way.
pub(crate) struct Passage {
    /// The front that it came to: its configuration holds until the request has ended.
    pub(super) front: Arc<Front>,
    pub(super) record: Record,
    pub(super) ticket: Option<Ticket>,
    /// What operators are told of it, once it has asked for a host.
    entry: Option<Arc<Entry>>,
    verdict: Option<Verdict>,
    /// How the last host failed it, if one did.
    failure: Option<Failure>,
    /// Why no host takes it, once none does.
    shed: Option<ShedReason>,
    /// Whether the head of an answer has come.
    pub(super) is_answered: bool,
    /// Whether its connection to the host is for it alone.
    pub(super) is_alone: bool,
    /// Its place among the requests that may be here at once.
    pub(super) admitted: Option<Admitted>,
    /// That it is here, as metrics have it.
    pub(super) active: Option<Active>,
    _in_flight: InFlight,
}

impl Passage {
    /// A request that has just arrived.
    pub(super) fn new(front: Arc<Front>) -> Passage {
        Passage {
            _in_flight: InFlight::new(&front),
            front,
            record: Record::new(),
            ticket: None,
            entry: None,
            verdict: None,
            failure: None,
            shed: None,
            is_answered: false,
            is_alone: false,
            admitted: None,
            active: None,
        }
    }

    /// Tells the balancer of a failure; whether it has another host.
    pub(super) fn try_again(&mut self, failure: Failure) -> bool {
        self.failure = Some(failure);
        self.record.failed(failure);
        self.verdict = self.ticket.as_mut().map(|ticket| ticket.fail(failure));
        matches!(self.verdict, Some(Verdict::Forward(_) | Verdict::Queue { .. }))
    }

    /// An error once an operator has cancelled it.
    pub(super) fn goes_on(&self) -> Result<()> {
        if self.is_cancelled() {
            return Error::e_explain(ErrorType::HTTPStatus(503), "an operator has cancelled it");
        }
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.is_cancelled())
    }

    /// Waits in the balancer's waiting room until there is another verdict, or an operator cancels
    /// it.
    async fn wait(&mut self) -> Result<()> {
        let (Some(ticket), Some(entry)) = (&mut self.ticket, &self.entry) else {
            return Error::e_explain(ErrorType::InternalError, "no ticket");
        };
        tokio::select! {
            biased;
            verdict = ticket.verdict() => self.verdict = verdict,
            () = entry.cancelled() => {}
        }
        self.goes_on()
    }
}

impl Front {
    /// Asks for a host for a request whose body is not read. `true` when the request is done.
    pub(super) async fn start_stream(
        &self,
        session: &mut Session,
        passage: &mut Passage,
        route: RouteId,
    ) -> Result<bool> {
        if let Err(BodyError::Refused(problem)) =
            body::check_length(session, self.body_limits(route))
        {
            self.refuse(session, &mut passage.record, &problem).await.map_err(gone)?;
            return Ok(true);
        }
        session.set_write_timeout(Some(self.write_limits().of_piece()));
        let announced = body::announced(session);
        let mut asked = ask::streamed(&self.dispatch, route, session.req_header(), announced);
        asked.ask.terms = passage.record.terms_now();
        let (ask, _) = asked.noticed(&self.dispatch);
        let (mut ticket, verdict) = self.dispatch.fleets.of(route).arrive(ask);
        if let Verdict::Shed(reason) = &verdict {
            let problem = self.dispatch.shed(route, *reason, None);
            self.refuse(session, &mut passage.record, &problem).await.map_err(gone)?;
            return Ok(true);
        }
        let owner = client::owner(session, &self.config.forwarding);
        let entry = Entry::of_client(session.req_header(), owner);
        ticket.enter(&entry);
        passage.entry = Some(entry);
        passage.ticket = Some(ticket);
        passage.verdict = Some(verdict);
        Ok(false)
    }

    /// Follows the balancer's verdicts to the next host.
    pub(super) async fn next_peer(
        &self,
        passage: &mut Passage,
        between: Option<(SocketAddr, SocketAddr)>,
    ) -> Result<Box<HttpPeer>> {
        let dispatch = &self.dispatch;
        let Some(route) = passage.record.route else {
            return Error::e_explain(ErrorType::InternalError, "no route");
        };
        loop {
            match passage.verdict.take() {
                Some(Verdict::Forward(placement)) => {
                    passage.record.placed(&placement);
                    if let Some(target) = dispatch.hosts.target(placement.host) {
                        let limits = dispatch.try_limits(route);
                        let peer = forward::peer(&target, between, limits);
                        // Pingora tells the connections that it keeps by their sockets, which it
                        // does not know of these.
                        passage.is_alone = peer.options.custom_l4.is_some();
                        return Ok(Box::new(peer));
                    }
                    passage.try_again(Failure::Connect);
                }
                Some(Verdict::Queue { .. }) => passage.wait().await?,
                // What streams has no event: it is not sent to Lambda.
                verdict @ (Some(Verdict::Shed(_) | Verdict::Lambda(_) | Verdict::Later) | None) => {
                    passage.shed = match verdict {
                        Some(Verdict::Shed(reason)) => Some(reason),
                        _ => None,
                    };
                    return Error::e_explain(ErrorType::HTTPStatus(503), "no host takes it");
                }
            }
        }
    }

    /// What the client is told of `error`; `None` where it has left.
    pub(super) fn problem(&self, passage: &Passage, error: &Error) -> Option<Problem> {
        match (error.etype(), error.esource()) {
            (&CLIENT_GONE, _) => None,
            _ if passage.is_cancelled() => Some(register::cancelled()),
            (ErrorType::HTTPStatus(413), _) => {
                let most = passage.record.route.map(|route| self.config.route(route).body_bytes);
                Some(too_large(most.unwrap_or_default()))
            }
            (ErrorType::HTTPStatus(503), _) => {
                let reason = passage.shed.unwrap_or(ShedReason::TriesExhausted);
                let route = passage.record.route?;
                Some(self.dispatch.shed(route, reason, passage.failure))
            }
            (ErrorType::HTTPStatus(code), _) => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::BAD_GATEWAY);
                Some(Problem::new(status, error.etype().as_str().to_owned()))
            }
            (ErrorType::InvalidHTTPHeader, ErrorSource::Downstream) => {
                let detail = "`Connection` names a header that is not its to name, or too many";
                Some(Problem::new(StatusCode::BAD_REQUEST, detail).at("connection"))
            }
            (_, ErrorSource::Downstream) => body::fault(error),
            (_, ErrorSource::Upstream) if forward::is_too_long_head(error) => {
                Some(Dispatch::too_long_head())
            }
            (_, ErrorSource::Upstream) => {
                let detail = "a host failed the request, of which it has seen a part";
                Some(Problem::new(StatusCode::BAD_GATEWAY, detail))
            }
            (_, ErrorSource::Internal | ErrorSource::Unset) => {
                let detail = "the balancer failed the request";
                Some(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
            }
        }
    }
}

/// Ends a request whose body is longer than it may be.
pub(super) fn body_too_long() -> Result<()> {
    Error::e_explain(ErrorType::HTTPStatus(413), "the body is too long")
}

/// How pingora is told that the client left.
#[expect(clippy::unnecessary_box_returns, reason = "pingora's errors are boxed")]
pub(super) fn gone(_: Gone) -> Box<Error> {
    let mut error = Error::new(CLIENT_GONE);
    error.as_down();
    error
}

/// How pingora is told that an exchange ended without a whole answer.
#[expect(clippy::unnecessary_box_returns, reason = "pingora's errors are boxed")]
pub(super) fn unanswered(error: ExchangeError) -> Box<Error> {
    match error {
        ExchangeError::Gone(left) => gone(left),
        ExchangeError::BrokenOff(error) => error.into_up(),
    }
}
