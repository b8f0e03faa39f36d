//! Reads a request: which route, its body where something needs it, and what a model sees of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderName, StatusCode, header};
use pingora::ErrorType;
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::request::RequestSpec;

use crate::config::{BodyMode, Route};
use crate::respond::Problem;

/// The memory budget is counted in units of this many bytes.
const BUDGET_UNIT: u64 = 1024;

/// Why a request cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The client's fault, or a limit: it gets this answer.
    #[error("refused: {}", .0.detail)]
    Refused(Problem),
    /// The client is gone; nobody is there to be answered.
    #[error("the client left while its body was read")]
    ClientGone(#[source] Box<pingora::Error>),
}

/// A body, whole, holding its part of the memory budget.
#[derive(Debug)]
pub(crate) struct Buffered {
    /// The bytes.
    pub(crate) bytes: Bytes,
    _budget: Option<OwnedSemaphorePermit>,
}

/// The bytes of request bodies that may be held at once, over all requests.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    units: Arc<Semaphore>,
    units_max: u32,
}

/// How much of a body is read, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// The longest body, in bytes.
    pub(crate) bytes_max: u64,
    /// The longest time between two pieces of it.
    pub(crate) pause_max: Duration,
}

// === impl MemoryBudget ===

impl MemoryBudget {
    /// A budget of `bytes`.
    pub(crate) fn new(bytes: u64) -> MemoryBudget {
        let units_max = u32::try_from(bytes / BUDGET_UNIT).unwrap_or(u32::MAX).max(1);
        let units_max = units_max.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        MemoryBudget { units: Arc::new(Semaphore::new(units_max as usize)), units_max }
    }

    /// Bytes that are held now.
    pub(crate) fn held_bytes(&self) -> u64 {
        u64::from(self.units_max).saturating_sub(self.units.available_permits() as u64)
            * BUDGET_UNIT
    }

    /// Room for `bytes` if there is some now: who already holds a part must not wait for more,
    /// or two of them wait for each other.
    fn hold_now(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(BUDGET_UNIT)).ok()?;
        self.units.clone().try_acquire_many_owned(units).ok()
    }

    /// Waits for room for `bytes`; `None` where they are more than the whole budget.
    async fn hold(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(BUDGET_UNIT)).ok()?;
        if self.units_max < units {
            return None;
        }
        self.units.clone().acquire_many_owned(units).await.ok()
    }
}

/// Whether the body of a request of `route` is read before a host is chosen.
pub(crate) fn buffers(route: &Route) -> bool {
    match route.body {
        BodyMode::Buffer => true,
        BodyMode::Stream => false,
    }
}

/// Reads the whole body, within `limits` and `budget`. Sends `100 Continue` where it is asked for.
pub(crate) async fn body(
    session: &mut Session,
    limits: BodyLimits,
    budget: &MemoryBudget,
) -> Result<Buffered, ReceiveError> {
    check_length(session, limits)?;
    if session.is_body_empty() {
        return Ok(Buffered { bytes: Bytes::new(), _budget: None });
    }
    // Boxed, that a request without a body does not carry what reads one.
    Box::pin(read_body(session, limits, budget)).await
}

/// The `Content-Length`, where there is a readable one.
pub(crate) fn content_length(session: &Session) -> Option<u64> {
    session.get_header(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Makes one `Content-Length` of several, which pingora has found to be equal.
pub(crate) fn unite_lengths(session: &mut Session) -> pingora::Result<()> {
    let request = session.req_header_mut();
    let mut lengths = request.headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(()) };
    let first = first.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default();
    let length = String::from_utf8_lossy(first.trim_ascii()).into_owned();
    request.insert_header(header::CONTENT_LENGTH, length)
}

/// Refuses a body that says beforehand that it is too long.
pub(crate) fn check_length(session: &Session, limits: BodyLimits) -> Result<(), ReceiveError> {
    match content_length(session) {
        Some(length) if limits.bytes_max < length => {
            Err(ReceiveError::Refused(too_large(limits.bytes_max)))
        }
        Some(_) | None => Ok(()),
    }
}

async fn read_body(
    session: &mut Session,
    limits: BodyLimits,
    budget: &MemoryBudget,
) -> Result<Buffered, ReceiveError> {
    let expected = content_length(session).unwrap_or(0);
    let room = tokio::time::timeout(limits.pause_max, budget.hold(expected)).await;
    let mut held = room.ok().flatten().ok_or_else(|| over_budget(expected))?;
    if session.get_header(header::EXPECT).is_some() {
        session.downstream_session.write_continue_response().await.map_err(gone)?;
    }
    let mut bytes = BytesMut::with_capacity(usize::try_from(expected).unwrap_or(0));
    while let Some(piece) = next_piece(session, limits).await? {
        let length = (bytes.len() + piece.len()) as u64;
        if limits.bytes_max < length {
            return Err(ReceiveError::Refused(too_large(limits.bytes_max)));
        }
        let held_bytes = held.num_permits() as u64 * BUDGET_UNIT;
        if held_bytes < length {
            let more = (length - held_bytes).max(held_bytes.min(1 << 20));
            held.merge(budget.hold_now(more).ok_or_else(|| over_budget(more))?);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Buffered { bytes: bytes.freeze(), _budget: Some(held) })
}

async fn next_piece(
    session: &mut Session,
    limits: BodyLimits,
) -> Result<Option<Bytes>, ReceiveError> {
    let piece = tokio::time::timeout(limits.pause_max, session.read_request_body()).await;
    let Ok(piece) = piece else {
        let detail = format!("nothing more of the body came within `{:?}`", limits.pause_max);
        let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, detail).at("body");
        return Err(ReceiveError::Refused(problem));
    };
    piece.map_err(|error| {
        // Where the next request begins is not known.
        session.set_keepalive(None);
        fault(&error).map_or_else(|| gone(error), ReceiveError::Refused)
    })
}

/// What to tell a client whose body cannot be read; `None` where there is nobody to be told.
pub(crate) fn fault(error: &pingora::Error) -> Option<Problem> {
    let detail = match error.etype() {
        // The client may have closed its half only, and wait for an answer.
        ErrorType::ConnectionClosed => "the body ended before its announced end",
        ErrorType::Custom("InvalidChunk") => "the body's chunks cannot be read",
        ErrorType::ReadTimedout => {
            let detail = "nothing more of the body came in time";
            return Some(Problem::new(StatusCode::REQUEST_TIMEOUT, detail).at("body"));
        }
        _ => return None,
    };
    Some(Problem::new(StatusCode::BAD_REQUEST, detail).at("body"))
}

/// Bytes of a request's head, about as they came.
pub(crate) fn head_bytes(request: &RequestHeader) -> usize {
    let line = request.method.as_str().len() + request.raw_path().len();
    let headers = request.headers.iter();
    headers.fold(line, |bytes, (name, value)| bytes + name.as_str().len() + value.len())
}

/// What the model of a route sees of this request.
pub(crate) fn features(set: &FeatureSet, session: &Session, body: &[u8]) -> Features {
    let body_bytes = content_length(session).or((!body.is_empty()).then_some(body.len() as u64));
    extract(set, session.req_header(), body_bytes, body)
}

/// The features of a request whose parts are at hand; headers that are no text are left out.
pub(crate) fn extract(
    set: &FeatureSet,
    head: &Parts,
    body_bytes: Option<u64>,
    body: &[u8],
) -> Features {
    let headers: Vec<(&str, &str)> = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let query = head.uri.query().unwrap_or("");
    set.extract(&RequestSpec { query, headers: &headers, body_bytes, body })
}

/// Headers of the request that are never passed on: they are the balancer's to set.
pub(crate) const RESERVED: [HeaderName; 1] = [ESTIMATE];

/// Tells a host what a request is predicted to cost.
pub(crate) const ESTIMATE: HeaderName = HeaderName::from_static("weighbridge-estimate");

fn gone(error: Box<pingora::Error>) -> ReceiveError {
    ReceiveError::ClientGone(error)
}

/// The answer to a body that is too long.
pub(crate) fn too_large(bytes_max: u64) -> Problem {
    let detail = format!("the body is longer than `{bytes_max}` bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).at("body")
}

fn over_budget(bytes: u64) -> ReceiveError {
    let detail = format!("no room to hold a body of `{bytes}` bytes");
    ReceiveError::Refused(
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).at("body").retry_after(1),
    )
}
