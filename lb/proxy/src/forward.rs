//! One try at one host, for a request whose body is held whole: it can be tried again at another
//! host for as long as nothing of the answer went to the caller.
//!
//! The answer is held back until it is complete, up to a limit, so that a host that dies in the
//! middle of it is not noticed either.

mod announce;
mod connection;
mod connections;
mod dial;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::upstreams::peer::HttpPeer;
use tokio::sync::Notify;

use weighbridge_core::observe::Failure;

use crate::answer::{Whole, is_unavailable};
use crate::budget::Share;
use crate::config::{AnswerMode, HostAddress, Protocol};
use crate::fleet::Target;
use crate::headers::{content_length, is_event_stream, strip};
use crate::payload::Payload;

use connection::{Connection, is_timeout, is_unreadable_body};
pub(crate) use connections::{Connections, Reuse};
pub(crate) use dial::Dial;

/// What a host answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// All of it.
    Whole(Whole),
    /// The connection has become another protocol.
    Switched {
        /// The head that says so.
        header: Box<ResponseHeader>,
        /// The host's side.
        rest: Box<Rest>,
    },
    /// More than is held back: the rest is still to come.
    Partial {
        /// Status and headers.
        header: Box<ResponseHeader>,
        /// What was read of the body.
        beginning: Bytes,
        /// Where the rest comes from.
        rest: Box<Rest>,
    },
}

/// The rest of an answer.
pub(crate) struct Rest(Connection);

/// Why a try brought no answer.
#[derive(Debug, thiserror::Error)]
#[error("the host failed the request")]
pub(crate) struct TryError(pub(crate) Failure, #[source] pub(crate) Option<Box<pingora::Error>>);

/// How long the steps of a try may take, and how much of an answer is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TryLimits {
    /// To connect.
    pub(crate) connect: Duration,
    /// From the request to the end of the answer's head, and between parts of its body.
    pub(crate) response: Duration,
    /// How long an idle connection is kept.
    pub(crate) idle: Duration,
    /// The longest answer that is held whole, in bytes.
    pub(crate) held_bytes_max: u64,
    /// Which answers are held.
    pub(crate) answer: AnswerMode,
}

/// One try: what is sent, and where.
pub(crate) struct Try<'a> {
    /// Where idle connections are.
    pub(crate) connections: &'a Connections,
    /// The host.
    pub(crate) target: Target,
    /// The client's end of its connection, and ours, where there is one.
    pub(crate) between: Option<(SocketAddr, SocketAddr)>,
    /// The request as it goes to a host.
    pub(crate) request: Box<RequestHeader>,
    /// Its whole body.
    pub(crate) body: &'a Payload,
    /// Which idle connections it may use.
    pub(crate) reuse: Reuse,
    /// How long it may take.
    pub(crate) limits: TryLimits,
    /// The memory for its answer.
    pub(crate) share: &'a mut Share,
    /// Where interim answers go.
    pub(crate) interim: &'a Interim,
}

/// Interim answers on their way to whoever asked, such as 103 (RFC 8297).
#[derive(Default)]
pub(crate) struct Interim {
    heads: Mutex<VecDeque<Box<ResponseHeader>>>,
    n_passed: AtomicUsize,
    came: Notify,
}

/// The most interim answers of one try that are passed on.
const INTERIM_MAX: usize = 16;

/// Sends the request to a host and reads its answer. Dropped before its end, the host is told by
/// the closing of its connection.
pub(crate) async fn send(one: Try<'_>) -> Result<Answer, TryError> {
    let Try { connections, target, between, request, body, reuse, limits, share, interim } = one;
    let mut connection = connections
        .get((&target, between), reuse, limits)
        .await
        .map_err(|error| TryError(Failure::Connect, Some(error)))?;
    match connection.ask(request, body, interim).await {
        Ok(()) => read_answer(connections, connection, (limits, share)).await,
        Err(error) if is_timeout(&error) => Err(TryError(Failure::Timeout, Some(error))),
        Err(error) if is_too_long_head(&error) => {
            Err(TryError(Failure::BeforeResponse, Some(error)))
        }
        Err(error) if connection.is_reused() => {
            connections.closed(&connection);
            Err(TryError(Failure::Stale, Some(error)))
        }
        Err(error) => Err(TryError(Failure::BeforeResponse, Some(error))),
    }
}

/// Whether a host has answered with more fields than are read. Another would do the same.
pub(crate) fn is_too_long_head(error: &pingora::Error) -> bool {
    let cause = error.cause.as_ref().and_then(|cause| cause.downcast_ref::<httparse::Error>());
    cause == Some(&httparse::Error::TooManyHeaders)
}

/// The peer that `target` is, with its timeouts. A connection to it is on behalf of the one
/// `between` a client and us.
pub(crate) fn peer(
    target: &Target,
    between: Option<(SocketAddr, SocketAddr)>,
    limits: TryLimits,
) -> HttpPeer {
    let mut peer = match &target.address {
        HostAddress::Tcp(address) => HttpPeer::new(*address, false, String::new()),
        HostAddress::Unix(path) => HttpPeer::new_uds(path, false, String::new())
            .expect("an address of a host is a path that a socket may have"),
    };
    if target.protocol == Protocol::H2c {
        peer.options.set_http_version(2, 2);
    }
    let dial = Dial::of(target, between);
    if !dial.is_plain() {
        peer.options.custom_l4 = Some(Arc::new(dial));
        // Nobody else's connection is like it.
        peer.group_key = fastrand::u64(1..);
    }
    peer.options.connection_timeout = Some(limits.connect);
    peer.options.total_connection_timeout = Some(limits.connect);
    peer.options.read_timeout = Some(limits.response);
    peer.options.write_timeout = Some(limits.response);
    peer.options.idle_timeout = Some(limits.idle);
    peer
}

async fn read_answer(
    connections: &Connections,
    mut connection: Connection,
    (limits, share): (TryLimits, &mut Share),
) -> Result<Answer, TryError> {
    let failed = |error| TryError(Failure::BeforeResponse, Some(error));
    let Some(header) = connection.head().map(|header| Box::new(header.clone())) else {
        return Err(TryError(Failure::BeforeResponse, None));
    };
    if header.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Answer::Switched { header, rest: Box::new(Rest(connection)) });
    }
    let announced = content_length(&header.headers).unwrap_or(0);
    // Without memory to hold it, it is passed on as it comes.
    let is_held = limits.holds(&header, connection.has_body());
    if !is_held || limits.held_bytes_max < announced || !share.try_hold(announced) {
        let rest = Box::new(Rest(connection));
        return Ok(Answer::Partial { header, beginning: Bytes::new(), rest });
    }
    let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(piece) = connection.piece().await.map_err(failed)? {
        body.extend_from_slice(piece);
        let bytes = body.capacity() as u64;
        let is_held = bytes <= share.bytes() || share.try_hold(bytes);
        if limits.held_bytes_max < body.len() as u64 || !is_held {
            let rest = Box::new(Rest(connection));
            return Ok(Answer::Partial { header, beginning: body.freeze(), rest });
        }
    }
    connections.give_back(connection, limits.idle).await;
    Ok(Answer::Whole(Whole { header, body: body.freeze() }))
}

// === impl Interim ===

impl Interim {
    /// The next one, once it comes.
    pub(crate) async fn next(&self) -> Box<ResponseHeader> {
        loop {
            if let Some(head) = self.take() {
                return head;
            }
            self.came.notified().await;
        }
    }

    /// The next one, where one has come.
    pub(crate) fn take(&self) -> Option<Box<ResponseHeader>> {
        self.heads.lock().pop_front()
    }

    /// Passes `head` on. `100 Continue` has been answered here.
    fn pass(&self, head: &ResponseHeader) {
        let is_answered = head.status == StatusCode::CONTINUE;
        if is_answered || INTERIM_MAX <= self.n_passed.fetch_add(1, Ordering::Relaxed) {
            return;
        }
        let mut head = Box::new(head.clone());
        strip(&mut head);
        self.heads.lock().push_back(head);
        self.came.notify_one();
    }
}

// === impl TryLimits ===

impl TryLimits {
    /// Whether an answer with `head` is to be held; `has_body`: one may follow.
    fn holds(&self, head: &ResponseHeader, has_body: bool) -> bool {
        let says_length = content_length(&head.headers).is_some();
        // Another host may do better: this answer may not be the one that the client gets.
        if !has_body || is_unavailable(head.status) {
            return true;
        }
        match self.answer {
            AnswerMode::Auto => says_length && !is_event_stream(&head.headers),
            AnswerMode::Hold => !is_event_stream(&head.headers),
            AnswerMode::Stream => false,
        }
    }
}

// === impl Rest ===

impl Rest {
    /// The next part; `None` at the end.
    pub(crate) async fn next(&mut self) -> pingora::Result<Option<Bytes>> {
        self.0.piece_kept().await
    }

    /// Sends `bytes` in the protocol that the connection has switched to.
    pub(crate) async fn send(&mut self, bytes: &Bytes) -> pingora::Result<()> {
        self.0.send(bytes).await
    }

    /// Gives the connection back once everything was read; it is kept for the time `idle`.
    pub(crate) async fn release(self, connections: &Connections, idle: Duration) {
        connections.give_back(self.0, idle).await;
    }
}

// === impl TryError ===

impl TryError {
    /// Whether the body that was to be sent could not be read.
    pub(crate) fn is_unreadable_body(&self) -> bool {
        self.1.as_deref().is_some_and(is_unreadable_body)
    }

    /// See [`is_too_long_head`].
    pub(crate) fn is_too_long_head(&self) -> bool {
        self.1.as_deref().is_some_and(is_too_long_head)
    }
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("address", &self.0.address()).finish_non_exhaustive()
    }
}
