//! What comes from a client and goes to it, mended on its way.
//!
//! A head that does not end in time, that is too long, or has too many fields is broken off, and
//! chunks that are none do not come through ([`super::wire`]).
//!
//! A request whose target is a whole URL gets the `Host` that its URL names ([`super::absolute`]).
//!
//! A client that closes its sending half and waits is not one that has left. So the end of what it
//! sends is kept from pingora, which would give the request up, until it is answered.
//!
//! What cannot be read as a request pingora answers itself, by a bare 400 that a browser would not
//! show to the script that asked, and there is no callback to change it. What it writes before a
//! request has reached the callbacks can only be that answer; the stream sends ours instead.
//!
//! Of HTTP/2, requests are let through that cross a GOAWAY ([`super::goodbye`]).
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
use bytes::Bytes;
use futures_util::FutureExt;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;

use crate::answer;
use crate::stage::{self, Stage};

use super::goodbye::Goodbye;
use super::heard::{Heard, HeardLimits};
use super::transport::Transport;

/// How long what a refused client still sends is taken, so that it reads its answer rather than a
/// reset.
const LINGER: Duration = Duration::from_secs(2);

/// How much of it is taken.
const LINGER_BYTES_MAX: u64 = 16 << 20;

/// A client's connection.
#[derive(Debug)]
pub(super) struct ClientStream {
    inner: Transport,
    /// What had come before it was known what the client speaks; it is read first.
    begun: Bytes,
    /// What has come, followed; not of HTTP/2.
    heard: Option<Heard>,
    /// What waits of what has come; of HTTP/2 alone.
    goodbye: Option<Box<Goodbye>>,
    /// What goes out before anything else: the head of an answer, or our refusal.
    ahead: Vec<u8>,
    /// Whether our answer has taken the place of pingora's.
    is_refused: bool,
    /// Until when what a refused client still sends is taken, and how much has been.
    lingering: Option<(Pin<Box<Sleep>>, u64)>,
}

// === impl ClientStream ===

impl ClientStream {
    /// `inner`, with our answers to what is not HTTP. `begun` has come from it already.
    pub(super) fn http1(inner: Transport, begun: Bytes, limits: HeardLimits) -> ClientStream {
        let mut stream = ClientStream::new(inner, begun);
        stream.heard = Some(Heard::new(limits));
        stream
    }

    /// `inner`, from which `begun` has come already, with room for requests that cross a GOAWAY.
    pub(super) fn http2(inner: Transport, begun: Bytes) -> ClientStream {
        let mut stream = ClientStream::new(inner, begun);
        stream.goodbye = Some(Box::new(Goodbye::new()));
        stream
    }

    fn new(inner: Transport, begun: Bytes) -> ClientStream {
        ClientStream {
            inner,
            begun,
            heard: None,
            goodbye: None,
            ahead: Vec::new(),
            is_refused: false,
            lingering: None,
        }
    }

    /// Reads what has begun, and then what comes.
    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.begun.is_empty() {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let some = self.begun.split_to(self.begun.len().min(buffer.remaining()));
        buffer.put_slice(&some);
        Poll::Ready(Ok(()))
    }

    /// Reads frames of HTTP/2, without those that wait in `goodbye`.
    fn poll_frames(
        &mut self,
        goodbye: &mut Goodbye,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        while !goodbye.read(context, buffer) {
            ready!(self.poll_bytes(context, buffer))?;
            let came = &buffer.filled()[before..];
            let is_end = came.is_empty() && !goodbye.end();
            if is_end || !came.is_empty() && goodbye.passes(came) {
                break;
            }
            goodbye.sort(came);
            buffer.set_filled(before);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether what is written goes out as it is.
    fn passes(&self) -> bool {
        let is_answering = matches!(stage::now(), Stage::Answering | Stage::Tunnel);
        !self.is_refused && self.ahead.is_empty() && is_answering
    }

    fn refuse(&mut self) {
        self.is_refused = true;
        let broken_off = self.heard.as_ref().and_then(Heard::refusal);
        self.ahead = broken_off.unwrap_or_else(answer::unreadable);
    }

    /// Sends our answer to a head that was broken off, which nobody else does.
    fn refuse_broken_off(&mut self) {
        let is_unread = stage::now() == Stage::Unread && !self.is_refused;
        if is_unread && self.heard.as_ref().is_some_and(|heard| heard.refusal().is_some()) {
            self.refuse();
        }
    }

    /// Takes what a refused client still sends, for a while.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (until, taken) =
            self.lingering.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), 0));
        while *taken < LINGER_BYTES_MAX && until.as_mut().poll(context).is_pending() {
            let mut bytes = [0; 8 << 10];
            let mut some = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.inner).poll_read(context, &mut some));
            if read.is_err() || some.filled().is_empty() {
                break;
            }
            *taken += some.filled().len() as u64;
        }
        Poll::Ready(Ok(()))
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
        let inner = Pin::new(&mut self.inner);
        let sent = if bytes.is_empty() {
            inner.poll_write(context, &self.ahead)
        } else {
            let both = [IoSlice::new(&self.ahead), IoSlice::new(bytes)];
            inner.poll_write_vectored(context, &both)
        };
        let sent = ready!(sent)?;
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
            Stage::Unread | Stage::Read | Stage::Answering | Stage::Tunnel => {}
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
        stream.refuse_broken_off();
        ready!(stream.poll_ahead(context))?;
        if stream.lingering.is_none() {
            ready!(Pin::new(&mut stream.inner).poll_shutdown(context))?;
            // Of a head that came too late, nothing more is waited for.
            let is_late = stream.heard.as_ref().is_some_and(|heard| heard.is_late);
            if !stream.is_refused || is_late {
                return Poll::Ready(Ok(()));
            }
        }
        stream.poll_linger(context)
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if let Some(mut goodbye) = stream.goodbye.take() {
            let read = stream.poll_frames(&mut goodbye, context, buffer);
            stream.goodbye = Some(goodbye);
            return read;
        }
        if let Some(broken) = stream.heard.as_mut().and_then(|heard| heard.poll_broken(context)) {
            return broken;
        }
        let before = buffer.filled().len();
        loop {
            if let Some(heard) = &mut stream.heard
                && heard.absolute.read(buffer)
            {
                return Poll::Ready(Ok(()));
            }
            let Poll::Ready(came) = stream.poll_bytes(context, buffer) else {
                if let Some(heard) = &mut stream.heard {
                    heard.nothing_came();
                }
                return Poll::Pending;
            };
            came?;
            let is_end = buffer.filled().len() == before;
            let Some(heard) = stream.heard.as_mut().filter(|_| stage::now() != Stage::Tunnel)
            else {
                return Poll::Ready(Ok(()));
            };
            if is_end {
                // What was held of a head that does not end: pingora says what is wrong with it.
                heard.absolute.release();
                let is_more = heard.absolute.read(buffer);
                let waits = !is_more && heard.is_half_close();
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            if heard.follow(buffer, before) {
                return Poll::Ready(Ok(()));
            }
            if let Some(broken) = heard.poll_broken(context) {
                return broken;
            }
        }
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
        // Fails where the client is gone.
        let _gone = AsyncWriteExt::shutdown(self).await;
    }
}

#[async_trait]
impl Peek for ClientStream {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if self.begun.is_empty() {
            return self.inner.try_peek(buffer).await;
        }
        let length = buffer.len().min(self.begun.len());
        buffer[..length].copy_from_slice(&self.begun[..length]);
        Ok(length == buffer.len())
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for ClientStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

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
