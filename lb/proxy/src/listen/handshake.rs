//! The handshake of TLS: it ends in time, and what fails is counted by why.

use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pingora::protocols::tls::SslDigest;
use pingora::protocols::{ALPN, SocketDigest};
use rustls::{AlertDescription, ProtocolVersion};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::transport::Encrypted;
use crate::answer;
use crate::metrics::{EdgeMetrics, HandshakeFault};
use crate::tls::files;
use crate::tls::keeper::Keeper;

/// What each record of a handshake begins with (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// Shakes hands with the client of `connection`, within the time given. `None` where that does not
/// come to an end; then the connection is closed.
pub(super) async fn shake(
    connection: TcpStream,
    socket: SocketDigest,
    (keeper, within): (&Keeper, Duration),
    metrics: &EdgeMetrics,
) -> Option<Box<Encrypted>> {
    let shaken = tokio::time::timeout(within, attempt(connection, keeper)).await;
    match shaken.unwrap_or(Err(HandshakeFault::Timeout)) {
        Ok(stream) => {
            let encrypted = describe(stream, socket);
            metrics.shaken(encrypted.ssl.version.trim_start_matches("TLS"));
            Some(encrypted)
        }
        Err(fault) => {
            metrics.not_shaken(fault);
            tracing::debug!(reason = fault.name(), "a handshake failed");
            None
        }
    }
}

async fn attempt(
    mut connection: TcpStream,
    keeper: &Keeper,
) -> Result<TlsStream<TcpStream>, HandshakeFault> {
    let mut first = [0];
    match connection.peek(&mut first).await {
        Ok(0) | Err(_) => return Err(HandshakeFault::Closed),
        Ok(_) if first[0] == HANDSHAKE => {}
        Ok(_) if first[0].is_ascii_uppercase() => {
            // A browser that was told `http:` shows this.
            let _gone = connection.write_all(&answer::without_tls()).await;
            let _gone = connection.shutdown().await;
            return Err(HandshakeFault::PlainHttp);
        }
        Ok(_) => return Err(HandshakeFault::NotTls),
    }
    keeper.acceptor().accept(connection).await.map_err(|error| fault(&error))
}

/// Why a handshake failed with `error`.
fn fault(error: &std::io::Error) -> HandshakeFault {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match tls {
        None | Some(rustls::Error::AlertReceived(AlertDescription::CloseNotify)) => {
            HandshakeFault::Closed
        }
        Some(rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol) => {
            HandshakeFault::Incompatible
        }
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            HandshakeFault::ClientCertificate
        }
        Some(rustls::Error::AlertReceived(_)) => HandshakeFault::Refused,
        Some(rustls::Error::InvalidMessage(_)) => HandshakeFault::NotTls,
        // The only one of this kind: no certificate was found.
        Some(rustls::Error::General(_)) => HandshakeFault::Name,
        Some(_) => HandshakeFault::Other,
    }
}

/// What is told of the connection `stream`.
fn describe(stream: TlsStream<TcpStream>, socket: SocketDigest) -> Box<Encrypted> {
    let (tcp, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS1.2",
        _ => "TLS1.3",
    };
    let cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let client = session.peer_certificates().and_then(<[_]>::first);
    // Pingora keeps the organization; the whole subject stands in its place.
    let subject = client.and_then(|certificate| files::subject(certificate));
    let ssl = SslDigest::new(cipher.unwrap_or("unknown"), version, subject, None, Vec::new());
    let alpn = match session.alpn_protocol() {
        Some(b"h2") => ALPN::H2,
        _ => ALPN::H1,
    };
    Box::new(Encrypted {
        id: tcp.as_raw_fd(),
        stream,
        socket: Arc::new(socket),
        ssl: Arc::new(ssl),
        alpn,
        since: SystemTime::now(),
    })
}
