//! The answer to what cannot be read as a request.
//!
//! pingora answers that itself, by a bare 400 that a browser would not show to the script that
//! asked, and there is no callback to change it. What it writes before a request has reached the
//! callbacks can only be that answer; the stream sends ours instead.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::respond;

/// How long what a refused client still sends is taken, so that it reads its answer rather than a
/// reset.
const LINGER: Duration = Duration::from_secs(2);

/// How much of it is taken.
const LINGER_BYTES_MAX: u64 = 16 << 20;

tokio::task_local! {
    /// Whether the head of the present request has been read.
    static IS_READ: Cell<bool>;
}

/// Serves one request; whatever is written before [`mark_read`] is pingora's own answer.
pub(super) async fn until_read<F: Future>(serve: F) -> F::Output {
    IS_READ.scope(Cell::new(false), serve).await
}

/// The request has reached the callbacks: what is written from here on is ours.
pub(crate) fn mark_read() {
    // Fails only outside of `until_read`, where nothing is replaced.
    let _ = IS_READ.try_with(|read| read.set(true));
}

fn is_unread() -> bool {
    IS_READ.try_with(|read| !read.get()).unwrap_or(false)
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct ClientStream {
    inner: Stream,
    refusal: Option<Refusal>,
}

/// Our answer in place of pingora's.
#[derive(Debug)]
struct Refusal {
    bytes: Vec<u8>,
    sent: usize,
}

// === impl ClientStream ===

impl ClientStream {
    /// `inner`, with our answer to what is not HTTP.
    pub(super) fn new(inner: Stream) -> ClientStream {
        ClientStream { inner, refusal: None }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if stream.refusal.is_none() && is_unread() {
            stream.refusal = Some(Refusal { bytes: respond::unreadable(), sent: 0 });
        }
        let Some(refusal) = &mut stream.refusal else {
            return Pin::new(&mut stream.inner).poll_write(context, bytes);
        };
        while refusal.sent < refusal.bytes.len() {
            let rest = &refusal.bytes[refusal.sent..];
            refusal.sent += ready!(Pin::new(&mut stream.inner).poll_write(context, rest))?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
        if self.refusal.is_some() {
            let mut rest = (&mut self.inner).take(LINGER_BYTES_MAX);
            let mut nowhere = tokio::io::sink();
            let _late =
                tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut nowhere)).await;
        }
    }
}

#[async_trait]
impl Peek for ClientStream {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buffer).await
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for ClientStream {}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<pingora::protocols::raw_connect::ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}
