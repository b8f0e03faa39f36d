//! The client of a session: whether it is still there, what it still sends, what it gets.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::ServerSession as HttpSession;
use pingora::proxy::Session;

use crate::answer::Whole;
use crate::budget::Owner;
use crate::caller::{Caller, Gone};
use crate::config::Forwarding;
use crate::forwarded::Whence;
use crate::headers;
use crate::marks::Marks;
use crate::pace::time_for;
use crate::stage::{self, Stage};

use super::body;

/// How long a refused client may go on sending before the connection is closed on it.
const LINGER: Duration = Duration::from_secs(30);

/// The longest pause in what it sends.
const LINGER_PAUSE: Duration = Duration::from_secs(2);

/// A body up to this length that nothing needs is read, so that the connection can be used again.
const SMALL_BODY_BYTES: u64 = 64 << 10;

/// Bytes of a streamed answer that are written at once, at most.
const PIECE_BYTES: usize = 64 << 10;

/// How long a client may take for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct WriteLimits {
    /// How long it may take nothing.
    pub(super) pause_max: Duration,
    /// The least rate, in bytes per second.
    pub(super) rate_min: u64,
}

/// The client of a session whose body has been read: only then can its connection be watched.
pub(super) struct Client<'a> {
    session: &'a mut Session,
    forwarding: &'a Forwarding,
    limits: WriteLimits,
    /// What its answer says, whoever gives it.
    marks: Marks,
}

impl<'a> Client<'a> {
    /// The client of `session`, whose request has just been read. Its answer gets `marks`.
    pub(super) fn new(
        session: &'a mut Session,
        forwarding: &'a Forwarding,
        (limits, marks): (WriteLimits, Marks),
    ) -> Client<'a> {
        Client { session, forwarding, limits, marks }
    }
}

impl Caller for Client<'_> {
    fn request(&self, body_bytes: u64) -> pingora::Result<Box<RequestHeader>> {
        let whence = (self.forwarding, whence(self.session));
        let mut request = headers::for_host(self.session.req_header(), body_bytes, whence)?;
        if self.session.is_upgrade_req() {
            headers::ask_to_switch(&mut request, self.session.req_header())?;
        }
        Ok(request)
    }

    fn owner(&self) -> Owner {
        owner(self.session, self.forwarding)
    }

    fn between(&self) -> Option<(SocketAddr, SocketAddr)> {
        between(self.session)
    }

    async fn gone(&mut self) {
        // A request that is pipelined behind this one does not resolve it: pingora keeps its bytes.
        // Nor does a client that closed its sending half only: the stream keeps that to itself.
        let _why = self.session.downstream_session.read_body_or_idle(true).await;
    }

    async fn interim(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        if !knows_chunks(self.session) {
            return Ok(());
        }
        self.limits.keep(0, self.session.write_response_header(head, false)).await
    }

    async fn take(&mut self, answer: Whole) -> Result<u64, Gone> {
        send(self.session, answer, (self.limits, &self.marks)).await
    }

    async fn begin(&mut self, mut head: Box<ResponseHeader>) -> Result<(), Gone> {
        self.marks.put(&mut head).map_err(|_| Gone)?;
        headers::unbind_events(&mut head).map_err(|_| Gone)?;
        if headers::content_length(&head.headers).is_some() {
        } else if knows_chunks(self.session) {
            head.insert_header(header::TRANSFER_ENCODING, "chunked").map_err(|_| Gone)?;
        } else {
            // The end of the connection is the end of the answer.
            self.session.set_keepalive(None);
        }
        self.limits.keep(0, self.session.write_response_header(head, false)).await
    }

    async fn switch(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        stage::enter(Stage::Tunnel);
        // Whoever is silent for how long is the host's to judge, and its timeout's.
        self.session.set_read_timeout(None);
        self.limits.keep(0, self.session.write_response_header(head, false)).await
    }

    async fn receive(&mut self) -> Option<Bytes> {
        self.session.downstream_session.read_body_or_idle(false).await.ok().flatten()
    }

    async fn piece(&mut self, piece: Option<Bytes>) -> Result<(), Gone> {
        let is_last = piece.is_none();
        let bytes = piece.as_ref().map_or(0, Bytes::len);
        self.limits.keep(bytes, self.session.write_response_body(piece, is_last)).await
    }
}

impl WriteLimits {
    /// Writes so many bytes within the time that they may take. A client that does not read them is
    /// gone.
    async fn keep<T>(
        self,
        bytes: usize,
        write: impl Future<Output = pingora::Result<T>>,
    ) -> Result<T, Gone> {
        let most = time_for(bytes, self.pause_max, self.rate_min);
        let written = tokio::time::timeout(most, write).await;
        written.map_err(|_| Gone)?.map_err(|_| Gone)
    }

    /// The longest that writing one piece of a streamed answer may take.
    pub(super) fn of_piece(self) -> Duration {
        time_for(PIECE_BYTES, self.pause_max, self.rate_min)
    }
}

/// Whether the client can read chunks and interim answers: HTTP/1.0 has neither (RFC 9112, section
/// 6.1; RFC 9110, section 15.2).
pub(super) fn knows_chunks(session: &Session) -> bool {
    Version::HTTP_11 <= session.req_header().version
}

/// Sees to it that a client of HTTP/1.0 gets no interim answers.
pub(super) fn spare_interim(session: &mut Session) {
    if let (false, HttpSession::H1(http)) =
        (knows_chunks(session), &mut *session.downstream_session)
    {
        http.set_ignore_info_resp(true);
    }
}

/// The address that the session's connection comes from.
pub(super) fn peer(session: &Session) -> Option<IpAddr> {
    session.client_addr().and_then(|address| address.as_inet()).map(SocketAddr::ip)
}

/// The client's end of the session's connection, and ours.
pub(super) fn between(session: &Session) -> Option<(SocketAddr, SocketAddr)> {
    let client = session.client_addr().and_then(|address| address.as_inet());
    let own = session.server_addr().and_then(|address| address.as_inet());
    client.copied().zip(own.copied())
}

/// Where the session's request comes from.
pub(super) fn whence(session: &Session) -> Whence<'_> {
    let digest = session.downstream_session.digest();
    let ssl = digest.and_then(|digest| digest.ssl_digest.as_deref());
    let subject = ssl.and_then(|ssl| ssl.organization.as_deref());
    Whence { peer: peer(session), is_tls: ssl.is_some(), subject }
}

/// The client's address: where the connection is a trusted proxy's, as that says.
pub(super) fn address(session: &Session, forwarding: &Forwarding) -> Option<IpAddr> {
    peer(session).map(|peer| forwarding.client(peer, &session.req_header().headers))
}

/// Whose memory it is that the session takes.
pub(super) fn owner(session: &Session, forwarding: &Forwarding) -> Owner {
    let connection = session.client_addr().and_then(|address| address.as_inet());
    let client = address(session, forwarding);
    Owner(connection.zip(client).map(|(from, client)| SocketAddr::new(client, from.port())))
}

/// Sends all of an answer, with its length and `marks`, in time. Returns the bytes of the body that
/// went out.
pub(super) async fn send(
    session: &mut Session,
    mut answer: Whole,
    (limits, marks): (WriteLimits, &Marks),
) -> Result<u64, Gone> {
    marks.put(&mut answer.header).map_err(|_| Gone)?;
    limits.keep(answer.body.len(), send_all(session, answer)).await
}

async fn send_all(session: &mut Session, answer: Whole) -> pingora::Result<u64> {
    let Whole { mut header, body } = answer;
    let head_only = session.req_header().method == Method::HEAD;
    let has_no_body = matches!(header.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if header.status == StatusCode::NO_CONTENT {
        header.remove_header(&header::CONTENT_LENGTH);
    }
    if !head_only && !has_no_body && !headers::says_length(&header.headers, body.len()) {
        header.insert_header(header::CONTENT_LENGTH, body.len())?;
    }
    let body = (!head_only && !has_no_body && !body.is_empty()).then_some(body);
    let bytes = body.as_ref().map_or(0, Bytes::len) as u64;
    session.write_response_header(header, body.is_none()).await?;
    session.write_response_body(body, true).await?;
    Ok(bytes)
}

/// Takes a small body that nothing needs. Whether no more of a body is to come; where some is, or
/// may be, the connection is not used again.
pub(super) async fn settle(session: &mut Session) -> bool {
    let waits_for_continue =
        session.get_header(header::EXPECT).is_some() && session.response_written().is_none();
    if waits_for_continue && !session.is_body_done() {
        session.set_keepalive(None);
        return true;
    }
    let is_small = body::announced(session).is_some_and(|bytes| bytes <= SMALL_BODY_BYTES);
    if is_small && !session.is_body_done() {
        let drain = session.downstream_session.drain_request_body();
        let _late = tokio::time::timeout(LINGER_PAUSE, drain).await;
    }
    let complete = session.is_body_done();
    if !complete {
        session.set_keepalive(None);
    }
    complete
}

/// Takes what an answered client still sends, so that it reads the answer rather than a reset.
pub(super) async fn linger(session: &mut Session) {
    let all = async {
        while let Ok(Ok(Some(_))) =
            tokio::time::timeout(LINGER_PAUSE, session.read_request_body()).await
        {}
    };
    let _late = tokio::time::timeout(LINGER, all).await;
}
