//! What pingora writes to a client, mended on its way.
//!
//! What cannot be read as a request pingora answers itself, by a bare 400 that a browser would not
//! show to the script that asked, and there is no callback to change it. What it writes before a
//! request has reached the callbacks can only be that answer; the stream sends ours instead.
//!
//! The head of an answer waits for the first piece of its body, or for a flush: each send by itself
//! costs more than all that is done for a small request otherwise. pingora flushes heads that
//! nothing follows, or that something follows at an unknown time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::answer;
use crate::stage::{self, Stage};

/// How long what a refused client still sends is taken, so that it reads its answer rather than a
/// reset.
const LINGER: Duration = Duration::from_secs(2);

/// How much of it is taken.
const LINGER_BYTES_MAX: u64 = 16 << 20;

/// A client's connection.
#[derive(Debug)]
pub(super) struct ClientStream {
    inner: Stream,
    /// What goes out before anything else: the head of an answer, or our refusal.
    ahead: Vec<u8>,
    /// Whether our answer has taken the place of pingora's.
    is_refused: bool,
}

// === impl ClientStream ===

impl ClientStream {
    /// `inner`, with our answer to what is not HTTP.
    pub(super) fn new(inner: Stream) -> ClientStream {
        ClientStream { inner, ahead: Vec::new(), is_refused: false }
    }

    /// Whether what is written goes out as it is.
    fn passes(&self) -> bool {
        !self.is_refused && self.ahead.is_empty() && stage::now() == Stage::Answering
    }

    fn refuse(&mut self) {
        self.is_refused = true;
        self.ahead = answer::unreadable();
    }

    /// Sends what goes ahead, all of it.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ahead.is_empty() {
            ready!(self.poll_with_ahead(context, &[]))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what goes ahead with `bytes` behind it, as much as is taken at once; returns how much
    /// of `bytes` was.
    fn poll_with_ahead(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let both = [IoSlice::new(&self.ahead), IoSlice::new(bytes)];
        let sent = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, &both))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_ahead = sent.min(self.ahead.len());
        self.ahead.drain(..of_ahead);
        Poll::Ready(Ok(sent - of_ahead))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        match stage::now() {
            Stage::Unread if !stream.is_refused => stream.refuse(),
            Stage::Read if !stream.is_refused => {
                stream.ahead.extend_from_slice(bytes);
                stage::enter(Stage::Answering);
                return Poll::Ready(Ok(bytes.len()));
            }
            Stage::Unread | Stage::Read | Stage::Answering => {}
        }
        if stream.is_refused {
            ready!(stream.poll_ahead(context))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        while !stream.ahead.is_empty() {
            let sent = ready!(stream.poll_with_ahead(context, bytes))?;
            if 0 < sent {
                return Poll::Ready(Ok(sent));
            }
        }
        Pin::new(&mut stream.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.passes() {
            return Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, pieces);
        }
        let first = pieces.iter().find(|piece| !piece.is_empty());
        self.poll_write(context, first.map_or(&[], |piece| piece))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_ahead(context))?;
        Pin::new(&mut stream.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_ahead(context))?;
        Pin::new(&mut stream.inner).poll_shutdown(context)
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

impl Drop for ClientStream {
    /// An answer that broke off is told from none by its head.
    fn drop(&mut self) {
        if !self.ahead.is_empty() {
            // As much as goes without waiting, which is all but always everything.
            let _sent = self.flush().now_or_never();
        }
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        // Fails where the client is gone, which the next line finds out too.
        let _ = self.flush().await;
        Shutdown::shutdown(&mut self.inner).await;
        if self.is_refused {
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

#[cfg(test)]
mod tests;
