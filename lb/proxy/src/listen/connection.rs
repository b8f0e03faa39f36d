//! One connection of a client: which version of HTTP it speaks, and request after request.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::{GetSocketDigest, SocketDigest};
use pingora::proxy::HttpProxy;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::unread::ClientStream;
use crate::front::Proxy;
use crate::stage;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Between two looks at a beginning that may still become [`H2_PREFACE`].
const PREFACE_LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves the requests of `connection` until either side closes it, or nothing is asked for the
/// time `idle`.
pub(super) async fn carry(
    connection: TcpStream,
    proxy: &Arc<HttpProxy<Proxy>>,
    idle: Duration,
    shutdown: &watch::Receiver<bool>,
) {
    // Without effect, answers are only slower.
    let _ = connection.set_nodelay(true);
    limit_silence(&connection, idle);
    let Ok(Ok(Some(protocol))) = tokio::time::timeout(idle, protocol(&connection)).await else {
        return;
    };
    let stream = stream(connection);
    match protocol {
        Protocol::Http1 => serve_http1(stream, proxy, idle, shutdown).await,
        Protocol::Http2 => {
            proxy.process_new(Box::new(stream), shutdown).await;
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

/// What the client speaks, by its first bytes, which stay to be read; `None` where it left.
///
/// pingora would wait for 24 bytes before it looks at them: some requests are shorter.
async fn protocol(connection: &TcpStream) -> io::Result<Option<Protocol>> {
    let mut beginning = [0; H2_PREFACE.len()];
    loop {
        let length = connection.peek(&mut beginning).await?;
        if length == 0 {
            return Ok(None);
        }
        if beginning[..length] != H2_PREFACE[..length] {
            return Ok(Some(Protocol::Http1));
        }
        if length == H2_PREFACE.len() {
            return Ok(Some(Protocol::Http2));
        }
        tokio::time::sleep(PREFACE_LOOK_INTERVAL).await;
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
    stream: Stream,
    proxy: &Arc<HttpProxy<Proxy>>,
    idle: Duration,
    shutdown: &watch::Receiver<bool>,
) {
    let mut session = ServerSession::new_http1(Box::new(ClientStream::new(stream)));
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
