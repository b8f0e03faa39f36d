//! From what was noted of a request to spans, named by OpenTelemetry's semantic conventions for
//! HTTP; what they have no name for is `weighbridge.*`.

use std::net::IpAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::header::USER_AGENT;
use http::{Method, Version};
use pingora::http::RequestHeader;

use weighbridge_core::units::Work;

use super::otlp::{AnyValue, KeyValue, Span, SpanKind, Status, StatusCode, Value};
use super::span::{Place, Trace, Tried};
use crate::access_log::masked;
use crate::config::{HostAddress, LoggedQuery};
use crate::headers;
use crate::metrics::http as http_names;
use crate::record::{Record, source_name};

/// The longest text in a span, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// A request that has ended.
pub(crate) struct Ended<'a> {
    pub(crate) head: &'a RequestHeader,
    /// The client's address.
    pub(crate) client: Option<IpAddr>,
    pub(crate) record: &'a Record,
    /// The route's name and path.
    pub(crate) route: Option<(&'a str, &'a str)>,
    /// The name of the host that answered.
    pub(crate) host: Option<&'a str>,
}

/// Attributes of a span.
#[derive(Default)]
struct Attributes(Vec<KeyValue>);

/// The spans of `trace`, the server's first; `query`: what of queries is told.
pub(super) fn spans(trace: &Trace, ended: &Ended<'_>, query: LoggedQuery) -> Vec<Span> {
    let mut spans = Vec::with_capacity(1 + trace.tries.len());
    spans.push(server(trace, ended, query));
    let tries = trace.tries.iter().enumerate();
    spans.extend(tries.map(|(nth, tried)| client(trace, (nth, tried), ended, query)));
    spans
}

fn server(trace: &Trace, ended: &Ended<'_>, query: LoggedQuery) -> Span {
    let Ended { head, record, .. } = ended;
    let mut attributes = Attributes::default();
    let method = attributes.method(&head.method);
    attributes.text("url.scheme", if record.is_https { "https" } else { "http" });
    let target = shown(head, query);
    let (path, asked) = target.split_once('?').unwrap_or((&target, ""));
    attributes.text("url.path", path);
    if !asked.is_empty() {
        attributes.text("url.query", asked);
    }
    if let Some(host) = headers::host(head) {
        let (name, port) = name_and_port(host);
        attributes.text("server.address", name);
        if let Some(port) = port {
            attributes.whole("server.port", port.into());
        }
    }
    if let Some(client) = ended.client {
        attributes.text("client.address", &client.to_string());
    }
    attributes.text("network.protocol.version", version(head.version));
    if let Some(agent) = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
        attributes.text("user_agent.original", agent);
    }
    attributes.whole("http.request.body.size", whole(record.bytes_in));
    attributes.whole("http.response.body.size", whole(record.bytes_out));
    let is_failed = 500 <= record.status || record.status == 0;
    attributes.status(Some(record.status).filter(|status| *status != 0));
    if is_failed {
        attributes.text("error.type", &error_type(record.status));
    }
    let name = match ended.route {
        Some((route, path)) => {
            attributes.text("http.route", path);
            attributes.text("weighbridge.route", route);
            format!("{method} {path}")
        }
        None => method.to_owned(),
    };
    attributes.costs(ended);
    if let Some(job) = &trace.job {
        attributes.text("weighbridge.job", job);
    }
    let kind = if trace.job.is_some() { SpanKind::Consumer } else { SpanKind::Server };
    let span = (trace.context.span, trace.parent.unwrap_or_default());
    let times = (nanos(record.at), nanos(record.moment(Instant::now())));
    made(trace, span, (name, kind), times, (attributes, is_failed))
}

fn client(
    trace: &Trace,
    (nth, tried): (usize, &Tried),
    ended: &Ended<'_>,
    query: LoggedQuery,
) -> Span {
    let Ended { head, record, .. } = ended;
    let mut attributes = Attributes::default();
    let method = attributes.method(&head.method);
    match &tried.at {
        Place::Host(id, address) => {
            let (name, port) = match address {
                HostAddress::Tcp(address) => (address.ip().to_string(), Some(address.port())),
                HostAddress::Unix(path) => (path.to_string(), None),
            };
            attributes.text("server.address", &name);
            if let Some(port) = port {
                attributes.whole("server.port", port.into());
            }
            let transport = if port.is_some() { "tcp" } else { "unix" };
            attributes.text("network.transport", transport);
            let url = format!("http://{}{}", address.authority(), shown(head, query));
            attributes.text("url.full", &url);
            let is_last = record.host == Some(*id);
            let named = ended.host.filter(|_| is_last).map(str::to_owned);
            attributes.text("weighbridge.host", &named.unwrap_or_else(|| address.to_string()));
        }
        Place::Function(name) => {
            attributes.text("server.address", name);
            attributes.text("weighbridge.host", &format!("lambda:{name}"));
        }
    }
    attributes.whole("weighbridge.try", whole(nth as u64 + 1));
    if 0 < nth {
        attributes.whole("http.request.resend_count", whole(nth as u64));
    }
    attributes.status(tried.status);
    let refused = tried.status.filter(|status| 400 <= *status).map(|status| status.to_string());
    let unended = tried.ended.is_none() && tried.status.is_none();
    let error = tried.failure.map(str::to_owned).or(refused);
    let error = error.or_else(|| unended.then(|| error_type(record.status)));
    if let Some(error) = &error {
        attributes.text("error.type", error);
    }
    let named = (method.to_owned(), SpanKind::Client);
    let ids = (tried.span, trace.context.span);
    let ended = tried.ended.unwrap_or_else(Instant::now);
    let times = (nanos(record.moment(tried.begun)), nanos(record.moment(ended)));
    made(trace, ids, named, times, (attributes, error.is_some()))
}

fn made(
    trace: &Trace,
    (span, parent): ([u8; 8], [u8; 8]),
    (name, kind): (String, SpanKind),
    (start_time_unix_nano, end_time_unix_nano): (u64, u64),
    (attributes, is_failed): (Attributes, bool),
) -> Span {
    let failed = Status { message: String::new(), code: StatusCode::Error.into() };
    Span {
        trace_id: trace.context.trace.to_vec(),
        span_id: span.to_vec(),
        trace_state: trace.state.clone().unwrap_or_default(),
        parent_span_id: if parent == [0; 8] { Vec::new() } else { parent.to_vec() },
        name,
        kind: kind.into(),
        start_time_unix_nano,
        end_time_unix_nano,
        attributes: attributes.0,
        status: is_failed.then_some(failed),
        flags: trace.context.flags.into(),
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The status where there is one: 499 where the client left.
fn error_type(status: u16) -> String {
    match status {
        0 => "_OTHER".to_owned(),
        499 => "client_left".to_owned(),
        status => status.to_string(),
    }
}

/// Path and query, as far as that is told.
fn shown(head: &RequestHeader, query: LoggedQuery) -> String {
    let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    masked(target, query).into_owned()
}

/// The name and the port of `Host`.
fn name_and_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) => (name.trim_matches(['[', ']']), Some(port)),
        Some((_, Err(_))) | None => (host.trim_matches(['[', ']']), None),
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

// === impl Attributes ===

impl Attributes {
    fn text(&mut self, key: &str, text: &str) {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        self.push(key, Value::Text(text[..end].to_owned()));
    }

    fn whole(&mut self, key: &str, number: i64) {
        self.push(key, Value::Whole(number));
    }

    fn real(&mut self, key: &str, number: f64) {
        self.push(key, Value::Real(number));
    }

    fn push(&mut self, key: &str, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: key.to_owned(), value });
    }

    /// Notes `method`, and returns what a span is named by.
    fn method(&mut self, method: &Method) -> &'static str {
        let known = http_names::known(method);
        self.text("http.request.method", known.unwrap_or(http_names::OTHER));
        if known.is_none() {
            self.text("http.request.method_original", method.as_str());
        }
        known.unwrap_or("HTTP")
    }

    fn status(&mut self, status: Option<u16>) {
        if let Some(status) = status {
            self.whole("http.response.status_code", status.into());
        }
    }

    /// What was predicted and what was measured, in CPU-seconds of the reference core; the wait in
    /// seconds.
    fn costs(&mut self, ended: &Ended<'_>) {
        let record = ended.record;
        if let Some(estimate) = record.estimate {
            self.real("weighbridge.estimate", estimate.mean.as_cpu_secs());
            self.real("weighbridge.estimate.p90", estimate.p90.as_cpu_secs());
            self.text("weighbridge.estimate.source", source_name(estimate.source));
        }
        if let Some(work) = record.work.map(Work::as_cpu_secs) {
            self.real("weighbridge.work", work);
        }
        self.real("weighbridge.wait", record.waiting().as_secs_f64());
        self.whole("weighbridge.tries", record.tries.into());
        if let Some(host) = ended.host {
            self.text("weighbridge.host", host);
        }
    }
}
