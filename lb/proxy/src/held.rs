//! Serves a request whose body is held: it follows the balancer's verdicts from host to host until
//! the client has its answer.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use weighbridge_core::admit::{Invocation, Placement, ShedReason, Verdict};
use weighbridge_core::observe::Failure;
use weighbridge_core::request::{Ask, RouteId};

use crate::decide::Ticket;
use crate::forward::{self, Answer, Rest, Try, TryError};
use crate::gateway::{Gateway, ServeError};
use crate::lambda::Invoked;
use crate::queue;
use crate::receive::{self, Buffered, ReceiveError};
use crate::record::Record;
use crate::repeats::Fingerprint;
use crate::respond::{self, Problem};

/// Pooled connections that turn out to be dead are skipped this many times before the host is
/// held to have failed.
const STALE_CONNECTIONS_MAX: usize = 64;

/// A request whose body is held, on its way.
struct Held<'a> {
    gateway: &'a Gateway,
    session: &'a mut Session,
    record: &'a mut Record,
    route: RouteId,
    /// The request as it goes to a host; each try takes it.
    request: Option<Box<RequestHeader>>,
    body: Buffered,
    fingerprint: Option<Fingerprint>,
}

/// What a try brought.
enum Tried {
    Answered(Answer),
    Failed(Failure, Option<(Box<ResponseHeader>, Bytes)>),
}

impl Gateway {
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
                return Box::pin(self.refuse(session, record, &problem)).await;
            }
        };
        record.bytes_in = body.bytes.len() as u64;
        let request = match forward::request_for_host(session, &body.bytes) {
            Ok(request) => request,
            Err(error) => {
                let problem = Problem::new(StatusCode::BAD_REQUEST, error.to_string());
                return Box::pin(self.refuse(session, record, &problem)).await;
            }
        };
        let policy = self.policy(route);
        let features = receive::features(&policy.features, session, &body.bytes);
        let fingerprint = self.fingerprint(route, &request, &body.bytes);
        let known = fingerprint.and_then(|fingerprint| self.repeats.known(fingerprint));
        let body_bytes = body.bytes.len() as u64;
        let event_bytes = self.event_bytes(route, &request, &body.bytes);
        let ask = Ask { route, features, known, body_bytes, event_bytes };
        let started = Instant::now();
        let (ticket, verdict) = self.decide.arrive(ask);
        self.metrics.decided(started.elapsed());
        let request = Some(request);
        Held { gateway: self, session, record, route, request, body, fingerprint }
            .serve(ticket, verdict)
            .await
    }
}

impl Held<'_> {
    /// Follows the verdicts until the client has its answer.
    ///
    /// What is rare is boxed here and below: a future is as long as its longest part, and is moved
    /// for every request.
    async fn serve(&mut self, mut ticket: Ticket, mut verdict: Verdict) -> Result<(), ServeError> {
        let mut refused: Option<(Box<ResponseHeader>, Bytes)> = None;
        loop {
            let tried = match verdict {
                Verdict::Forward(placement) => self.attempt(&placement).await?,
                Verdict::Lambda(invocation) => Box::pin(self.invoke(&invocation)).await?,
                Verdict::Queue { .. } => {
                    verdict = Box::pin(self.wait(&mut ticket)).await?;
                    continue;
                }
                Verdict::Shed(reason) => {
                    drop(ticket);
                    return match refused {
                        Some((header, body)) => Box::pin(self.pass_on(header, body)).await,
                        None => Box::pin(self.shed(reason)).await,
                    };
                }
            };
            verdict = match tried {
                Tried::Answered(answer) => return self.deliver(ticket, answer).await,
                Tried::Failed(failure, answer) => {
                    refused = answer.or(refused);
                    ticket.fail(failure)
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
        match self.exchange(address).await {
            Ok(answer) => Ok(available(answer)),
            Err(TryError::ClientGone) => Err(ServeError::ClientGone),
            Err(TryError::Stale(error)) => {
                Ok(self.blame(placement, Failure::BeforeResponse, Some(&error)))
            }
            Err(TryError::Host(failure, error)) => {
                Ok(self.blame(placement, failure, error.as_deref()))
            }
        }
    }

    /// Sends the request to the host at `address`, past pooled connections that are dead.
    async fn exchange(&mut self, address: SocketAddr) -> Result<Answer, TryError> {
        let gateway = self.gateway;
        let mut stale = 0;
        loop {
            let mut request = self.take_request()?;
            forward::tell_estimate(&mut request, self.record.told);
            let one = Try {
                connections: &gateway.connections,
                address,
                request,
                body: &self.body.bytes,
                is_idempotent: gateway.policy(self.route).idempotent,
                limits: gateway.try_limits(),
            };
            match forward::attempt(self.session, one).await {
                Err(TryError::Stale(error)) if stale < STALE_CONNECTIONS_MAX => {
                    tracing::debug!(%error, "a pooled connection was dead");
                    stale += 1;
                }
                answered => return answered,
            }
        }
    }

    /// The request as it goes to a host: made once, and again where a try has taken it.
    fn take_request(&mut self) -> Result<Box<RequestHeader>, TryError> {
        let made = self.request.take().map(Ok);
        let made =
            made.unwrap_or_else(|| forward::request_for_host(self.session, &self.body.bytes));
        made.map_err(|error| TryError::Host(Failure::BeforeResponse, Some(error)))
    }

    fn blame(
        &self,
        placement: &Placement,
        failure: Failure,
        error: Option<&pingora::Error>,
    ) -> Tried {
        self.gateway.metrics.try_failed(failure);
        let host = placement.host.0;
        tracing::warn!(host, ?failure, ?error, "a host failed a request");
        Tried::Failed(failure, None)
    }

    async fn invoke(&mut self, invocation: &Invocation) -> Result<Tried, ServeError> {
        let Ok(request) = self.take_request() else {
            return Ok(Tried::Failed(Failure::Refused, None));
        };
        let sent = (&**request, &self.body.bytes);
        let invoked = self.gateway.invoke(self.session, self.record, invocation, sent).await;
        self.request = Some(request);
        match invoked {
            Invoked::Answered(answer) => Ok(available(answer)),
            Invoked::Failed(failure) => Ok(Tried::Failed(failure, None)),
            Invoked::ClientGone => Err(ServeError::ClientGone),
        }
    }

    async fn deliver(&mut self, ticket: Ticket, answer: Answer) -> Result<(), ServeError> {
        match answer {
            Answer::Whole { header, body } => {
                self.record.answered();
                self.gateway.hear(self.record, &header);
                let report = self.record.heard.map(|heard| heard.host);
                self.gateway.learn(ticket, self.record, report, self.fingerprint);
                self.pass_on(header, body).await
            }
            Answer::Partial { header, beginning, rest } => {
                Box::pin(self.relay(ticket, header, beginning, *rest)).await
            }
        }
    }

    async fn pass_on(
        &mut self,
        mut header: Box<ResponseHeader>,
        body: Bytes,
    ) -> Result<(), ServeError> {
        let gone = |_| ServeError::ClientGone;
        self.record.status = header.status.as_u16();
        respond::strip(&mut header);
        self.record.add_timing(&mut header).map_err(gone)?;
        let head = self.session.req_header().method == Method::HEAD;
        let bodiless = head || matches!(header.status.as_u16(), 204 | 304);
        if bodiless {
            respond::allow_origin(&mut header).map_err(gone)?;
            let sent = async {
                self.session.write_response_header(header, true).await?;
                self.session.write_response_body(None, true).await
            };
            return Box::pin(sent).await.map_err(gone);
        }
        self.record.bytes_out =
            respond::send(self.session, header, body).await.map_err(gone)? as u64;
        Ok(())
    }

    /// Passes on an answer that is too long to be held, as it arrives.
    async fn relay(
        &mut self,
        mut ticket: Ticket,
        header: Box<ResponseHeader>,
        beginning: Bytes,
        mut rest: Rest,
    ) -> Result<(), ServeError> {
        let gone = |_| ServeError::ClientGone;
        self.gateway.hear(self.record, &header);
        self.gateway.believe(self.record);
        let mut shown = header;
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
            piece = rest.next().await.map_err(|error| {
                self.gateway.metrics.try_failed(Failure::AfterResponse);
                ticket.fail(Failure::AfterResponse);
                ServeError::BrokenOff(error)
            })?;
        }
        self.session.write_response_body(None, true).await.map_err(gone)?;
        let gateway = self.gateway;
        rest.release(&gateway.connections, gateway.config.timeouts.idle).await;
        self.record.answered();
        self.gateway.learn(ticket, self.record, None, self.fingerprint);
        Ok(())
    }

    async fn shed(&mut self, reason: ShedReason) -> Result<(), ServeError> {
        let problem = self.gateway.shed(reason);
        self.gateway.refuse(self.session, self.record, &problem).await
    }
}

/// An answer, unless it says that there can be none now.
fn available(answer: Answer) -> Tried {
    match answer {
        Answer::Whole { header, body } if forward::is_unavailable(header.status) => {
            Tried::Failed(Failure::Refused, Some((header, body)))
        }
        answer => Tried::Answered(answer),
    }
}
