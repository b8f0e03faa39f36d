//! One line of JSON per request, written by a thread of its own.

#[cfg(test)]
mod tests;

use std::fmt::{Debug, Formatter};
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use prometheus::{IntCounter, Registry};
use serde::{Serialize, Serializer};
use weighbridge_core::estimate::Source;

use crate::config::{AccessLog, AccessLogTarget};

/// The longest that closing takes.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// How often closing looks for room in a full queue.
const CLOSE_POLL: Duration = Duration::from_millis(10);
/// The most lines written before the sink is flushed.
const FLUSH_LINES: u64 = 1024;

/// What is told of one request. What does not apply (no host, no estimate) is `null`.
#[derive(Debug, Clone, Serialize)]
pub struct AccessRecord<'a> {
    /// When the request had arrived; written as RFC 3339 with milliseconds, in UTC.
    #[serde(serialize_with = "rfc3339")]
    pub time: SystemTime,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Method: `POST`.
    pub method: &'a str,
    /// Path with the query.
    pub path: &'a str,
    /// Name of the route.
    pub route: Option<&'a str>,
    /// Status of the response; `None` where the client had gone before there was one.
    pub status: Option<u16>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the response's body.
    pub bytes_out: u64,
    /// Name of the host that answered.
    pub host: Option<&'a str>,
    /// Hosts that it was sent to.
    pub tries: u32,
    /// From arrival until it was sent to the host that answered.
    pub waiting_seconds: f64,
    /// From arrival to the end of the response.
    pub response_seconds: f64,
    /// Estimated work, in CPU-seconds of the reference core.
    pub estimate_mean: Option<f64>,
    /// Work that nine of ten such requests stay below.
    pub estimate_p90: Option<f64>,
    /// Where the estimate came from.
    pub estimate_source: Option<Source>,
    /// Measured work, in CPU-seconds of the reference core.
    pub work: Option<f64>,
    /// CPU time that the host measured.
    pub cpu_seconds: Option<f64>,
    /// Trace id of the request's `traceparent`.
    pub trace_id: Option<&'a str>,
}

/// Writes records where the configuration says. Records of closed or full logs are dropped and
/// counted.
#[derive(Debug)]
pub struct AccessWriter {
    /// `None` where the log is off.
    lines: Option<SyncSender<Line>>,
    /// Disconnected once the thread has written everything; taken by whoever closes.
    done: Mutex<Option<Receiver<()>>>,
    metrics: Metrics,
}

/// Why the access log cannot be opened. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The file, or its folder, cannot be made or written.
    #[error("cannot open the access log {path}")]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no thread to write it.
    #[error("cannot start the access log's thread")]
    Thread(#[source] io::Error),
    /// Its metrics are registered already.
    #[error("cannot register the access log's metrics")]
    Metrics(#[from] prometheus::Error),
}

enum Line {
    Text(Vec<u8>),
    /// Write what came before, then end.
    Close,
}

#[derive(Debug, Clone)]
struct Metrics {
    written: IntCounter,
    dropped: IntCounter,
}

// === impl AccessWriter ===

impl AccessWriter {
    /// Opens the log; registers `weighbridge_access_log_*`.
    pub fn open(config: &AccessLog, registry: &Registry) -> Result<AccessWriter, AccessLogError> {
        let metrics = Metrics::register(registry)?;
        let sink: Box<dyn Write + Send> = match &config.to {
            AccessLogTarget::Off => {
                return Ok(AccessWriter { lines: None, done: Mutex::default(), metrics });
            }
            AccessLogTarget::Stdout => Box::new(io::stdout()),
            AccessLogTarget::Stderr => Box::new(io::stderr()),
            AccessLogTarget::File(path) => Box::new(open_file(path)?),
        };
        AccessWriter::start(sink, config.queue_max, metrics)
    }

    fn start(
        sink: Box<dyn Write + Send>,
        queue_max: usize,
        metrics: Metrics,
    ) -> Result<AccessWriter, AccessLogError> {
        let (lines, receiver) = sync_channel(queue_max.max(1));
        let (writing, done) = sync_channel::<()>(0);
        let counted = metrics.clone();
        let write = move || {
            write_lines(&receiver, sink, &counted);
            // First, so that whoever has seen the end can add no line that nobody writes.
            drop(receiver);
            drop(writing);
        };
        let thread = thread::Builder::new().name("access-log".to_owned());
        thread.spawn(write).map_err(AccessLogError::Thread)?;
        Ok(AccessWriter { lines: Some(lines), done: Mutex::new(Some(done)), metrics })
    }

    /// Whether records are written: where not, none need be made.
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Takes `record` for writing. Never waits.
    pub fn write(&self, record: &AccessRecord<'_>) {
        let Some(lines) = &self.lines else { return };
        // Fails only where a value refuses to be JSON; none of a record's does.
        let taken = serde_json::to_vec(record).is_ok_and(|mut line| {
            line.push(b'\n');
            lines.try_send(Line::Text(line)).is_ok()
        });
        if !taken {
            self.metrics.dropped.inc();
        }
    }

    /// Writes what waits and ends. Blocks while it is written, but not for long: what a stuck sink
    /// does not take is lost.
    pub fn close(&self) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(done), Some(lines)) = (done, &self.lines) else { return };
        let until = Instant::now() + CLOSE_WAIT;
        while let Err(TrySendError::Full(_)) = lines.try_send(Line::Close) {
            if until <= Instant::now() {
                break;
            }
            thread::sleep(CLOSE_POLL);
        }
        let left = until.saturating_duration_since(Instant::now());
        if done.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the access log could not be written to its end");
        }
    }
}

impl Drop for AccessWriter {
    fn drop(&mut self) {
        self.close();
    }
}

// === impl Metrics ===

impl Metrics {
    fn register(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Metrics {
            written: counter(
                "weighbridge_access_log_written_lines_total",
                "Lines of the access log written.",
            )?,
            dropped: counter(
                "weighbridge_access_log_dropped_lines_total",
                "Lines of the access log lost: the queue was full, or writing failed.",
            )?,
        })
    }
}

// === impl Line ===

impl Debug for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Line::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
            Line::Close => f.write_str("Close"),
        }
    }
}

fn open_file(path: &Path) -> Result<fs::File, AccessLogError> {
    let failed = |path: &Path, source| AccessLogError::Open { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    }
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map_err(|source| failed(path, source))
}

/// Writes lines until it is told to end; flushes whenever none waits, and now and then.
fn write_lines(lines: &Receiver<Line>, sink: Box<dyn Write + Send>, metrics: &Metrics) {
    let mut sink = BufWriter::with_capacity(64 * 1024, sink);
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        let mut n_lines = 0;
        let mut result = Ok(());
        while let Some(Line::Text(line)) = &next {
            result = result.and_then(|()| sink.write_all(line));
            n_lines += 1;
            next = if n_lines < FLUSH_LINES { lines.try_recv().ok() } else { None };
        }
        match result.and_then(|()| sink.flush()) {
            Ok(()) => metrics.written.inc_by(n_lines),
            Err(_) => metrics.dropped.inc_by(n_lines),
        }
        if let Some(Line::Close) = next {
            return;
        }
    }
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}
