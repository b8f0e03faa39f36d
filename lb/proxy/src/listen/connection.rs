//! One connection of a client: which version of HTTP it speaks, and request after request.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::{ALPN, GetSocketDigest, SocketDigest};
use pingora::proxy::HttpProxy;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::heard::HeardLimits;
use super::transport::Transport;
use super::unread::ClientStream;
use super::wire::HeadLimits;
use super::{Gate, handshake, proxied};
use crate::clients::Held;
use crate::config::Config;
use crate::front::{Front, Proxy};
use crate::metrics::Unwelcome;
use crate::networks;
use crate::stage;
use crate::tls::keeper::Keeper;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The most fields of a head: pingora reads no more.
const FIELDS_MAX: usize = 256;

/// The longest head, in bytes: pingora reads no more.
const HEAD_BYTES_MAX: usize = 1 << 20;

/// What a head of names and values has besides them, at most.
const HEAD_BYTES_MORE: usize = 8 << 10;

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// What a connection may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionLimits {
    /// How long it may have no request.
    idle: Duration,
    /// What may come of a request.
    heard: HeardLimits,
}

impl ConnectionLimits {
    /// What `config` says.
    pub(super) fn by(config: &Config) -> ConnectionLimits {
        let bytes_max = config.limits.header_bytes.saturating_mul(2) + HEAD_BYTES_MORE;
        let bytes_max = bytes_max.min(HEAD_BYTES_MAX);
        let head = HeadLimits { bytes_max, fields_max: FIELDS_MAX };
        ConnectionLimits {
            idle: config.timeouts.idle,
            heard: HeardLimits { head, head_read: config.timeouts.head_read },
        }
    }
}

/// Serves the requests of `connection`, which came from `peer` through `gate`, until either side
/// closes it, or it does what its limits do not allow.
pub(super) async fn carry(
    (connection, peer): (TcpStream, SocketAddr),
    gate: &Gate,
    shutdown: &watch::Receiver<bool>,
) {
    // Boxed: it is as long as all that TLS keeps. A connection outlives configurations, so that
    // nothing of one is kept here.
    let Some((limits, begun, _held)) = Box::pin(begin(connection, peer, gate)).await else {
        return;
    };
    let (transport, protocol, begun) = begun;
    match protocol {
        Protocol::Http1 => {
            let stream = ClientStream::http1(transport, begun, limits.heard);
            serve_http1(stream, &gate.proxy, limits.idle, shutdown).await;
        }
        Protocol::Http2 => {
            let stream = ClientStream::http2(transport, begun);
            gate.proxy.process_new(Box::new(stream), shutdown).await;
        }
    }
}

/// Takes `connection`, and waits until it is known what it speaks; `None` where it does not come to
/// that.
async fn begin(
    mut connection: TcpStream,
    peer: SocketAddr,
    gate: &Gate,
) -> Option<(ConnectionLimits, Begun, Option<Held>)> {
    let front = gate.current.load_full();
    let limits = ConnectionLimits::by(&front.config);
    // Without effect, answers are only slower.
    let _ = connection.set_nodelay(true);
    limit_silence(&connection, limits.idle);
    let welcome = welcome(&mut connection, peer, (&front, gate.listener), limits).await;
    let (client, held) = match welcome {
        Ok(welcome) => welcome,
        Err(why) => {
            front.ledger.metrics.edge.unwelcome(why);
            tracing::debug!(%peer, reason = why.name(), "a connection is not taken");
            return None;
        }
    };
    let begun = match &gate.tls {
        None => plain((connection, client), limits).await?,
        Some(keeper) => encrypted((connection, client), keeper, &front, limits).await?,
    };
    Some((limits, begun, held))
}

/// Whom a connection from `peer` is from, and its place among those of the same client; or why it
/// is not taken.
async fn welcome(
    connection: &mut TcpStream,
    peer: SocketAddr,
    (front, listener): (&Front, usize),
    limits: ConnectionLimits,
) -> Result<(SocketAddr, Option<Held>), Unwelcome> {
    let config = &front.config;
    let listener = &config.listeners[listener];
    let mut client = peer;
    if networks::have(&listener.proxy_protocol_from, peer.ip()) {
        let header = tokio::time::timeout(limits.heard.head_read, proxied::read(connection)).await;
        let said = header.map_err(|_| Unwelcome::ProxyHeader)?;
        client = said.map_err(|_| Unwelcome::ProxyHeader)?.unwrap_or(peer);
    }
    if !networks::allow(&listener.allow, client.ip()) {
        return Err(Unwelcome::NotAllowed);
    }
    if config.forwarding.trusts(client.ip()) {
        // Many clients come through it.
        return Ok((client, None));
    }
    let held = front.clients().connect(&config.limits.client, client.ip());
    held.map(|held| (client, held)).map_err(|_| Unwelcome::ClientLimit)
}

/// A connection of which it is known what it speaks, with what has been read of it.
type Begun = (Transport, Protocol, Bytes);

/// A connection without TLS, once it has said something.
async fn plain(
    (mut connection, client): (TcpStream, SocketAddr),
    limits: ConnectionLimits,
) -> Option<Begun> {
    let (protocol, begun) = protocol(&mut connection, limits).await.ok()??;
    Some((Transport::Plain(stream(connection, client)), protocol, begun))
}

/// A connection with TLS, once it has said something after the handshake.
async fn encrypted(
    (connection, client): (TcpStream, SocketAddr),
    keeper: &Keeper,
    front: &Front,
    limits: ConnectionLimits,
) -> Option<Begun> {
    let socket = socket(&connection, client);
    let metrics = &front.ledger.metrics.edge;
    let within = front.config.timeouts.handshake;
    let mut encrypted = handshake::shake(connection, socket, (keeper, within), metrics).await?;
    let first = read_beginning(&mut encrypted.stream, (limits.idle, limits.heard.head_read));
    let (protocol, begun) = first.await.ok()??;
    // What it speaks counts, not what it said that it would.
    encrypted.alpn = match protocol {
        Protocol::Http1 => ALPN::H1,
        Protocol::Http2 => ALPN::H2,
    };
    Some((Transport::Tls(encrypted), protocol, begun))
}

/// A client that takes nothing of its answer for the time `idle` is gone.
fn limit_silence(connection: &TcpStream, idle: Duration) {
    #[cfg(target_os = "linux")]
    // Without effect, such a client is noticed later.
    let _ = socket2::SockRef::from(connection).set_tcp_user_timeout(Some(idle));
    #[cfg(not(target_os = "linux"))]
    let _ = (connection, idle);
}

/// What the client speaks, by its first bytes, and those that were read for it. `None` where it has
/// left, or says nothing in time.
///
/// pingora would wait for 24 bytes before it looks at them: some requests are shorter.
async fn protocol(
    connection: &mut TcpStream,
    limits: ConnectionLimits,
) -> io::Result<Option<(Protocol, Bytes)>> {
    let mut beginning = [0; H2_PREFACE.len()];
    let length = tokio::time::timeout(limits.idle, connection.peek(&mut beginning)).await??;
    if length == 0 {
        return Ok(None);
    }
    if let Some(protocol) = protocol_of(&beginning[..length]) {
        return Ok(Some((protocol, Bytes::new())));
    }
    // What may still become either is rare. It is read, so that more of it can be waited for.
    read_beginning(connection, (limits.idle, limits.heard.head_read)).await
}

/// What speaks so, once that is known.
fn protocol_of(beginning: &[u8]) -> Option<Protocol> {
    if beginning == H2_PREFACE {
        Some(Protocol::Http2)
    } else {
        (!H2_PREFACE.starts_with(beginning)).then_some(Protocol::Http1)
    }
}

/// Reads until it is known what the client speaks: its first byte within the time `idle`, what it
/// needs besides within `rest`.
async fn read_beginning(
    connection: &mut (impl AsyncRead + Unpin),
    (idle, rest): (Duration, Duration),
) -> io::Result<Option<(Protocol, Bytes)>> {
    let mut beginning = Vec::with_capacity(H2_PREFACE.len());
    let mut deadline = Instant::now() + idle;
    loop {
        let (is_first, room) = (beginning.is_empty(), H2_PREFACE.len() - beginning.len());
        let mut some = (&mut *connection).take(room as u64);
        let read = tokio::time::timeout_at(deadline, some.read_buf(&mut beginning)).await??;
        if read == 0 {
            return Ok(None);
        }
        if let Some(protocol) = protocol_of(&beginning) {
            return Ok(Some((protocol, Bytes::from(beginning))));
        }
        if is_first {
            deadline = Instant::now() + rest.min(idle);
        }
    }
}

fn stream(connection: TcpStream, client: SocketAddr) -> Stream {
    let digest = socket(&connection, client);
    let mut stream: Stream = connection.into();
    stream.set_socket_digest(digest);
    stream
}

/// Between whom `connection` is, which is from `client`.
fn socket(connection: &TcpStream, client: SocketAddr) -> SocketDigest {
    let digest = SocketDigest::from_raw_fd(connection.as_raw_fd());
    // Set once: the digest is new.
    let _ = digest.peer_addr.set(Some(client.into()));
    digest
}

/// What [`ServerApp::process_new`] does for HTTP/1, with our idle time, with pipelining, and with
/// our answer to what is not HTTP.
async fn serve_http1(
    stream: ClientStream,
    proxy: &Arc<HttpProxy<Proxy>>,
    idle: Duration,
    shutdown: &watch::Receiver<bool>,
) {
    let mut session = ServerSession::new_http1(Box::new(stream));
    let keepalive_secs = idle.as_secs_f64().ceil() as u64;
    session.set_keepalive((!*shutdown.borrow()).then_some(keepalive_secs.max(1)));
    session.set_pipelining_enabled(true);
    while let Some(reused) = stage::from_unread(proxy.process_new_http(session, shutdown)).await {
        let (stream, settings) = reused.consume();
        session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
    }
}
