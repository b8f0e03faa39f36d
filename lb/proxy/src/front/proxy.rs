//! Pingora's callbacks, in the order in which it calls them. Requests whose body is held are served
//! whole in `request_filter`; the others go pingora's own way ([`super::stream`]).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, Result};

use weighbridge_core::observe::Failure;

use crate::forward;
use crate::headers;
use crate::stage::{self, Stage};
use crate::traces;

use super::stream::{self, Passage};
use super::{Current, client};

/// The status that is logged where the client left before it had an answer (nginx's convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The proxy as pingora sees it, for the connections of one listener. Each request has the front of
/// when it came.
pub(crate) struct Proxy {
    pub(crate) current: Current,
    /// Which listener, an index into [`Config::listeners`](crate::config::Config::listeners).
    pub(crate) listener: usize,
}

#[async_trait]
impl ProxyHttp for Proxy {
    /// Boxed: pingora moves it from future to future.
    type CTX = Box<Passage>;

    fn new_ctx(&self) -> Self::CTX {
        stage::enter(Stage::Read);
        Box::new(Passage::new(self.current.load_full()))
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        let front = ctx.front.clone();
        front.set_keepalive(session);
        client::spare_interim(session);
        headers::unite_lengths(session.req_header_mut()).map_err(Error::into_down)?;
        headers::unite_cookies(session.req_header_mut()).map_err(Error::into_down)?;
        headers::to_origin_form(session.req_header_mut());
        session.set_read_timeout(Some(front.config.timeouts.body_read));
        ctx.active = Some(front.begin(session, &mut ctx.record));
        let refused = match front.admit(session) {
            Ok(admitted) => {
                ctx.admitted = Some(admitted);
                None
            }
            Err(problem) => Some(problem),
        };
        let here = front.answer_here(session, &mut ctx.record, (self.listener, refused)).await;
        let here = here.map_err(stream::gone)?;
        let Some(route) = here else { return Ok(true) };
        let whose = front.whose(session, &mut ctx.record, route).await;
        if !whose.map_err(stream::gone)? {
            return Ok(true);
        }
        if let Some(films) = front.films(route) {
            let asked = (route, films);
            let served = Box::pin(front.serve_films(session, &mut ctx.record, asked)).await;
            served.map_err(stream::unanswered)?;
            return Ok(true);
        }
        if let Some(preferences) = front.becomes_job(session, route) {
            let wanted = (route, preferences, None);
            let accepted = Box::pin(front.accept(session, &mut ctx.record, wanted)).await;
            accepted.map_err(stream::unanswered)?;
            return Ok(true);
        }
        if front.holds(session, route) {
            front.serve_held(session, &mut ctx.record, route).await.map_err(stream::unanswered)?;
            return Ok(true);
        }
        Box::pin(front.start_stream(session, ctx, route)).await
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        let between = client::between(session);
        ctx.front.clone().next_peer(ctx, between).await
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        let whence = (&ctx.front.config.forwarding, client::whence(session));
        headers::for_host_streamed(request, session.req_header(), whence)?;
        headers::tell_estimate(request, ctx.record.told());
        headers::tell_order(request, ctx.record.order);
        if let (Some(trace), Some(host)) = (&mut ctx.record.trace, ctx.record.host)
            && let Some(target) = ctx.front.dispatch.hosts.target(host)
        {
            trace.begin_try(request, || traces::Place::Host(host, target.address));
        }
        if ctx.is_alone {
            request.insert_header(header::CONNECTION, "close")?;
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        ctx.goes_on()?;
        // pingora would write an empty last piece as one more last chunk, which the host would
        // take for the beginning of the connection's next request.
        if end && body.as_ref().is_some_and(Bytes::is_empty) {
            *body = None;
        }
        ctx.record.bytes_in += body.as_ref().map_or(0, Bytes::len) as u64;
        let most = ctx.record.route.map(|route| ctx.front.config.route(route).body_bytes);
        if most.is_some_and(|most| most < ctx.record.bytes_in) {
            return stream::body_too_long();
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
        ctx.front.ledger.metrics.try_failed(Failure::Connect);
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
        ctx.front.ledger.metrics.try_failed(Failure::BeforeResponse);
        if forward::is_too_long_head(&error) {
            // What others of its kind would answer, too: the host is not to blame.
            ctx.ticket = None;
            error.set_retry(false);
            return error;
        }
        let whole = !session.as_ref().retry_buffer_truncated();
        let again = ctx.try_again(Failure::BeforeResponse);
        error.set_retry(again && is_unanswered(session) && whole);
        error
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            return Error::e_explain(ErrorType::InvalidHTTPHeader, "an unasked 101")
                .map_err(|error: Box<Error>| error.into_up());
        }
        if answer.status.is_informational() {
            // However many there are, they do not make more time for the answer.
            let most = ctx.record.route.map(|route| ctx.front.config.route(route).response);
            if most.is_some_and(|most| most < ctx.record.service()) {
                return Error::e_explain(ErrorType::ReadTimedout, "no answer in time")
                    .map_err(|error: Box<Error>| error.into_up());
            }
        }
        ctx.is_answered = true;
        ctx.front.ledger.hear(&mut ctx.record, answer);
        if let Some(route) = ctx.record.route {
            ctx.record.work = ctx.front.dispatch.fleets.of(route).believe(&ctx.record);
        }
        headers::strip_streamed(answer);
        headers::unbind_events(answer)?;
        if !client::knows_chunks(session) && headers::content_length(&answer.headers).is_none() {
            // The end of the connection is the end of the answer.
            answer.remove_header(&header::TRANSFER_ENCODING);
            session.set_keepalive(None);
        }
        ctx.record.add_timing(answer)?;
        ctx.record.marks.put(answer)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        ctx.goes_on()?;
        ctx.record.bytes_out += body.as_ref().map_or(0, Bytes::len) as u64;
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        let problem = ctx.front.problem(ctx, error);
        let error_code = problem.as_ref().map_or(CLIENT_CLOSED_REQUEST, |problem| problem.status);
        ctx.record.status = error_code;
        if let (true, Some(problem)) = (is_unanswered(session), problem) {
            session.set_keepalive(None);
            // The client may be gone by now; there is nobody else to tell.
            let _told = ctx.front.refuse(session, &mut ctx.record, &problem).await;
        }
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _session: &Session, ctx: &Self::CTX, _error: &Error) -> bool {
        ctx.record.status == CLIENT_CLOSED_REQUEST
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        let Passage { front, record, ticket, is_answered, .. } = &mut **ctx;
        let ledger = &front.ledger;
        if let (Some(ticket), true, None) = (ticket.take(), *is_answered, error) {
            record.answered();
            if let Some(observation) = ticket.complete(&record.outcome(), None) {
                ledger.learned(record, observation, None);
            }
        }
        let client = client::address(session, &front.config.forwarding);
        ledger.log(session.req_header(), client, record);
    }
}

/// Whether nothing of an answer has gone to the client.
fn is_unanswered(session: &Session) -> bool {
    session.response_written().is_none_or(|answer| answer.status.is_informational())
}
