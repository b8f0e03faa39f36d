//! What carries a client's bytes: TCP, with TLS or without.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use async_trait::async_trait;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// See the module.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "without TLS, a box would be one more for nothing")]
pub(super) enum Transport {
    /// TCP alone.
    Plain(Stream),
    /// TLS over it.
    Tls(Box<Encrypted>),
}

/// A connection after its handshake.
#[derive(Debug)]
pub(super) struct Encrypted {
    pub(super) stream: TlsStream<TcpStream>,
    /// Between whom it is.
    pub(super) socket: Arc<SocketDigest>,
    /// What the handshake told.
    pub(super) ssl: Arc<SslDigest>,
    /// The number of its socket.
    pub(super) id: UniqueIDType,
    /// What it speaks.
    pub(super) alpn: ALPN,
    /// When it began.
    pub(super) since: SystemTime,
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(tls) => tls.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Tls(tls) => Pin::new(&mut tls.stream).poll_shutdown(context),
        }
    }
}

#[async_trait]
impl Peek for Transport {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self {
            Transport::Plain(stream) => stream.try_peek(buffer).await,
            Transport::Tls(_) => Ok(false),
        }
    }
}

impl UniqueID for Transport {
    fn id(&self) -> UniqueIDType {
        match self {
            Transport::Plain(stream) => stream.id(),
            Transport::Tls(tls) => tls.id,
        }
    }
}

impl Ssl for Transport {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        match self {
            Transport::Plain(_) => None,
            Transport::Tls(tls) => Some(tls.ssl.clone()),
        }
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        match self {
            Transport::Plain(_) => None,
            Transport::Tls(tls) => Some(tls.alpn.clone()),
        }
    }
}

impl GetTimingDigest for Transport {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        match self {
            Transport::Plain(stream) => stream.get_timing_digest(),
            Transport::Tls(tls) => {
                let established_ts = tls.since;
                let timing = TimingDigest { established_ts, ..TimingDigest::default() };
                vec![Some(timing)]
            }
        }
    }
}

impl GetProxyDigest for Transport {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Transport {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        match self {
            Transport::Plain(stream) => stream.get_socket_digest(),
            Transport::Tls(tls) => Some(tls.socket.clone()),
        }
    }
}
