//! Pingora's callbacks. Requests whose body is held are served whole in `request_filter`; those of
//! a streaming route go pingora's own way, with the balancer's verdicts in between.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};

use weighbridge_core::admit::{ShedReason, Verdict};
use weighbridge_core::observe::Failure;
use weighbridge_core::request::{Ask, RouteId};

use crate::decide::Ticket;
use crate::forward;
use crate::gateway::{Gateway, InFlight, ServeError};
use crate::listen;
use crate::receive::{self, ReceiveError};
use crate::record::Record;
use crate::respond::{self, Problem};

/// The status that is logged where the client left before it had an answer (nginx's convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// How pingora is told that the client hung up before its answer was complete. Not a broken
/// connection, which a client that sent half a body may still read an answer on.
const CLIENT_GONE: ErrorType = ErrorType::Custom("the client left");

/// The proxy as pingora sees it.
pub(crate) struct Proxy(pub(crate) Arc<Gateway>);

/// One request on its way.
pub(crate) struct Passage {
    record: Record,
    ticket: Option<Ticket>,
    verdict: Option<Verdict>,
    /// Whether the head of an answer has come.
    is_answered: bool,
    _in_flight: InFlight,
}

#[async_trait]
impl ProxyHttp for Proxy {
    /// Boxed: pingora moves it from future to future.
    type CTX = Box<Passage>;

    fn new_ctx(&self) -> Self::CTX {
        listen::mark_read();
        Box::new(Passage {
            record: Record::new(),
            ticket: None,
            verdict: None,
            is_answered: false,
            _in_flight: InFlight::new(self.0.clone()),
        })
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        let gateway = &self.0;
        gateway.set_keepalive(session);
        receive::unite_lengths(session).map_err(Error::into_down)?;
        session.set_read_timeout(Some(gateway.config.timeouts.body_read));
        ctx.record.route = gateway.route_of(session);
        if gateway.answer_here(session, &mut ctx.record).await.map_err(left)? {
            return Ok(true);
        }
        let Some(route) = ctx.record.route else { return Ok(true) };
        if receive::buffers(gateway.route(route)) {
            gateway.serve_held(session, &mut ctx.record, route).await.map_err(left)?;
            return Ok(true);
        }
        Box::pin(self.start_stream(session, ctx, route)).await
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        loop {
            match ctx.verdict.take() {
                Some(Verdict::Forward(placement)) => {
                    ctx.record.placed(&placement);
                    let address = self.0.hosts.address(placement.host);
                    if let Some(address) = address {
                        return Ok(Box::new(forward::peer(address, self.0.try_limits())));
                    }
                    ctx.verdict = ctx.ticket.as_mut().map(|t| t.fail(Failure::Connect));
                }
                Some(Verdict::Queue { .. }) => match &mut ctx.ticket {
                    Some(ticket) => ctx.verdict = ticket.verdict().await,
                    None => return Error::e_explain(ErrorType::InternalError, "no ticket"),
                },
                // What streams has no event: it is not sent to Lambda.
                Some(Verdict::Shed(_) | Verdict::Lambda(_)) | None => {
                    return Error::e_explain(ErrorType::HTTPStatus(503), "no host takes it");
                }
            }
        }
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        forward::prepare_stream(request, session)?;
        forward::tell_estimate(request, ctx.record.told);
        Ok(())
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        // pingora would write an empty last piece as one more last chunk, which the host would
        // take for the beginning of the connection's next request.
        if end && body.as_ref().is_some_and(Bytes::is_empty) {
            *body = None;
        }
        ctx.record.bytes_in += body.as_ref().map_or(0, Bytes::len) as u64;
        if self.0.config.limits.body_bytes < ctx.record.bytes_in {
            return Error::e_explain(ErrorType::HTTPStatus(413), "the body is too long");
        }
        Ok(())
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        self.0.metrics.try_failed(Failure::Connect);
        error.set_retry(ctx.try_again(Failure::Connect));
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Self::CTX,
        _client_reused: bool,
    ) -> Box<Error> {
        if !matches!(error.esource(), ErrorSource::Upstream) {
            error.set_retry(false);
            return error;
        }
        self.0.metrics.try_failed(Failure::BeforeResponse);
        let unseen = session.response_written().is_none_or(|r| r.status.is_informational());
        let whole = !session.as_ref().retry_buffer_truncated();
        let again = ctx.try_again(Failure::BeforeResponse);
        error.set_retry(again && unseen && whole);
        error
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        answer: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        ctx.is_answered = true;
        self.0.hear(&mut ctx.record, answer);
        self.0.believe(&mut ctx.record);
        respond::strip_stream(answer);
        ctx.record.add_timing(answer)?;
        respond::allow_origin(answer)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<std::time::Duration>> {
        ctx.record.bytes_out += body.as_ref().map_or(0, Bytes::len) as u64;
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        let unseen = session.response_written().is_none_or(|r| r.status.is_informational());
        let problem = self.problem(error);
        let error_code = problem.as_ref().map_or(CLIENT_CLOSED_REQUEST, |problem| problem.status);
        ctx.record.status = error_code;
        if let (true, Some(problem)) = (unseen, problem) {
            session.set_keepalive(None);
            // The client may be gone by now; there is nobody else to tell.
            let _told = self.0.refuse(session, &mut ctx.record, &problem).await;
        }
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _session: &Session, ctx: &Self::CTX, _error: &Error) -> bool {
        ctx.record.status == CLIENT_CLOSED_REQUEST
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        if let (Some(ticket), true, None) = (ctx.ticket.take(), ctx.is_answered, error) {
            ctx.record.answered();
            self.0.learn(ticket, &mut ctx.record, None, None);
        }
        self.0.log(session, &ctx.record);
    }
}

impl Proxy {
    /// What the client is told of `error`; `None` where it has left.
    fn problem(&self, error: &Error) -> Option<Problem> {
        let gateway = &self.0;
        match (error.etype(), error.esource()) {
            (&CLIENT_GONE, _) => None,
            (ErrorType::HTTPStatus(413), _) => {
                Some(receive::too_large(gateway.body_limits().bytes_max))
            }
            (ErrorType::HTTPStatus(503), _) => Some(gateway.shed(ShedReason::TriesExhausted)),
            (ErrorType::HTTPStatus(code), _) => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::BAD_GATEWAY);
                Some(Problem::new(status, error.etype().as_str().to_owned()))
            }
            (_, ErrorSource::Downstream) => receive::fault(error),
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

    /// Asks for a host for a request whose body is not read.
    async fn start_stream(
        &self,
        session: &mut Session,
        ctx: &mut Passage,
        route: RouteId,
    ) -> Result<bool> {
        let gateway = &self.0;
        if let Err(ReceiveError::Refused(problem)) =
            receive::check_length(session, gateway.body_limits())
        {
            gateway.refuse(session, &mut ctx.record, &problem).await.map_err(left)?;
            return Ok(true);
        }
        let policy = gateway.policy(route);
        let features = receive::features(&policy.features, session, &[]);
        let ask = Ask { route, features, known: None, body_bytes: 0, event_bytes: None };
        let (ticket, verdict) = gateway.decide.arrive(ask);
        if let Verdict::Shed(reason) = &verdict {
            let problem = gateway.shed(*reason);
            gateway.refuse(session, &mut ctx.record, &problem).await.map_err(left)?;
            return Ok(true);
        }
        ctx.ticket = Some(ticket);
        ctx.verdict = Some(verdict);
        Ok(false)
    }
}

impl Passage {
    /// Tells the balancer of a failure; whether it has another host.
    fn try_again(&mut self, failure: Failure) -> bool {
        self.verdict = self.ticket.as_mut().map(|ticket| ticket.fail(failure));
        matches!(self.verdict, Some(Verdict::Forward(_) | Verdict::Queue { .. }))
    }
}

/// How pingora is told that a request ended without an answer.
#[expect(clippy::unnecessary_box_returns, reason = "pingora's errors are boxed")]
fn left(error: ServeError) -> Box<Error> {
    match error {
        ServeError::ClientGone => {
            let mut error = Error::new(CLIENT_GONE);
            error.as_down();
            error
        }
        ServeError::BrokenOff(error) => error.into_up(),
    }
}
