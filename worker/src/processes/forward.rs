//! One request: from the client to a process, and its answer back.
//!
//! A process gets HTTP/1.1 over a connection of its own for each request: a server of one thread
//! would otherwise wait for the next request on a connection that stays open, and take no other.
//! Method, target, headers, status and bodies pass as they are, but for the headers that belong to
//! a connection. Where client and process agree on another protocol, they speak it with each other,
//! and the process has no other request meanwhile. A body of up to [`HELD_BYTES`] that says its
//! length is read before the request is queued, so that a slow client keeps no process waiting;
//! others stream. An answer is held back for as long as it is short and comes at once, because its
//! head tells what it has cost.

mod body;
mod exchange;
mod report;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout, timeout_at};
use weighbridge_instrument::RequestCost;

use super::executor::{NoProcess, Processes};
use super::process::Lease;
use super::room::Measured;
use super::ticket::Ticket;
use crate::attempt::Attempt;
use crate::estimates::Estimate;
use crate::front::{Front, InFlight};
use crate::receive::{self, ReceiveError, Received};
use crate::respond::{self, Answer, Problem};

pub(crate) use body::Streamed;
use body::{Outgoing, ToProcess};
use exchange::{ExchangeError, Exchanged};
use report::attach;
use upgrade::Client;

/// How the metrics call requests for processes, and whose mean is the estimate of one without.
pub(crate) const NAME: &str = "run";

/// The longest body that is read before its request is queued.
const HELD_BYTES: u64 = 1 << 20;
/// The longest answer that is held back, and for how long from its head on.
const ANSWER_BYTES: usize = 1 << 20;
const ANSWER_TIME: Duration = Duration::from_millis(250);
/// How long after a connection has broken the end of its process may become known.
const END_KNOWN: Duration = Duration::from_secs(1);

/// Why a request gets no answer from a process.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("this worker drains: it takes no new work")]
    Draining,
    #[error(transparent)]
    NoProcess(#[from] NoProcess),
    #[error(transparent)]
    NotReceived(#[from] ReceiveError),
    #[error("process {process} {how} while it had the request")]
    Ended { process: usize, how: String },
    #[error("process {process} changed the protocol, which nobody had asked for")]
    Unasked { process: usize },
    #[error("process {process} gave no answer that can be read")]
    Failed { process: usize, source: ExchangeError },
}

/// What is known of a request for as long as it is here.
#[derive(Debug)]
pub(crate) struct Entered {
    front: Arc<Front>,
    estimate: Estimate,
    _in_flight: InFlight,
    is_answered: bool,
}

/// Answers a request by a process.
pub(crate) async fn forward(
    front: &Arc<Front>,
    processes: &Processes,
    request: Request<Incoming>,
) -> Answer {
    let answer = if let Some(in_flight) = front.drain.enter() {
        let estimate = front.estimates.of(NAME, request.headers());
        let front = Arc::clone(front);
        let entered = Entered { front, estimate, _in_flight: in_flight, is_answered: false };
        run(entered, processes, request).await
    } else {
        receive::discard(request);
        Err(Refusal::Draining)
    };
    let answer = answer.unwrap_or_else(|refusal| {
        if let Refusal::Failed { process, source } = &refusal {
            let cause = source as &dyn std::error::Error;
            tracing::warn!(process, cause, "a request failed");
        }
        let mut answer = respond::problem(&refusal.to_problem());
        attach(front, processes, answer.headers_mut(), None);
        answer
    });
    front.metrics.answered(NAME, answer.status());
    front.load.answered(answer.status());
    answer
}

async fn run(
    mut entered: Entered,
    processes: &Processes,
    mut request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let attempt = Attempt::of(request.headers());
    let held = receive(&entered, processes, &mut request).await;
    let held = match held {
        Ok(held) => held,
        Err(refusal) => {
            entered.is_answered = true;
            receive::discard(request);
            return Err(refusal);
        }
    };
    let mut ticket =
        processes.enter((entered.estimate.work_secs, entered.estimate.owner), attempt)?;
    let lease = ticket.started().await;
    let lease = lease.inspect_err(|_| entered.is_answered = true)?;
    ticket.seen_by(lease.clone());
    let limit = entered.front.bodies.body_bytes;
    let client = Client::of(&mut request);
    let exchanged = exchange::exchange(&lease.address, to_process(request, held, limit)).await;
    let exchanged = match exchanged {
        Ok(exchanged) => exchanged,
        Err(error) => {
            entered.is_answered = true;
            return Err(failure(lease, error).await);
        }
    };
    if exchanged.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(entered, processes, ticket, (client, lease, exchanged));
    }
    answer(entered, processes, ticket, lease, exchanged).await
}

/// Lets client and process speak as they agreed to, and tells the client so.
fn switch(
    mut entered: Entered,
    processes: &Processes,
    ticket: Ticket,
    (client, lease, exchanged): (Client, Lease, Exchanged),
) -> Result<Answer, Refusal> {
    let Some(switched) = client.switch(exchanged) else {
        entered.is_answered = true;
        return Err(Refusal::Unasked { process: lease.process });
    };
    let (mut head, tunnel) = switched;
    attach(&entered.front, processes, head.headers_mut(), None);
    tokio::spawn(tunnel.run(ticket, entered));
    Ok(head)
}

/// The body, where it is held; `None` where it streams.
async fn receive(
    entered: &Entered,
    processes: &Processes,
    request: &mut Request<Incoming>,
) -> Result<Option<Received>, Refusal> {
    processes.check_room()?;
    let bounds = &entered.front.bodies;
    let hint = request.body().size_hint();
    if bounds.body_bytes < hint.lower() {
        return Err(ReceiveError::TooLong(bounds.body_bytes).into());
    }
    match hint.exact() {
        Some(length @ 1..=HELD_BYTES) => {
            let body = receive::receive(request, bounds).await?;
            debug_assert!(body.bytes.len() as u64 <= length, "hyper gives what was announced");
            entered.front.metrics.received(body.bytes.len());
            Ok(Some(body))
        }
        Some(_) | None => Ok(None),
    }
}

/// The request as a process gets it.
fn to_process(request: Request<Incoming>, held: Option<Received>, limit: u64) -> Request<Outgoing> {
    let (parts, body) = request.into_parts();
    let body = match held {
        Some(held) => Outgoing::Left(Full::new(held.bytes.into())),
        None => Outgoing::Right(ToProcess::new(body, limit)),
    };
    exchange::request(parts, body)
}

/// Holds the answer back, or passes it on as it comes.
async fn answer(
    mut entered: Entered,
    processes: &Processes,
    ticket: Ticket,
    lease: Lease,
    exchanged: Exchanged,
) -> Result<Answer, Refusal> {
    let (mut parts, mut rest, connection) = exchanged.into_parts();
    exchange::strip(&mut parts.headers);
    let mut held = Vec::new();
    let until = Instant::now() + ANSWER_TIME;
    let is_held = is_held(&parts.headers);
    let mut trailers = None;
    let front = Arc::clone(&entered.front);
    while !rest.is_end_stream() {
        let is_held = is_held && held.len() < ANSWER_BYTES;
        let frame = if is_held { timeout_at(until, rest.frame()).await.ok() } else { None };
        match frame {
            Some(None) => break,
            Some(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => held.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
            Some(Some(Err(error))) => {
                entered.is_answered = true;
                return Err(failure(lease, error.into()).await);
            }
            // It is not to be held, or takes its time: the rest streams.
            None => {
                attach(&front, processes, &mut parts.headers, None);
                let body = Streamed::new(held, rest, connection, ticket, entered);
                return Ok(Response::from_parts(parts, respond::Body::Right(body)));
            }
        }
    }
    let measured = ticket.finish();
    entered.ran(measured);
    attach(&front, processes, &mut parts.headers, measured);
    let body = match trailers {
        None => respond::Body::Left(Full::new(held.into())),
        Some(trailers) => respond::Body::Right(Streamed::whole(held, trailers)),
    };
    Ok(Response::from_parts(parts, body))
}

/// Whether an answer may be held back at all: not what is to arrive as it happens, and not what is
/// longer than may be held.
fn is_held(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let streams = text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/event-stream"));
    let length = text(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    !streams && length.is_none_or(|length| length <= ANSWER_BYTES)
}

/// Why there is no answer: the end of the process explains it, where it has ended.
async fn failure(mut lease: Lease, error: ExchangeError) -> Refusal {
    if let ExchangeError::Body(error) = error {
        return Refusal::NotReceived(error);
    }
    let process = lease.process;
    let ended = lease.ended.wait_for(Option::is_some);
    match timeout(END_KNOWN, ended).await {
        Ok(Ok(how)) => Refusal::Ended { process, how: how.clone().unwrap_or_default() },
        Ok(Err(_)) => Refusal::Ended { process, how: "ended".to_owned() },
        Err(_) => Refusal::Failed { process, source: error },
    }
}

// === impl Refusal ===

impl Refusal {
    fn to_problem(&self) -> Problem {
        let (status, field) = match self {
            Refusal::Draining | Refusal::NoProcess(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
            Refusal::NotReceived(error) => (error.status(), Some("body".to_owned())),
            Refusal::Ended { .. } | Refusal::Unasked { .. } | Refusal::Failed { .. } => {
                (StatusCode::BAD_GATEWAY, None)
            }
        };
        Problem { status, detail: self.to_string(), field }
    }
}

// === impl Entered ===

impl Entered {
    /// Learns from a request that has run to its end.
    fn ran(&mut self, measured: Option<Measured>) {
        self.is_answered = true;
        let Some(measured) = measured else { return };
        let cpu_secs = measured.cpu.as_secs_f64();
        let cost = RequestCost { cpu_seconds: Some(cpu_secs), ..RequestCost::default() };
        self.front.metrics.ran(NAME, &cost, measured.times);
        self.front.estimates.ran(NAME, self.estimate, cpu_secs);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.is_answered {
            self.front.metrics.abandoned(NAME);
        }
    }
}
