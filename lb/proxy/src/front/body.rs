//! Reads the body of a client's request, within its limits and the memory budget.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{StatusCode, header};
use pingora::ErrorType;
use pingora::proxy::Session;

use crate::answer::Problem;
use crate::budget::Share;
use crate::gathered::{Gathered, too_large};
use crate::headers::content_length;
use crate::pace::Pace;

use super::client;

/// What is said of chunks that are none.
const BAD_CHUNKS: &str = "the body's chunks, or the trailers after them, cannot be read";

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

impl From<Problem> for BodyError {
    fn from(problem: Problem) -> BodyError {
        BodyError::Refused(problem)
    }
}

/// A body, whole, with its share of the memory budget.
#[derive(Debug)]
pub(super) struct Body {
    /// The bytes.
    pub(super) bytes: Bytes,
    share: Option<Share>,
}

/// A body as it comes, within the times that it may take.
pub(super) struct Pieces {
    by: Instant,
    pace: Pace,
    /// When the last piece was given out.
    given: Instant,
}

/// How much of a body is read, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// The longest body, in bytes.
    pub(super) bytes_max: u64,
    /// How long all of it may take.
    pub(super) total_max: Duration,
    /// How long it may take without room, and without anything coming.
    pub(super) pause_max: Duration,
    /// The least rate, in bytes per second.
    pub(super) rate_min: u64,
}

/// Reads the whole body, within `limits` and the `share` of the memory budget. Sends `100 Continue`
/// where it is asked for.
pub(super) async fn read(
    session: &mut Session,
    limits: BodyLimits,
    share: Share,
) -> Result<Body, BodyError> {
    check_length(session, limits)?;
    if session.is_body_empty() {
        return Ok(Body { bytes: Bytes::new(), share: None });
    }
    // Boxed: a request without a body does not pay for the memory of reading one.
    Box::pin(read_all(session, limits, share)).await
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
        ErrorType::Custom("InvalidChunk" | "InvalidTrailerEnd") => BAD_CHUNKS,
        ErrorType::ReadError if is_invalid(error) => BAD_CHUNKS,
        ErrorType::ReadTimedout => {
            let detail = "nothing more of the body came in time";
            return Some(Problem::new(StatusCode::REQUEST_TIMEOUT, detail).at("body"));
        }
        _ => return None,
    };
    Some(Problem::new(StatusCode::BAD_REQUEST, detail).at("body"))
}

/// Whether the connection let no more through because of what it was ([`crate::listen`]).
fn is_invalid(error: &pingora::Error) -> bool {
    let cause = error.cause.as_ref().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData)
}

async fn read_all(
    session: &mut Session,
    limits: BodyLimits,
    share: Share,
) -> Result<Body, BodyError> {
    let bounds = (limits.bytes_max, limits.pause_max);
    let mut gathered = Gathered::new(share, announced(session), bounds);
    // Before it is asked for: what does not come does not fill sockets.
    gathered.begin().await?;
    let mut pieces = Pieces::begin(session, limits).await?;
    while let Some(piece) = pieces.next(session).await? {
        gathered.add(&piece).await?;
        pieces.forgive_writing();
    }
    let (bytes, share) = gathered.whole();
    Ok(Body { bytes, share: Some(share) })
}

async fn next_piece(session: &mut Session, patience: Duration) -> Result<Option<Bytes>, BodyError> {
    let piece = tokio::time::timeout(patience, session.read_request_body()).await;
    let Ok(piece) = piece else {
        let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "the body comes too slowly");
        return Err(BodyError::Refused(problem.at("body")));
    };
    piece.map_err(|error| {
        // Where the next request begins is not known.
        session.set_keepalive(None);
        fault(&error).map_or_else(|| gone(error), BodyError::Refused)
    })
}

// === impl Body ===

impl Body {
    /// Its share of the memory budget.
    pub(super) fn into_share(self) -> Option<Share> {
        self.share
    }
}

// === impl Pieces ===

impl Pieces {
    /// Begins to read the body. Sends `100 Continue` where it is asked for.
    pub(super) async fn begin(
        session: &mut Session,
        limits: BodyLimits,
    ) -> Result<Pieces, BodyError> {
        if client::knows_chunks(session) && session.get_header(header::EXPECT).is_some() {
            session.downstream_session.write_continue_response().await.map_err(gone)?;
        }
        let now = Instant::now();
        let pace = Pace::new(limits.pause_max, limits.rate_min);
        Ok(Pieces { by: now + limits.total_max, pace, given: now })
    }

    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self, session: &mut Session) -> Result<Option<Bytes>, BodyError> {
        let left = self.by.saturating_duration_since(Instant::now());
        let piece = next_piece(session, self.pace.left().min(left)).await?;
        self.pace.moved(piece.as_ref().map_or(0, Bytes::len));
        self.given = Instant::now();
        Ok(piece)
    }

    /// What the last piece was given to is done with it: the client has no part in how long that
    /// took.
    pub(super) fn forgive_writing(&mut self) {
        self.pace.forgive(self.given.elapsed());
    }
}

fn gone(error: Box<pingora::Error>) -> BodyError {
    BodyError::ClientGone(error)
}
