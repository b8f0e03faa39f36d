//! HTTP with one process, over a connection for one request.

use std::time::Duration;

use http::header::{
    CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, response,
};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::body::{BodyError, Outgoing};
use super::upgrade;
use crate::processes::address::Address;
use crate::receive::ReceiveError;

/// On one machine only a server that does not accept takes longer.
const CONNECT: Duration = Duration::from_secs(5);

/// The headers of a connection (RFC 9110, section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// The process does not take the connection.
    #[error("it cannot be connected to")]
    Connect(#[source] std::io::Error),
    /// The same.
    #[error("it did not take the connection within `{0:?}`")]
    ConnectTimeout(Duration),
    /// It breaks off, or says what is no HTTP.
    #[error("the connection failed")]
    Http(#[source] hyper::Error),
    /// The client's body cannot be had: not the process's fault.
    #[error(transparent)]
    Body(ReceiveError),
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(super) struct Exchanged {
    answer: Response<Incoming>,
    connection: Connection,
}

/// A connection. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connection(JoinHandle<()>);

/// Sends `request`, and waits for the head of its answer.
pub(super) async fn exchange(
    address: &Address,
    request: Request<Outgoing>,
) -> Result<Exchanged, ExchangeError> {
    let stream = timeout(CONNECT, address.connect()).await;
    let stream = stream.map_err(|_| ExchangeError::ConnectTimeout(CONNECT))?;
    let stream = stream.map_err(ExchangeError::Connect)?;
    let (mut sender, connection) = http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(ExchangeError::Http)?;
    let connection = Connection(tokio::spawn(async move {
        // An error is told to those who wait for the answer.
        let _ = connection.with_upgrades().await;
    }));
    let answer = sender.send_request(request).await?;
    Ok(Exchanged { answer, connection })
}

/// A request for a process, in HTTP/1.1.
pub(super) fn request(mut parts: Parts, body: Outgoing) -> Request<Outgoing> {
    // HTTP/2 has no `Host`.
    if !parts.headers.contains_key(HOST)
        && let Some(Ok(host)) = parts.uri.authority().map(|it| HeaderValue::from_str(it.as_str()))
    {
        parts.headers.insert(HOST, host);
    }
    let other = upgrade::wanted(&parts);
    strip(&mut parts.headers);
    match other {
        Some(protocol) => upgrade::ask(&mut parts.headers, protocol),
        None => drop(parts.headers.insert(CONNECTION, HeaderValue::from_static("close"))),
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    parts.uri = Uri::try_from(target).unwrap_or_default();
    parts.version = Version::HTTP_11;
    Request::from_parts(parts, body)
}

/// Removes the headers of a connection.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

impl Exchanged {
    pub(super) fn status(&self) -> StatusCode {
        self.answer.status()
    }

    /// The answer, and the connection that it comes from.
    pub(super) fn into_answer(self) -> (Response<Incoming>, Connection) {
        (self.answer, self.connection)
    }

    /// Head, body, and the connection that the body comes from.
    pub(super) fn into_parts(self) -> (response::Parts, Incoming, Connection) {
        let (parts, body) = self.answer.into_parts();
        (parts, body, self.connection)
    }
}

impl From<hyper::Error> for ExchangeError {
    fn from(error: hyper::Error) -> ExchangeError {
        let cause = std::error::Error::source(&error);
        match cause.and_then(|cause| cause.downcast_ref::<BodyError>()) {
            Some(error) => ExchangeError::Body(error.to_receive_error()),
            None => ExchangeError::Http(error),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
