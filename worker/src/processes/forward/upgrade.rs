//! Another protocol on the connections of a request (RFC 9110, section 7.8), such as WebSocket.
//!
//! The process decides: where it answers 101, both connections become a tunnel. The process has no
//! other request for as long as that lasts, and is parked while shorter ones wait.

use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::Entered;
use super::exchange::{Connection, Exchanged};
use crate::processes::ticket::Ticket;
use crate::respond::{Answer, Body};

/// A client, as it may speak another protocol.
#[derive(Debug)]
pub(super) struct Client {
    /// Where it has asked for one.
    connection: Option<OnUpgrade>,
}

/// Both ends of what is no HTTP any longer.
#[derive(Debug)]
pub(super) struct Tunnel {
    client: OnUpgrade,
    process: OnUpgrade,
    _connection: Connection,
}

/// The protocol that a request asks for, beside HTTP.
pub(super) fn wanted(parts: &Parts) -> Option<HeaderValue> {
    let is_named = |value: &HeaderValue| {
        let names = value.to_str().unwrap_or_default().split(',');
        names.map(str::trim).any(|name| name.eq_ignore_ascii_case(UPGRADE.as_str()))
    };
    let may = parts.version == Version::HTTP_11;
    let asks = may && parts.headers.get_all(CONNECTION).iter().any(is_named);
    parts.headers.get(UPGRADE).filter(|_| asks).cloned()
}

/// Asks for `protocol`, or grants it.
pub(super) fn ask(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

impl Client {
    /// Whose request it is, before it goes to a process.
    pub(super) fn of(request: &mut Request<Incoming>) -> Client {
        let asks = request.headers().contains_key(UPGRADE);
        Client { connection: asks.then(|| on(request)) }
    }

    /// The head of the answer that changes the protocol, and what then follows; `None` where the
    /// client has not asked for it.
    pub(super) fn switch(self, exchanged: Exchanged) -> Option<(Answer, Tunnel)> {
        let client = self.connection?;
        let (mut answer, connection) = exchanged.into_answer();
        let protocol = answer.headers().get(UPGRADE).cloned()?;
        let process = on(&mut answer);
        let (mut parts, _) = answer.into_parts();
        super::exchange::strip(&mut parts.headers);
        ask(&mut parts.headers, protocol);
        let head = Answer::from_parts(parts, Body::Left(Full::default()));
        Some((head, Tunnel { client, process, _connection: connection }))
    }
}

impl Tunnel {
    /// Carries bytes both ways until both have ended. Where one breaks off, the client is gone.
    pub(super) async fn run(self, ticket: Ticket, mut entered: Entered) {
        let (Ok(client), Ok(process)) = tokio::join!(self.client, self.process) else { return };
        let (mut client, mut process) = (TokioIo::new(client), TokioIo::new(process));
        if copy_bidirectional(&mut client, &mut process).await.is_ok() {
            entered.ran(ticket.finish());
        }
    }
}
