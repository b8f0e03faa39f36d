//! Sends requests to a balancer and reads what it says of each in `Server-Timing`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::requests::Request;

/// A client of a balancer and of its admin API. Holds connections open.
#[derive(Debug)]
pub struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    url: String,
    admin: String,
}

/// What the balancer told of one request; work is in CPU-seconds of the reference core.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Estimated work.
    pub mean: f64,
    /// Work that nine of ten such requests stay below.
    pub p90: f64,
    /// Where the estimate came from: `model`.
    pub source: String,
    /// Measured work.
    pub work: f64,
}

/// Why a request brought nothing to judge by.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none, or a header is malformed.
    #[error("cannot ask `{0}`")]
    Address(String, #[source] http::Error),
    /// There was no answer.
    #[error("`{0}` did not answer")]
    NoAnswer(String, #[source] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("`{0}` did not answer within five minutes")]
    TooLate(String),
    /// The answer broke off.
    #[error("the answer of `{0}` broke off")]
    BrokenOff(String, #[source] hyper::Error),
    /// The answer was no success.
    #[error("`{url}` answered {status}: {text}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: StatusCode,
        /// The beginning of the body.
        text: String,
    },
    /// An answer without estimate or measured work.
    #[error(
        "`{0}` does not tell estimate, estimate-p90 and work in `Server-Timing`: is it a balancer, \
         and do its hosts report what requests cost?"
    )]
    NothingTold(String),
    /// The admin API's answer is not JSON.
    #[error("the answer of `{0}` is not JSON")]
    NotJson(String, #[source] serde_json::Error),
}

impl ClientError {
    /// Whether it was answered with this status.
    pub(crate) fn is_status(&self, expected: u16) -> bool {
        matches!(self, ClientError::Refused { status, .. } if status.as_u16() == expected)
    }
}

/// An answer takes at most this long.
const ANSWER_MAX: Duration = Duration::from_mins(5);

/// So much of an error's text is shown.
const SHOWN_BYTES_MAX: usize = 200;

impl Client {
    /// A client of the balancer at `url`, whose admin API is at `admin`: `http://127.0.0.1:8000`.
    pub fn new(url: &str, admin: &str) -> Client {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        let base = |url: &str| url.trim_end_matches('/').to_owned();
        Client { http, url: base(url), admin: base(admin) }
    }

    /// Sends a request and returns what the balancer told of it.
    pub async fn send(&self, request: &Request) -> Result<Told, ClientError> {
        let Request { target, content_type, body, .. } = request;
        let headers = self.call(Method::POST, target, content_type, body.clone()).await?;
        told(&headers).ok_or_else(|| ClientError::NothingTold(format!("{}{target}", self.url)))
    }

    /// Sends a request to `target`, a path with its query, and returns the headers of its answer.
    /// Where there is no `content_type`, none is sent.
    pub async fn call(
        &self,
        method: Method,
        target: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<HeaderMap, ClientError> {
        let url = format!("{}{target}", self.url);
        let mut asked = hyper::Request::builder().method(method).uri(&url);
        if !content_type.is_empty() {
            asked = asked.header(header::CONTENT_TYPE, content_type);
        }
        let (headers, _) = self.ask(&url, asked.body(Full::new(body))).await?;
        Ok(headers)
    }

    /// The same, with the answer's body.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        target: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<(HeaderMap, Bytes), ClientError> {
        let url = format!("{}{target}", self.url);
        let asked = hyper::Request::builder().method(method).uri(&url);
        let asked = asked.header(header::CONTENT_TYPE, content_type);
        self.ask(&url, asked.body(Full::new(body))).await
    }

    /// `/models` of the admin API: what was learned of each route.
    pub async fn models(&self) -> Result<Value, ClientError> {
        let url = format!("{}/models", self.admin);
        let asked = hyper::Request::get(&url).body(Full::default());
        let (_, body) = self.ask(&url, asked).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::NotJson(url, error))
    }

    async fn ask(
        &self,
        url: &str,
        asked: http::Result<hyper::Request<Full<Bytes>>>,
    ) -> Result<(HeaderMap, Bytes), ClientError> {
        let asked = asked.map_err(|error| ClientError::Address(url.to_owned(), error))?;
        let answer = tokio::time::timeout(ANSWER_MAX, self.http.request(asked))
            .await
            .map_err(|_| ClientError::TooLate(url.to_owned()))?
            .map_err(|error| ClientError::NoAnswer(url.to_owned(), error))?;
        let (head, body) = answer.into_parts();
        let body = tokio::time::timeout(ANSWER_MAX, body.collect())
            .await
            .map_err(|_| ClientError::TooLate(url.to_owned()))?
            .map_err(|error| ClientError::BrokenOff(url.to_owned(), error))?
            .to_bytes();
        if head.status.is_success() {
            return Ok((head.headers, body));
        }
        let shown = &body[..body.len().min(SHOWN_BYTES_MAX)];
        let text = String::from_utf8_lossy(shown).into_owned();
        Err(ClientError::Refused { url: url.to_owned(), status: head.status, text })
    }
}

/// What all `Server-Timing` headers tell together; `None` where anything is missing.
pub(crate) fn told(headers: &HeaderMap) -> Option<Told> {
    let mut told = Told { mean: f64::NAN, p90: f64::NAN, work: f64::NAN, ..Told::default() };
    let values = headers.get_all("server-timing").iter().filter_map(|value| value.to_str().ok());
    for metric in values.flat_map(|value| value.split(',')) {
        let mut parts = metric.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut seconds = f64::NAN;
        for part in parts {
            match part.split_once('=') {
                Some(("dur", millis)) => seconds = millis.parse().unwrap_or(f64::NAN) / 1e3,
                Some(("desc", text)) if name == "estimate" => {
                    text.trim_matches('"').clone_into(&mut told.source);
                }
                _ => {}
            }
        }
        match name {
            "estimate" => told.mean = seconds,
            "estimate-p90" => told.p90 = seconds,
            "work" => told.work = seconds,
            _ => {}
        }
    }
    let is_whole = told.mean.is_finite() && told.p90.is_finite() && 0.0 < told.work;
    is_whole.then_some(told)
}
