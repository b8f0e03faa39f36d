//! Sends one request and tells what came of it.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use xxhash_rust::xxh3::Xxh3;

use crate::requests::Request;

/// A client with as many connections as there are requests at once, kept open.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    timeout: Duration,
}

/// Why a request has no right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// There were too many in flight already.
    #[error("not sent, for too many were in flight")]
    NotSent,
    /// No connection.
    #[error("no connection")]
    Connect,
    /// No whole answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer, or the connection, broke off.
    #[error("the answer broke off")]
    Broken,
    /// 4xx, or anything that is neither success nor 5xx.
    #[error("refused as wrong")]
    Refused,
    /// 503.
    #[error("refused for load (503)")]
    Shed,
    /// Any other 5xx.
    #[error("a failure of the server (5xx)")]
    Server,
    /// A success with another body than the worker gave before.
    #[error("a wrong answer")]
    Wrong,
}

impl Sender {
    /// A sender to `url`, for example `http://127.0.0.1:8000`.
    pub(crate) fn new(url: &str, timeout: Duration) -> Sender {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Sender { http, url: url.trim_end_matches('/').to_owned(), timeout }
    }

    /// Sends `request` and returns the hash of its answer. `number` goes into the query as `n`,
    /// which nothing reads, so that no two requests are the same to a cache.
    pub(crate) async fn send(&self, request: &Request, number: u64) -> Result<u64, Failure> {
        let between = if request.target.contains('?') { '&' } else { '?' };
        let url = format!("{}{}{between}n={number}", self.url, request.target);
        let asked = hyper::Request::post(url)
            .header(header::CONTENT_TYPE, request.content_type)
            .body(Full::new(request.body.clone()))
            .map_err(|_| Failure::Connect)?;
        let answer = tokio::time::timeout(self.timeout, self.exchange(asked)).await;
        answer.unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, asked: hyper::Request<Full<Bytes>>) -> Result<u64, Failure> {
        let answer =
            self.http.request(asked).await.map_err(|error| {
                if error.is_connect() { Failure::Connect } else { Failure::Broken }
            })?;
        let failure = failure(answer.status());
        let hash = hash_of(answer.into_body()).await.map_err(|_| Failure::Broken)?;
        failure.map_or(Ok(hash), Err)
    }
}

/// The failure that `status` tells of; `None` for a success.
fn failure(status: StatusCode) -> Option<Failure> {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Some(Failure::Shed),
        status if status.is_success() => None,
        status if status.is_server_error() => Some(Failure::Server),
        _ => Some(Failure::Refused),
    }
}

/// XXH3 of a body, read to its end.
async fn hash_of(mut body: hyper::body::Incoming) -> hyper::Result<u64> {
    let mut hash = Xxh3::new();
    while let Some(frame) = body.frame().await {
        if let Some(piece) = frame?.data_ref() {
            hash.update(piece);
        }
    }
    Ok(hash.digest())
}
