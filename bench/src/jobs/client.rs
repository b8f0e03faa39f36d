//! A client of jobs: it asks either of the balancers, and asks again where one is away.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Between two tries where a balancer is away.
const AGAIN: Duration = Duration::from_millis(50);

/// How long a client is willing to wait in one request, in seconds.
const WAIT_SECS: u64 = 10;

/// One answer may take so much longer than it was willing to wait.
const ANSWER_MAX: Duration = Duration::from_secs(WAIT_SECS + 20);

/// See the module. Holds connections open.
#[derive(Debug)]
pub(super) struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    balancers: Vec<SocketAddr>,
    next: AtomicUsize,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// With this answer.
    Answered(Bytes),
    /// Without one: its state, or what was said of it.
    Otherwise(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The request is none.
    #[error("`{0}` cannot be asked for")]
    Malformed(String, #[source] http::Error),
    /// No answer came.
    #[error("`{0}` did not answer")]
    NoAnswer(String, #[source] hyper_util::client::legacy::Error),
    /// It broke off.
    #[error("the answer of `{0}` broke off")]
    BrokenOff(String, #[source] hyper::Error),
    /// It took too long.
    #[error("`{0}` did not answer in time")]
    TooLate(String),
    /// It is not what was asked for.
    #[error("`{0}` answered {1}: {2}")]
    Refused(String, StatusCode, String),
}

impl Client {
    /// A client of these balancers.
    pub(super) fn new(balancers: Vec<SocketAddr>) -> Client {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Client { http, balancers, next: AtomicUsize::new(0) }
    }

    /// Asks the next balancer in turn, once.
    pub(super) async fn ask(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ClientError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.balancers.len();
        self.ask_at(self.balancers[turn], method, target, headers).await
    }

    /// Asks that balancer, once.
    pub(super) async fn ask_at(
        &self,
        balancer: SocketAddr,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ClientError> {
        let url = format!("http://{balancer}{target}");
        let mut request = http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::default());
        let request = request.map_err(|error| ClientError::Malformed(url.clone(), error))?;
        let asking = async {
            let answer = self.http.request(request).await;
            let answer = answer.map_err(|error| ClientError::NoAnswer(url.clone(), error))?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await;
            let body = body.map_err(|error| ClientError::BrokenOff(url.clone(), error))?;
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
        };
        let answer = tokio::time::timeout(ANSWER_MAX, asking).await;
        answer.map_err(|_| ClientError::TooLate(url.clone()))?
    }

    /// Hands a job in, until it is accepted: where it will be told of. `None` where nobody accepts
    /// it by `deadline`.
    pub(super) async fn submit(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        deadline: Instant,
    ) -> Option<String> {
        while Instant::now() < deadline {
            if let Ok(answer) = self.ask(Method::POST, target, headers).await
                && answer.status == StatusCode::ACCEPTED
                && let Some(location) = answer.text_of("location")
            {
                return Some(location);
            }
            tokio::time::sleep(AGAIN).await;
        }
        None
    }

    /// Waits for the job at `location` until `deadline`.
    pub(super) async fn wait(&self, location: &str, deadline: Instant) -> Ended {
        let prefer = format!("wait={WAIT_SECS}");
        let mut last = "no answer".to_owned();
        while Instant::now() < deadline {
            match self.ask(Method::GET, location, &[("prefer", &prefer)]).await {
                Ok(answer) if answer.status == StatusCode::SEE_OTHER => {
                    let result = answer.text_of("location").unwrap_or_default();
                    return self.result(&result, deadline).await;
                }
                Ok(answer) if answer.status == StatusCode::OK => {
                    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                    let state = told["state"].as_str().unwrap_or_default();
                    if !matches!(state, "receiving" | "queued" | "running") {
                        return Ended::Otherwise(told.to_string());
                    }
                    last = told.to_string();
                }
                Ok(answer) if answer.status.is_client_error() => {
                    return Ended::Otherwise(format!("{}: {}", answer.status, answer.text()));
                }
                Ok(_) | Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        Ended::Otherwise(format!("too late: {last}"))
    }

    /// The result at `target`, from any balancer.
    pub(super) async fn result(&self, target: &str, deadline: Instant) -> Ended {
        let mut last = "no answer".to_owned();
        while Instant::now() < deadline {
            match self.ask(Method::GET, target, &[]).await {
                Ok(answer) if answer.status == StatusCode::OK => {
                    return Ended::Answered(answer.body);
                }
                Ok(answer) => last = format!("{}: {}", answer.status, answer.text()),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ended::Otherwise(format!("no result: {last}"))
    }
}

impl Answer {
    /// A header, as text.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// The body, as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
