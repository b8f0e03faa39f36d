//! Reads bodies: within the limit of one, within the budget of all, and within a time.

use std::sync::Arc;
use std::time::Duration;

use http::header::EXPECT;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The unit of the budget.
const BUDGET_UNIT_BYTES: u64 = 1024;
/// Room that a body gets before any of it has come.
const CAPACITY_FIRST_BYTES: u64 = 1 << 20;
/// How long the rest of a refused body is read and forgotten.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// What bodies may take.
#[derive(Debug)]
pub(crate) struct BodyBounds {
    /// The longest body.
    pub(crate) body_bytes: u64,
    /// From the head to the end of the body.
    pub(crate) body_read: Duration,
    /// All bodies that are held together.
    pub(crate) budget: Budget,
}

/// Bytes that all bodies share. Clones share it too.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    bytes: u64,
}

/// A whole body, and its part of the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    /// The body.
    pub(crate) bytes: Vec<u8>,
    permit: Option<OwnedSemaphorePermit>,
}

/// Why a body cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error("the body is empty")]
    Empty,
    #[error("the body has more than `{0}` bytes")]
    TooLong(u64),
    #[error("the body did not arrive within `{0:?}`")]
    TooSlow(Duration),
    #[error("the body cannot be read to its end")]
    Broken(#[source] hyper::Error),
    #[error("the body ended before its end")]
    BrokenOff,
    #[error("the bodies of all requests together have more than `{0}` bytes")]
    NoBudget(u64),
}

/// Reads the whole of `request`'s body. Where it fails, the body is left for [`discard`].
pub(crate) async fn receive(
    request: &mut Request<Incoming>,
    bounds: &BodyBounds,
) -> Result<Received, ReceiveError> {
    let hint = request.body().size_hint();
    if bounds.body_bytes < hint.lower() {
        return Err(ReceiveError::TooLong(bounds.body_bytes));
    }
    let received = timeout(bounds.body_read, collect(request.body_mut(), bounds, hint.exact()));
    let received = received.await.map_err(|_| ReceiveError::TooSlow(bounds.body_read))??;
    if received.bytes.is_empty() {
        return Err(ReceiveError::Empty);
    }
    Ok(received)
}

/// Reads and forgets what a refused request still sends, while the answer is on its way. A client
/// that nobody reads from would see its connection reset, and not the answer. A client that waits
/// for `100 Continue` sends nothing, and HTTP/2 has means of its own to end one request.
pub(crate) fn discard(request: Request<Incoming>) {
    let waits = request.headers().contains_key(EXPECT);
    let mut body = request.into_parts().1;
    if waits || body.is_end_stream() {
        return;
    }
    tokio::spawn(timeout(
        DISCARD_TIME,
        async move { while let Some(Ok(_)) = body.frame().await {} },
    ));
}

async fn collect(
    body: &mut Incoming,
    bounds: &BodyBounds,
    expected: Option<u64>,
) -> Result<Received, ReceiveError> {
    let capacity = expected.unwrap_or(0).min(CAPACITY_FIRST_BYTES);
    let mut received = Received { bytes: Vec::with_capacity(capacity as usize), permit: None };
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(ReceiveError::Broken)?.into_data() else { continue };
        let length = (received.bytes.len() + piece.len()) as u64;
        if bounds.body_bytes < length {
            return Err(ReceiveError::TooLong(bounds.body_bytes));
        }
        bounds.budget.extend(&mut received.permit, length)?;
        received.append(&piece, expected);
    }
    Ok(received)
}

// === impl Received ===

impl Received {
    /// Appends `piece`. A body that has filled its first room has proved its announced length.
    fn append(&mut self, piece: &[u8], expected: Option<u64>) {
        let length = self.bytes.len() + piece.len();
        if let Some(expected) = expected
            && self.bytes.capacity() < length
        {
            self.bytes.reserve_exact(length.max(expected as usize) - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
    }
}

// === impl ReceiveError ===

impl ReceiveError {
    /// The status of the answer. All but `NoBudget` are the client's fault.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            ReceiveError::Empty | ReceiveError::Broken(_) | ReceiveError::BrokenOff => {
                StatusCode::BAD_REQUEST
            }
            ReceiveError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            ReceiveError::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            ReceiveError::NoBudget(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

// === impl Budget ===

impl Budget {
    /// A budget of `bytes`.
    pub(crate) fn new(bytes: u64) -> Budget {
        let units = usize::try_from(bytes / BUDGET_UNIT_BYTES).unwrap_or(Semaphore::MAX_PERMITS);
        Budget { free: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))), bytes }
    }

    /// Extends `held` until it covers `length` bytes.
    fn extend(
        &self,
        held: &mut Option<OwnedSemaphorePermit>,
        length: u64,
    ) -> Result<(), ReceiveError> {
        let covered = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u64;
        let missing = length.div_ceil(BUDGET_UNIT_BYTES).saturating_sub(covered);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| ReceiveError::NoBudget(self.bytes))?;
        let more = Arc::clone(&self.free).try_acquire_many_owned(missing);
        let more = more.map_err(|_| ReceiveError::NoBudget(self.bytes))?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
