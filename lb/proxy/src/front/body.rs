//! Reads the body of a client's request, within its limits and the memory budget.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{StatusCode, header};
use pingora::ErrorType;
use pingora::proxy::Session;

use crate::answer::Problem;
use crate::headers::content_length;

use super::budget::{MemoryBudget, Share};
use super::client;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The client's fault, or a limit: it gets this answer.
    #[error("refused: {}", .0.detail)]
    Refused(Problem),
    /// The client is gone: there is no one to answer.
    #[error("the client left while its body was read")]
    ClientGone(#[source] Box<pingora::Error>),
}

/// A body, whole, with its share of the memory budget.
#[derive(Debug)]
pub(super) struct Body {
    /// The bytes.
    pub(super) bytes: Bytes,
    _share: Option<Share>,
}

/// How much of a body is read, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// The longest body, in bytes.
    pub(super) bytes_max: u64,
    /// The longest time between two pieces of it.
    pub(super) pause_max: Duration,
}

/// Reads the whole body, within `limits` and `budget`. Sends `100 Continue` where it is asked for.
pub(super) async fn read(
    session: &mut Session,
    limits: BodyLimits,
    budget: &MemoryBudget,
) -> Result<Body, BodyError> {
    check_length(session, limits)?;
    if session.is_body_empty() {
        return Ok(Body { bytes: Bytes::new(), _share: None });
    }
    // Boxed: a request without a body does not pay for the memory of reading one.
    Box::pin(read_all(session, limits, budget)).await
}

/// Refuses a body that says beforehand that it is too long.
pub(super) fn check_length(session: &Session, limits: BodyLimits) -> Result<(), BodyError> {
    match announced(session) {
        Some(length) if limits.bytes_max < length => {
            Err(BodyError::Refused(too_large(limits.bytes_max)))
        }
        Some(_) | None => Ok(()),
    }
}

/// The length that the body has by its head.
pub(super) fn announced(session: &Session) -> Option<u64> {
    content_length(&session.req_header().headers)
}

/// What to tell a client whose body cannot be read; `None` where it is gone.
pub(super) fn fault(error: &pingora::Error) -> Option<Problem> {
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

/// The answer to a body that is too long.
pub(super) fn too_large(bytes_max: u64) -> Problem {
    let detail = format!("the body is longer than `{bytes_max}` bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).at("body")
}

async fn read_all(
    session: &mut Session,
    limits: BodyLimits,
    budget: &MemoryBudget,
) -> Result<Body, BodyError> {
    let expected = announced(session).unwrap_or(0);
    let room = tokio::time::timeout(limits.pause_max, budget.hold(expected)).await;
    let mut share = room.ok().flatten().ok_or_else(|| over_budget(expected))?;
    if client::knows_chunks(session) && session.get_header(header::EXPECT).is_some() {
        session.downstream_session.write_continue_response().await.map_err(gone)?;
    }
    let mut bytes = BytesMut::with_capacity(usize::try_from(expected).unwrap_or(0));
    while let Some(piece) = next_piece(session, limits).await? {
        let length = (bytes.len() + piece.len()) as u64;
        if limits.bytes_max < length {
            return Err(BodyError::Refused(too_large(limits.bytes_max)));
        }
        let held = share.bytes();
        if held < length {
            let more = (length - held).max(held.min(1 << 20));
            share.merge(budget.hold_now(more).ok_or_else(|| over_budget(more))?);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Body { bytes: bytes.freeze(), _share: Some(share) })
}

async fn next_piece(session: &mut Session, limits: BodyLimits) -> Result<Option<Bytes>, BodyError> {
    let piece = tokio::time::timeout(limits.pause_max, session.read_request_body()).await;
    let Ok(piece) = piece else {
        let detail = format!("nothing more of the body came within `{:?}`", limits.pause_max);
        let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, detail).at("body");
        return Err(BodyError::Refused(problem));
    };
    piece.map_err(|error| {
        // Where the next request begins is not known.
        session.set_keepalive(None);
        fault(&error).map_or_else(|| gone(error), BodyError::Refused)
    })
}

fn gone(error: Box<pingora::Error>) -> BodyError {
    BodyError::ClientGone(error)
}

fn over_budget(bytes: u64) -> BodyError {
    let detail = format!("no room to hold a body of `{bytes}` bytes");
    BodyError::Refused(
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).at("body").retry_after(1),
    )
}
