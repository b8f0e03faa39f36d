//! Traces: what became of each request, as spans, for whoever collects them (OpenTelemetry).
//!
//! A request that is recorded has a server span, and below it a client span for each try at a host.
//! Each host is told the span of its try, so that what it records hangs below that. Whether a
//! request is recorded says whoever asked ([`context`]); for a trace that begins here, chance does.
//! One that is not recorded costs a look at a header.
//!
//! While a request passes, its record keeps what is noted ([`span`]). When it has ended, spans are
//! made of that ([`encode`]) and put into a queue, from which they are sent ([`export`]).

pub(crate) mod context;
mod encode;
mod export;
mod otlp;
mod span;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use tokio::sync::{mpsc, oneshot};

use crate::config::{LoggedQuery, TracesConfig};
use crate::metrics::registered;
pub(crate) use encode::Ended;
pub(crate) use export::Exporter;
pub(crate) use span::{Place, Trace};

/// Takes traces, where the configuration wants any. A clone is the same.
#[derive(Clone)]
pub(crate) struct Traces(Option<Arc<Inner>>);

struct Inner {
    ratio: f64,
    state_bytes_max: usize,
    query: LoggedQuery,
    queue: mpsc::Sender<Waiting>,
    metrics: SpanMetrics,
    /// Until it runs.
    exporter: Mutex<Option<Exporter>>,
}

/// What waits to be sent.
enum Waiting {
    /// The spans of one request.
    Spans(Vec<otlp::Span>),
    /// Somebody who is to be told when all before it is sent.
    Flush(oneshot::Sender<()>),
}

/// What became of spans.
#[derive(Debug, Clone)]
struct SpanMetrics {
    sent: IntCounter,
    dropped: IntCounter,
    failed: IntCounter,
}

// === impl Traces ===

impl Traces {
    /// Takes them as `config` says; registers `weighbridge_traces_spans_total`.
    pub(crate) fn open(config: &TracesConfig, registry: &Registry) -> prometheus::Result<Traces> {
        let metrics = SpanMetrics::register(registry)?;
        if config.endpoint.is_none() {
            return Ok(Traces(None));
        }
        let (sender, queue) = mpsc::channel(config.queue_max.max(1));
        let exporter = Exporter { config: config.clone(), queue, metrics: metrics.clone() };
        Ok(Traces(Some(Arc::new(Inner {
            ratio: config.sample_ratio,
            state_bytes_max: config.state_bytes_max,
            query: config.query,
            queue: sender,
            metrics,
            exporter: Mutex::new(Some(exporter)),
        }))))
    }

    /// What sends them: once, and where there are any.
    pub(crate) fn exporter(&self) -> Option<Exporter> {
        self.0.as_ref()?.exporter.lock().take()
    }

    /// The trace of a request with `headers` that has just come; `None` where there is nothing to
    /// note, and its headers go on as they are.
    pub(crate) fn begin(&self, headers: &HeaderMap) -> Option<Box<Trace>> {
        let inner = self.0.as_ref()?;
        Trace::begin(headers, (inner.ratio, inner.state_bytes_max))
    }

    /// A request has ended. Never waits.
    pub(crate) fn ended(&self, trace: &Trace, ended: &Ended<'_>) {
        let Some(inner) = self.0.as_ref().filter(|_| trace.is_sampled()) else { return };
        // Nothing is made that has no room.
        let Ok(room) = inner.queue.try_reserve() else {
            inner.metrics.dropped.inc_by(trace.n_spans());
            return;
        };
        room.send(Waiting::Spans(encode::spans(trace, ended, inner.query)));
    }

    /// Waits until what is here has been sent, for `wait_max` at most.
    pub(crate) async fn flush(&self, wait_max: Duration) {
        let Some(inner) = &self.0 else { return };
        let (told, sent) = oneshot::channel();
        if inner.queue.try_send(Waiting::Flush(told)).is_ok() {
            // Too late, or nobody sends any more: there is nothing else to be done.
            let _late = tokio::time::timeout(wait_max, sent).await;
        }
    }
}

// === impl SpanMetrics ===

impl SpanMetrics {
    fn register(registry: &Registry) -> prometheus::Result<SpanMetrics> {
        let help = "Spans of requests that are traced, by what became of them: sent, dropped for \
                    want of room, or failed to be sent.";
        let opts = Opts::new("weighbridge_traces_spans_total", help);
        let spans = registered(registry, IntCounterVec::new(opts, &["outcome"])?)?;
        Ok(SpanMetrics {
            sent: spans.with_label_values(&["sent"]),
            dropped: spans.with_label_values(&["dropped"]),
            failed: spans.with_label_values(&["failed"]),
        })
    }
}
