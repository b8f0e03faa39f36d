//! The access log: one line per request, written by a thread of its own.

mod format;
mod lines;
mod safe;
mod sink;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use prometheus::{IntCounter, Registry};
use serde::Serialize;
use weighbridge_core::estimate::Source;

use crate::config::{AccessLog, AccessLogTarget, LogFormat, LoggedQuery};
use lines::Lines;
pub(crate) use safe::masked;
use sink::Sink;

/// The longest that closing takes.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// The longest path with its query that is written, in bytes as they stand there. With it, no line
/// is longer than 4 KiB.
const PATH_BYTES_MAX: usize = 3 << 10;
/// The longest name of a client that is written.
const CLIENT_BYTES_MAX: usize = 128;
/// The longest method that is written.
const METHOD_BYTES_MAX: usize = 32;
/// The longest trace id that is written; one has 32 digits.
const TRACE_ID_BYTES_MAX: usize = 64;

/// Room for one line, in bytes. Few lines are longer.
const LINE_BYTES: usize = 512;

/// One line of the log. A member that does not apply (no host, no estimate) is `null`, and `-`
/// where the line is no JSON.
#[derive(Debug, Clone)]
pub struct AccessRecord<'a> {
    /// When the request had arrived; written as RFC 3339 with milliseconds, in UTC.
    pub time: SystemTime,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The name that the client goes by on its route; a key by its hash.
    pub client_name: Option<&'a str>,
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
    /// Name of the host that answered; `lambda:FUNCTION` where a function did.
    pub host: Option<&'a str>,
    /// Hosts and functions that it was sent to.
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
    /// The trace's id, as hosts are told it in `traceparent`.
    pub trace_id: Option<&'a str>,
    /// Version of HTTP: `HTTP/1.1`. Not in JSON.
    pub protocol: &'a str,
    /// The client's `Referer`. Not in JSON.
    pub referer: Option<&'a str>,
    /// The client's `User-Agent`. Not in JSON.
    pub user_agent: Option<&'a str>,
}

/// Writes records where the configuration says. Records of closed or full logs are dropped and
/// counted.
#[derive(Debug)]
pub struct AccessWriter {
    /// `None` where the log is off.
    lines: Option<Arc<Lines>>,
    format: LogFormat,
    query: LoggedQuery,
    metrics: Metrics,
}

/// Why the access log cannot be opened. The operator has to act.
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

#[derive(Debug, Clone)]
struct Metrics {
    written: IntCounter,
    dropped: IntCounter,
}

// === impl AccessRecord ===

impl AccessRecord<'_> {
    /// Appends one line in the form `format`.
    fn write_as(
        &self,
        format: &LogFormat,
        line: &mut Vec<u8>,
        query: LoggedQuery,
    ) -> io::Result<()> {
        match format {
            LogFormat::Json => self.write_to(line, query),
            LogFormat::Combined => self.write_combined(line, query),
            LogFormat::Own(parts) => self.write_parts(line, parts, query),
        }
    }

    /// Appends one line of JSON. The names of members are written as they are, because a serializer
    /// would search each of them for characters to escape.
    fn write_to(&self, line: &mut Vec<u8>, query: LoggedQuery) -> io::Result<()> {
        write!(line, "{{\"time\":\"{}\"", humantime::format_rfc3339_millis(self.time))?;
        member(line, ",\"client\":", &self.client)?;
        match self.client_name {
            Some(name) => text(line, ",\"client_name\":", name, CLIENT_BYTES_MAX),
            None => member(line, ",\"client_name\":", &self.client_name)?,
        }
        text(line, ",\"method\":", self.method, METHOD_BYTES_MAX);
        text(line, ",\"path\":", &safe::masked(self.path, query), PATH_BYTES_MAX);
        member(line, ",\"route\":", &self.route)?;
        member(line, ",\"status\":", &self.status)?;
        member(line, ",\"bytes_in\":", &self.bytes_in)?;
        member(line, ",\"bytes_out\":", &self.bytes_out)?;
        member(line, ",\"host\":", &self.host)?;
        member(line, ",\"tries\":", &self.tries)?;
        member(line, ",\"waiting_seconds\":", &self.waiting_seconds)?;
        member(line, ",\"response_seconds\":", &self.response_seconds)?;
        member(line, ",\"estimate_mean\":", &self.estimate_mean)?;
        member(line, ",\"estimate_p90\":", &self.estimate_p90)?;
        member(line, ",\"estimate_source\":", &self.estimate_source)?;
        member(line, ",\"work\":", &self.work)?;
        member(line, ",\"cpu_seconds\":", &self.cpu_seconds)?;
        match self.trace_id {
            Some(trace_id) => text(line, ",\"trace_id\":", trace_id, TRACE_ID_BYTES_MAX),
            None => member(line, ",\"trace_id\":", &self.trace_id)?,
        }
        line.extend_from_slice(b"}\n");
        Ok(())
    }
}

/// Appends `name`, with what is around it, and what somebody else wrote, cut to `bytes_max`.
fn text(line: &mut Vec<u8>, name: &str, value: &str, bytes_max: usize) {
    line.extend_from_slice(name.as_bytes());
    safe::push(line, value, bytes_max);
}

/// Appends `name`, with what is around it, and `value`.
fn member<T: Serialize + ?Sized>(line: &mut Vec<u8>, name: &str, value: &T) -> io::Result<()> {
    line.extend_from_slice(name.as_bytes());
    Ok(serde_json::to_writer(line, value)?)
}

// === impl AccessWriter ===

impl AccessWriter {
    /// Opens the log; registers `weighbridge_access_log_*`.
    pub fn open(config: &AccessLog, registry: &Registry) -> Result<AccessWriter, AccessLogError> {
        let metrics = Metrics::register(registry)?;
        let sink = match &config.to {
            AccessLogTarget::Off => {
                let (format, query) = (config.format.clone(), config.query);
                return Ok(AccessWriter { lines: None, format, query, metrics });
            }
            AccessLogTarget::Stdout => Sink::stream(io::stdout()),
            AccessLogTarget::Stderr => Sink::stream(io::stderr()),
            AccessLogTarget::File(path) => Sink::file(path)?,
        };
        AccessWriter::start(sink, config, metrics)
    }

    fn start(
        sink: Sink,
        config: &AccessLog,
        metrics: Metrics,
    ) -> Result<AccessWriter, AccessLogError> {
        let lines = Arc::new(Lines::new(config.queue_max));
        let (written, counted) = (lines.clone(), metrics.clone());
        let thread = thread::Builder::new().name("access-log".to_owned());
        thread
            .spawn(move || write_lines(&written, sink, &counted))
            .map_err(AccessLogError::Thread)?;
        let (format, query) = (config.format.clone(), config.query);
        Ok(AccessWriter { lines: Some(lines), format, query, metrics })
    }

    /// Whether records are written. Where not, the caller need not make any.
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Whether its lines say what clients say of themselves. Where not, the caller need not look.
    pub fn names_agents(&self) -> bool {
        self.format.names_agents()
    }

    /// Takes `record` for writing. Never waits.
    pub fn write(&self, record: &AccessRecord<'_>) {
        let Some(lines) = &self.lines else { return };
        let mut line = Vec::with_capacity(LINE_BYTES);
        // Fails only for values that cannot be JSON, and a record has none.
        let is_written = record.write_as(&self.format, &mut line, self.query).is_ok();
        if !(is_written && lines.add(&line)) {
            self.metrics.dropped.inc();
        }
    }

    /// Opens the file again, because somebody may have moved it away: lines written from now on go
    /// to the file that has its name then. Returns at once. A log that is no file stays as it is.
    pub fn reopen(&self) {
        if let Some(lines) = &self.lines {
            lines.reopen();
        }
    }

    /// Writes all lines that wait, and ends. Blocks for a few seconds at most; lines that a stuck
    /// sink does not take are lost.
    pub fn close(&self) {
        if self.lines.as_ref().is_some_and(|lines| !lines.close(CLOSE_WAIT)) {
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

/// Writes lines until it is told to end.
fn write_lines(lines: &Lines, mut sink: Sink, metrics: &Metrics) {
    let mut text = Vec::new();
    while let Some(taken) = lines.take(&mut text) {
        match sink.write(&text) {
            Ok(()) => metrics.written.inc_by(taken.n_lines as u64),
            Err(_) => metrics.dropped.inc_by(taken.n_lines as u64),
        }
        if taken.reopens
            && let Err(error) = sink.reopen()
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the access log goes on where it was");
        }
    }
    lines.end();
}
