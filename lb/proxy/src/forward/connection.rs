//! One connection to a host while a request uses it: HTTP/1.1, by pingora's client.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Stream;
use pingora::protocols::http::v1::client::HttpSession;
use pingora::{Error, ErrorType, OrErr};

use super::{Interim, TryLimits};
use crate::config::HostAddress;
use crate::payload::Payload;

/// See the module.
pub(crate) struct Connection {
    http: HttpSession,
    address: HostAddress,
    /// How long it had been idle before this request; `None` where it is new.
    was_idle: Option<Duration>,
    /// From the request to the end of the answer's head, and between pieces of its body.
    head_max: Duration,
    /// Whether the request asks for another protocol.
    may_switch: bool,
    /// Whether other requests may use it later.
    pub(super) may_be_kept: bool,
}

impl Connection {
    /// The `stream` to the host at `address`. It is new, or has been idle for the time `was_idle`.
    pub(super) fn new(
        stream: Stream,
        address: HostAddress,
        was_idle: Option<Duration>,
        limits: TryLimits,
    ) -> Connection {
        let mut http = HttpSession::new(stream);
        // The time for the head is that of all of it: see `read_head`.
        http.read_timeout = None;
        http.write_timeout = Some(limits.response);
        let (head_max, may_switch, may_be_kept) = (limits.response, false, true);
        Connection { http, address, was_idle, head_max, may_switch, may_be_kept }
    }

    /// Where it leads.
    pub(super) fn address(&self) -> &HostAddress {
        &self.address
    }

    /// Whether it has carried a request before: the host may be closing it at this very moment.
    pub(super) fn is_reused(&self) -> bool {
        self.was_idle.is_some()
    }

    /// How long it had been idle before this request; `None` where it is new.
    pub(super) fn was_idle(&self) -> Option<Duration> {
        self.was_idle
    }

    /// Sends the request and reads the head of the answer.
    pub(super) async fn ask(
        &mut self,
        request: Box<RequestHeader>,
        body: &Payload,
        interim: &Interim,
    ) -> pingora::Result<()> {
        self.may_switch = request.headers.contains_key(header::UPGRADE);
        self.http.write_request_header(request).await?;
        let sent = async {
            self.send_body(body).await?;
            self.http.finish_body().await
        }
        .await;
        // A host may answer and close before it has read the whole body (413, 503): then the answer
        // counts, not the failed write.
        if let Err(error) = sent {
            if is_timeout(&error) || is_unreadable_body(&error) {
                return Err(error);
            }
            return self.read_head(interim).await.map_err(|_| error);
        }
        self.read_head(interim).await
    }

    async fn send_body(&mut self, body: &Payload) -> pingora::Result<()> {
        let stored = match body {
            Payload::Held(bytes) if bytes.is_empty() => return Ok(()),
            Payload::Held(bytes) => return self.http.write_body(bytes).await.map(drop),
            Payload::Object(stored) => stored,
        };
        let unreadable = || Error::explain(ErrorType::FileReadError, "a kept body");
        let opened = stored.objects.open(&stored.key).await;
        let mut reader = opened.or_err(ErrorType::FileReadError, "a kept body")?;
        let reader = reader.as_mut().ok_or_else(unreadable)?;
        while let Some(piece) =
            reader.next().await.or_err(ErrorType::FileReadError, "a kept body")?
        {
            self.http.write_body(&piece).await?;
        }
        Ok(())
    }

    /// The head of the answer, once it has been read.
    pub(super) fn head(&self) -> Option<&ResponseHeader> {
        self.http.resp_header()
    }

    /// Whether there is more of the answer than its head.
    pub(super) fn has_body(&mut self) -> bool {
        !self.http.is_body_done()
    }

    /// The next piece of the answer's body; `None` at its end.
    pub(super) async fn piece(&mut self) -> pingora::Result<Option<&[u8]>> {
        self.http.read_body_ref().await
    }

    /// The same, to be kept.
    pub(super) async fn piece_kept(&mut self) -> pingora::Result<Option<Bytes>> {
        self.http.read_body_bytes().await
    }

    /// Sends `bytes` in the protocol that the connection has switched to.
    pub(super) async fn send(&mut self, bytes: &Bytes) -> pingora::Result<()> {
        self.http.write_body(bytes).await.map(drop)
    }

    /// The stream, once an answer was read to its end, where neither side wants to close it.
    pub(super) async fn into_stream(mut self) -> Option<Stream> {
        if !self.may_be_kept {
            return None;
        }
        self.http.respect_keepalive();
        self.http.reuse().await
    }

    /// Reads the head of the answer, whatever comes before it, within the time for it: a byte now
    /// and then, or one interim answer after the other, does not make more.
    async fn read_head(&mut self, interim: &Interim) -> pingora::Result<()> {
        let head_max = self.head_max;
        let read = tokio::time::timeout(head_max, self.read_heads(interim)).await;
        self.http.read_timeout = Some(head_max);
        read.unwrap_or_else(|_| Error::e_explain(ErrorType::ReadTimedout, "no head in time"))
    }

    async fn read_heads(&mut self, interim: &Interim) -> pingora::Result<()> {
        loop {
            self.http.read_response().await?;
            match self.head().map(|head| head.status) {
                Some(StatusCode::SWITCHING_PROTOCOLS) if self.may_switch => {
                    self.http.maybe_upgrade_body_writer();
                    return Ok(());
                }
                Some(StatusCode::SWITCHING_PROTOCOLS) => {
                    return Error::e_explain(ErrorType::InvalidHTTPHeader, "an unasked 101");
                }
                Some(status) if !status.is_informational() => return Ok(()),
                Some(_) => {
                    if let Some(head) = self.head() {
                        interim.pass(head);
                    }
                }
                None => {}
            }
        }
    }
}

/// Whether the body that was to be sent could not be read: the host has no part in that.
pub(super) fn is_unreadable_body(error: &pingora::Error) -> bool {
    *error.etype() == ErrorType::FileReadError
}

/// Whether the host took too long.
pub(super) fn is_timeout(error: &pingora::Error) -> bool {
    matches!(
        error.etype(),
        ErrorType::ReadTimedout | ErrorType::WriteTimedout | ErrorType::ConnectTimedout
    )
}
