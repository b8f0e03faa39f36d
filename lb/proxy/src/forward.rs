//! One try at one host, for a request whose body is held whole: it can be tried again at another
//! host for as long as nothing of the answer went to the client.
//!
//! The answer is held back until it is complete, up to a limit, so that a host that dies in the
//! middle of it is not noticed either.

mod idle;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::v1::client::HttpSession;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{ErrorType, OrErr};

use weighbridge_core::observe::Failure;
use weighbridge_core::units::Work;

use crate::queue::client_gone;
use crate::receive::{ESTIMATE, RESERVED};
use crate::respond::hop_by_hop;
use crate::text::{push_ip, push_secs, span};

pub(crate) use idle::Connections;

/// No estimate below this is told: the header's nanoseconds would not show it.
const TOLD_CPU_SECS_MIN: f64 = 1e-9;

/// Headers by which the client's connection frames the request, and ours does anew.
static FRAMING: [HeaderName; 2] = [header::CONTENT_LENGTH, header::EXPECT];

/// The clients and proxies that a request has come by.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Bytes that it rarely exceeds.
const FORWARDED_FOR_BYTES: usize = 48;

/// Bytes that an estimate rarely exceeds.
const ESTIMATE_BYTES: usize = 24;

/// Headers that a request gets on its way to a host: host, length, whence, estimate.
const HEADERS_ADDED_MAX: usize = 4;

/// What a host answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// All of it.
    Whole {
        /// Status and headers.
        header: Box<ResponseHeader>,
        /// The body.
        body: Bytes,
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
pub(crate) struct Rest {
    session: HttpSession,
    address: SocketAddr,
}

/// Why a try brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TryError {
    /// The host's fault.
    #[error("the host failed the request")]
    Host(Failure, #[source] Option<Box<pingora::Error>>),
    /// Nobody's: the host may close an idle connection at the very moment it is used again.
    #[error("a pooled connection was dead")]
    Stale(#[source] Box<pingora::Error>),
    /// The client hung up; the host has been told by closing its connection.
    #[error("the client left")]
    ClientGone,
}

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
}

/// One try: what is sent, and where.
pub(crate) struct Try<'a> {
    /// Where idle connections are.
    pub(crate) connections: &'a Connections,
    /// The host.
    pub(crate) address: SocketAddr,
    /// The request as it goes to a host.
    pub(crate) request: Box<RequestHeader>,
    /// Its whole body.
    pub(crate) body: &'a Bytes,
    /// Whether a host may see it twice.
    pub(crate) is_idempotent: bool,
    /// How long it may take.
    pub(crate) limits: TryLimits,
}

/// Sends the request to a host and reads its answer, for as long as the client stays.
pub(crate) async fn attempt(session: &mut Session, one: Try<'_>) -> Result<Answer, TryError> {
    tokio::select! {
        biased;
        answer = exchange(one) => answer,
        () = client_gone(session) => Err(TryError::ClientGone),
    }
}

/// The request as it goes to a host: HTTP/1.1, framed by `body`, without what belongs to the
/// client's connection or is the balancer's to set, and with where it comes from.
pub(crate) fn request_for_host(
    session: &Session,
    body: &Bytes,
) -> pingora::Result<Box<RequestHeader>> {
    let from = session.req_header();
    let is_hop_by_hop = hop_by_hop(&from.headers);
    let is_dropped = |name: &HeaderName| {
        FRAMING.contains(name) || RESERVED.contains(name) || is_hop_by_hop(name)
    };
    // With room for what is added: a map that grows is hashed again.
    let mut headers = HeaderMap::with_capacity(from.headers.len() + HEADERS_ADDED_MAX);
    for (name, value) in from.headers.iter().filter(|(name, _)| !is_dropped(name)) {
        headers.append(name, value.clone());
    }
    // HTTP/2 has it in the target only, and in the absolute form it overrides `Host` (RFC 9112,
    // section 3.2.2).
    if let Some(authority) = from.uri.authority() {
        let authority = HeaderValue::try_from(authority.as_str());
        headers.insert(header::HOST, authority.or_err(ErrorType::InvalidHTTPHeader, "authority")?);
    }
    if !body.is_empty() || matches!(from.method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, body.len().into());
    }
    if let Some(chain) = forwarded_for(&from.headers, session) {
        headers.insert(FORWARDED_FOR, chain);
    }
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = from.method.clone();
    parts.headers = headers;
    let mut request = Box::new(RequestHeader::from(parts));
    set_target(&mut request, from)?;
    Ok(request)
}

/// The target in its origin form, byte for byte where it had that form.
fn set_target(request: &mut RequestHeader, from: &RequestHeader) -> pingora::Result<()> {
    if from.uri.authority().is_none() {
        return request.set_raw_path(from.raw_path());
    }
    let target = from.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    request.set_uri(Uri::try_from(target).or_err(ErrorType::InvalidHTTPHeader, "target")?);
    Ok(())
}

/// `X-Forwarded-For` with the client at its end.
fn forwarded_for(headers: &HeaderMap, session: &Session) -> Option<HeaderValue> {
    let client = session.client_addr()?.as_inet()?.ip();
    let mut chain = Vec::with_capacity(FORWARDED_FOR_BYTES);
    for before in headers.get_all(FORWARDED_FOR) {
        if let Ok(before) = before.to_str() {
            chain.extend_from_slice(before.as_bytes());
            chain.extend_from_slice(b", ");
        }
    }
    push_ip(&mut chain, client);
    HeaderValue::try_from(chain).ok()
}

/// Tells the host what the request is predicted to cost, in CPU-seconds of the reference core, so
/// that it can order by it. Without `told` nothing is said: the host knows as much itself.
pub(crate) fn tell_estimate(request: &mut RequestHeader, told: Option<Work>) {
    let told = told.unwrap_or(Work::ZERO);
    if told.as_cpu_secs() < TOLD_CPU_SECS_MIN {
        return;
    }
    let mut text = Vec::with_capacity(ESTIMATE_BYTES);
    push_secs(&mut text, span(told));
    if let Err(error) = request.insert_header(ESTIMATE, text) {
        // It has as many headers as there may be. The host does with what it knows itself.
        tracing::debug!(%error, "a host is not told of an estimate");
    }
}

/// The peer at `address`, with its timeouts.
pub(crate) fn peer(address: SocketAddr, limits: TryLimits) -> HttpPeer {
    let mut peer = HttpPeer::new(address, false, String::new());
    peer.options.connection_timeout = Some(limits.connect);
    peer.options.total_connection_timeout = Some(limits.connect);
    peer.options.read_timeout = Some(limits.response);
    peer.options.write_timeout = Some(limits.response);
    peer.options.idle_timeout = Some(limits.idle);
    peer
}

/// The request of a streaming route as it goes to a host; pingora frames it.
pub(crate) fn prepare_stream(
    request: &mut RequestHeader,
    session: &Session,
) -> pingora::Result<()> {
    for name in &RESERVED {
        request.remove_header(name);
    }
    match forwarded_for(&request.headers, session) {
        Some(chain) => request.insert_header(FORWARDED_FOR, chain),
        None => Ok(()),
    }
}

async fn exchange(one: Try<'_>) -> Result<Answer, TryError> {
    let Try { connections, address, request, body, is_idempotent, limits } = one;
    let (mut session, is_reused) = connections
        .get(address, limits)
        .await
        .map_err(|error| TryError::Host(Failure::Connect, Some(error)))?;
    session.read_timeout = Some(limits.response);
    session.write_timeout = Some(limits.response);
    match ask(&mut session, request, body).await {
        Ok(()) => read_answer(connections, session, address, limits).await,
        Err(error) if is_timeout(&error) => Err(TryError::Host(Failure::Timeout, Some(error))),
        Err(error) if is_reused && is_idempotent => Err(TryError::Stale(error)),
        Err(error) => Err(TryError::Host(Failure::BeforeResponse, Some(error))),
    }
}

/// Sends the request and reads the head of the answer.
async fn ask(
    session: &mut HttpSession,
    request: Box<RequestHeader>,
    body: &Bytes,
) -> pingora::Result<()> {
    session.write_request_header(request).await?;
    let sent = async {
        if !body.is_empty() {
            session.write_body(body).await?;
        }
        session.finish_body().await
    }
    .await;
    // A host may answer and close before it has read the whole body (413, 503): then the answer
    // counts, not the failed write.
    if let Err(error) = sent {
        if is_timeout(&error) {
            return Err(error);
        }
        return read_head(session).await.map_err(|_| error);
    }
    read_head(session).await
}

async fn read_head(session: &mut HttpSession) -> pingora::Result<()> {
    loop {
        session.read_response().await?;
        let informational =
            session.resp_header().is_none_or(|header| header.status.is_informational());
        if !informational {
            return Ok(());
        }
    }
}

async fn read_answer(
    connections: &Connections,
    mut session: HttpSession,
    address: SocketAddr,
    limits: TryLimits,
) -> Result<Answer, TryError> {
    let failed = |error| TryError::Host(Failure::BeforeResponse, Some(error));
    let Some(header) = session.resp_header().map(|header| Box::new(header.clone())) else {
        return Err(TryError::Host(Failure::BeforeResponse, None));
    };
    let announced = content_length(&header).unwrap_or(0);
    if limits.held_bytes_max < announced {
        let rest = Box::new(Rest { session, address });
        return Ok(Answer::Partial { header, beginning: Bytes::new(), rest });
    }
    let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(piece) = session.read_body_ref().await.map_err(failed)? {
        body.extend_from_slice(piece);
        if limits.held_bytes_max < body.len() as u64 {
            let rest = Box::new(Rest { session, address });
            return Ok(Answer::Partial { header, beginning: body.freeze(), rest });
        }
    }
    connections.give_back(session, address, limits.idle).await;
    Ok(Answer::Whole { header, body: body.freeze() })
}

/// Whether an answer says that the host cannot serve now, so that another may be asked.
pub(crate) fn is_unavailable(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The `Content-Length`, where there is a readable one.
pub(crate) fn content_length(header: &ResponseHeader) -> Option<u64> {
    header.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_timeout(error: &pingora::Error) -> bool {
    matches!(
        error.etype(),
        ErrorType::ReadTimedout | ErrorType::WriteTimedout | ErrorType::ConnectTimedout
    )
}

// === impl Rest ===

impl Rest {
    /// The next part; `None` at the end.
    pub(crate) async fn next(&mut self) -> pingora::Result<Option<Bytes>> {
        self.session.read_body_bytes().await
    }

    /// Gives the connection back once everything was read; it is kept for the time `idle`.
    pub(crate) async fn release(self, connections: &Connections, idle: Duration) {
        connections.give_back(self.session, self.address, idle).await;
    }
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("address", &self.address).finish_non_exhaustive()
    }
}
