//! One connection of a client: which version of HTTP it speaks, and request after request.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::{GetSocketDigest, SocketDigest};
use pingora::proxy::HttpProxy;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::heard::HeardLimits;
use super::unread::ClientStream;
use super::wire::HeadLimits;
use crate::config::Config;
use crate::front::Proxy;
use crate::stage;

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

/// Serves the requests of `connection` until either side closes it, or it does what `limits` do not
/// allow.
pub(super) async fn carry(
    mut connection: TcpStream,
    proxy: &Arc<HttpProxy<Proxy>>,
    limits: ConnectionLimits,
    shutdown: &watch::Receiver<bool>,
) {
    // Without effect, answers are only slower.
    let _ = connection.set_nodelay(true);
    limit_silence(&connection, limits.idle);
    let Ok(Some((protocol, begun))) = protocol(&mut connection, limits).await else { return };
    let stream = stream(connection);
    match protocol {
        Protocol::Http1 => {
            let stream = ClientStream::http1(stream, begun, limits.heard);
            serve_http1(stream, proxy, limits.idle, shutdown).await;
        }
        Protocol::Http2 => {
            proxy.process_new(Box::new(ClientStream::http2(stream, begun)), shutdown).await;
        }
    }
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
    let patience = limits.heard.head_read.min(limits.idle);
    tokio::time::timeout(patience, read_beginning(connection)).await?
}

/// What speaks so, once that is known.
fn protocol_of(beginning: &[u8]) -> Option<Protocol> {
    if beginning == H2_PREFACE {
        Some(Protocol::Http2)
    } else {
        (!H2_PREFACE.starts_with(beginning)).then_some(Protocol::Http1)
    }
}

async fn read_beginning(connection: &mut TcpStream) -> io::Result<Option<(Protocol, Bytes)>> {
    let mut beginning = Vec::with_capacity(H2_PREFACE.len());
    loop {
        let room = (H2_PREFACE.len() - beginning.len()) as u64;
        if connection.take(room).read_buf(&mut beginning).await? == 0 {
            return Ok(None);
        }
        if let Some(protocol) = protocol_of(&beginning) {
            return Ok(Some((protocol, Bytes::from(beginning))));
        }
    }
}

fn stream(connection: TcpStream) -> Stream {
    let digest = SocketDigest::from_raw_fd(connection.as_raw_fd());
    if let Ok(peer) = connection.peer_addr() {
        // Set once: the digest is new.
        let _ = digest.peer_addr.set(Some(peer.into()));
    }
    let mut stream: Stream = connection.into();
    stream.set_socket_digest(digest);
    stream
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
