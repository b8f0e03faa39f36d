//! Sends spans to a collector by OTLP over HTTP, in Protobuf.
//!
//! Spans gather for a moment, and go as one message. A collector that is away, or has no room, is
//! asked again, later each time; what comes meanwhile waits in a queue of limited length, and what
//! finds that full is dropped. Nothing here is waited for by a request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, sleep_until, timeout};

use super::otlp::{
    AnyValue, ExportTraceServiceRequest, ExportTraceServiceResponse, InstrumentationScope,
    KeyValue, Resource, ResourceSpans, ScopeSpans, Span, Value,
};
use super::{SpanMetrics, Waiting};
use crate::backoff::Backoff;
use crate::config::TracesConfig;
use crate::metrics::Metrics;
use crate::tls::system;

/// Spans of one message.
const BATCH_MAX: usize = 512;

/// How often one message is tried.
const TRIES_MAX: u64 = 5;

/// Between two tries.
const AGAIN: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(30) };

/// The longest wait that a collector may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What the attributes' names mean.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.38.0";

/// Why a collector did not take a message.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the collector cannot be reached: {0}")]
    Connect(io::Error),
    #[error("the collector broke the connection: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("the collector answered {0}")]
    Status(StatusCode, Option<Duration>),
    #[error("the collector did not answer in time")]
    Timeout,
}

/// What sends spans.
pub(crate) struct Exporter {
    pub(super) config: TracesConfig,
    pub(super) queue: mpsc::Receiver<Waiting>,
    pub(super) metrics: SpanMetrics,
}

// === impl Exporter ===

impl Exporter {
    /// Sends what comes until nothing can come any more.
    pub(crate) async fn run(mut self, metrics: Arc<Metrics>) {
        while let Some((spans, flushed)) = self.gather().await {
            if !spans.is_empty() {
                self.deliver(spans, &metrics).await;
            }
            if let Some(flushed) = flushed {
                // Who waited may have given up.
                let _left = flushed.send(());
            }
        }
    }

    /// Waits for spans, and for a moment for more; until a batch is full, or somebody waits for
    /// what is here to be sent. `None` at the end.
    async fn gather(&mut self) -> Option<(Vec<Span>, Option<oneshot::Sender<()>>)> {
        let mut spans = match self.queue.recv().await? {
            Waiting::Spans(spans) => spans,
            Waiting::Flush(flushed) => return Some((Vec::new(), Some(flushed))),
        };
        let until = tokio::time::Instant::now() + self.config.interval;
        while spans.len() < BATCH_MAX {
            tokio::select! {
                biased;
                came = self.queue.recv() => match came {
                    Some(Waiting::Spans(more)) => spans.extend(more),
                    Some(Waiting::Flush(flushed)) => return Some((spans, Some(flushed))),
                    None => break,
                },
                () = sleep_until(until) => break,
            }
        }
        Some((spans, None))
    }

    /// Sends `spans`, again and again where that may help.
    async fn deliver(&self, spans: Vec<Span>, metrics: &Metrics) {
        let n_spans = spans.len() as u64;
        let message = Bytes::from(self.message(spans).encode_to_vec());
        for nth in 1..=TRIES_MAX {
            let posted = timeout(self.config.timeout, self.post(message.clone())).await;
            let error = match posted.unwrap_or(Err(ExportError::Timeout)) {
                Ok(rejected) => {
                    let rejected = rejected.min(n_spans);
                    self.metrics.sent.inc_by(n_spans - rejected);
                    self.metrics.failed.inc_by(rejected);
                    return;
                }
                Err(error) => error,
            };
            metrics.loop_failed("traces");
            tracing::warn!(%error, spans = n_spans, "spans were not sent");
            if !error.may_pass() || nth == TRIES_MAX {
                break;
            }
            let asked = error.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
            sleep(AGAIN.wait(nth).max(asked)).await;
        }
        self.metrics.failed.inc_by(n_spans);
    }

    fn message(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let text = |key: &str, text: &str| {
            let value = Some(AnyValue { value: Some(Value::Text(text.to_owned())) });
            KeyValue { key: key.to_owned(), value }
        };
        let version = env!("CARGO_PKG_VERSION");
        let scope = InstrumentationScope { name: "weighbridge".into(), version: version.into() };
        let attributes = vec![
            text("service.name", &self.config.service_name),
            text("service.version", version),
            text("telemetry.sdk.name", "weighbridge"),
            text("telemetry.sdk.language", "rust"),
            text("telemetry.sdk.version", version),
        ];
        let scope_spans =
            vec![ScopeSpans { scope: Some(scope), spans, schema_url: SCHEMA.to_owned() }];
        let resource = Some(Resource { attributes });
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] }
    }

    /// Sends one message. How many of its spans were not taken.
    async fn post(&self, message: Bytes) -> Result<u64, ExportError> {
        let Some(endpoint) = &self.config.endpoint else { return Ok(0) };
        let at = (endpoint.host.as_str(), endpoint.port);
        let stream = TcpStream::connect(at).await.map_err(ExportError::Connect)?;
        if !endpoint.is_tls {
            return send(stream, self.request(message)?).await;
        }
        let name = ServerName::try_from(endpoint.host.clone());
        let name = name.map_err(|error| ExportError::Connect(io::Error::other(error)))?;
        let stream = system::connect(name, stream).await.map_err(ExportError::Connect)?;
        send(stream, self.request(message)?).await
    }

    fn request(&self, message: Bytes) -> Result<Request<Full<Bytes>>, http::Error> {
        let endpoint = self.config.endpoint.clone().unwrap_or_default();
        let mut request = Request::post(&endpoint.path)
            .header(HOST, &endpoint.authority)
            .header(USER_AGENT, concat!("weighbridge/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_LENGTH, message.len());
        for (name, value) in &self.config.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(message))
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<u64, ExportError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answered = async { taken(sender.send_request(request).await?).await };
    tokio::select! {
        biased;
        answered = answered => answered,
        broken = connection => Err(match broken {
            Err(error) => error.into(),
            Ok(()) => ExportError::Timeout,
        }),
    }
}

/// How many spans a collector has not taken, as it answers.
async fn taken(answer: Response<Incoming>) -> Result<u64, ExportError> {
    let status = answer.status();
    if !status.is_success() {
        let after = answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
        let after = after.and_then(|after| after.trim().parse().ok()).map(Duration::from_secs);
        return Err(ExportError::Status(status, after));
    }
    // It has taken them. What it says of that is of use only where it can be read.
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let said = body
        .ok()
        .and_then(|body| ExportTraceServiceResponse::decode(body.to_bytes()).ok()?.partial_success);
    let Some(said) = said.filter(|said| 0 < said.rejected_spans) else { return Ok(0) };
    let why = said.error_message.chars().take(200).collect::<String>();
    tracing::warn!(spans = said.rejected_spans, why, "the collector did not take all spans");
    Ok(u64::try_from(said.rejected_spans).unwrap_or_default())
}

// === impl ExportError ===

impl ExportError {
    /// Whether another try may work (OTLP 1.x, "Retryable Response Codes").
    fn may_pass(&self) -> bool {
        match self {
            ExportError::Connect(_) | ExportError::Broken(_) | ExportError::Timeout => true,
            ExportError::Request(_) => false,
            ExportError::Status(status, _) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        if let ExportError::Status(_, after) = self { *after } else { None }
    }
}
