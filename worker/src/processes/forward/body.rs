//! Bodies that stream: of a request to its process, and of an answer to its client.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::Entered;
use super::exchange::Connection;
use crate::processes::ticket::Ticket;
use crate::receive::ReceiveError;

/// The body of a request: held, or streaming.
pub(super) type Outgoing = Either<Full<Bytes>, ToProcess>;

/// Why a streaming body ends early.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLong(u64),
    Broken,
}

/// The body of a request, up to a limit.
#[derive(Debug)]
pub(super) struct ToProcess {
    body: Incoming,
    left: u64,
    limit: u64,
}

/// The rest of an answer. Where the client does not take all of it, the client is gone.
#[derive(Debug)]
pub(crate) struct Streamed {
    held: Option<Bytes>,
    rest: Option<Rest>,
    trailers: Option<HeaderMap>,
}

#[derive(Debug)]
struct Rest {
    body: Incoming,
    _connection: Connection,
    ticket: Ticket,
    entered: Entered,
}

// === impl ToProcess ===

impl ToProcess {
    /// `body`, of at most `limit` bytes.
    pub(super) fn new(body: Incoming, limit: u64) -> ToProcess {
        ToProcess { body, left: limit, limit }
    }
}

impl Body for ToProcess {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Poll::Ready(Some(Err(BodyError::Broken))),
            None => return Poll::Ready(None),
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(Some(Err(BodyError::TooLong(self.limit)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Streamed ===

impl Streamed {
    /// What was `held`, and then the rest.
    pub(super) fn new(
        held: Vec<u8>,
        body: Incoming,
        connection: Connection,
        ticket: Ticket,
        entered: Entered,
    ) -> Streamed {
        let rest = Rest { body, _connection: connection, ticket, entered };
        let held = (!held.is_empty()).then(|| held.into());
        Streamed { held, rest: Some(rest), trailers: None }
    }

    /// All of an answer, with its trailers.
    pub(super) fn whole(held: Vec<u8>, trailers: HeaderMap) -> Streamed {
        let held = (!held.is_empty()).then(|| held.into());
        Streamed { held, rest: None, trailers: Some(trailers) }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Some(Ok(Frame::data(held))));
        }
        if let Some(rest) = self.rest.as_mut() {
            let frame = ready!(Pin::new(&mut rest.body).poll_frame(context));
            // Where a length was announced, nobody asks for what comes after the last of it.
            if (frame.is_none() || rest.body.is_end_stream())
                && let Some(Rest { ticket, mut entered, .. }) = self.rest.take()
            {
                entered.ran(ticket.finish());
            }
            return Poll::Ready(frame);
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.rest.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.as_ref().map_or(0, Bytes::len) as u64;
        let Some(rest) = &self.rest else { return SizeHint::with_exact(held) };
        let hint = rest.body.size_hint();
        let mut both = SizeHint::new();
        both.set_lower(held + hint.lower());
        if let Some(upper) = hint.upper() {
            both.set_upper(held + upper);
        }
        both
    }
}

// === impl BodyError ===

impl BodyError {
    /// The same, as an error of the client's.
    pub(super) fn to_receive_error(&self) -> ReceiveError {
        match self {
            BodyError::TooLong(limit) => ReceiveError::TooLong(*limit),
            BodyError::Broken => ReceiveError::BrokenOff,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_receive_error().fmt(f)
    }
}

impl std::error::Error for BodyError {}
