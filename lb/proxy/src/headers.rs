//! Every header that the proxy knows by name, and what it does to the headers of a message.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{ErrorType, OrErr};

use weighbridge_core::share::HostOrder;
use weighbridge_core::units::Work;

use crate::config::Forwarding;
use crate::forwarded::{self, Whence};
use crate::text::{push_secs, span};

/// Tells a host what a request is predicted to cost, in CPU-seconds of the reference core.
pub(crate) const ESTIMATE: HeaderName = HeaderName::from_static("weighbridge-estimate");

/// Tells a host where a request stands beside those of other clients: the priority of its class,
/// and what its client has had beyond others, in CPU-seconds of the reference core over its weight.
pub(crate) const ORDER: HeaderName = HeaderName::from_static("weighbridge-order");

/// Tells a host which job it runs, so that it can tell a second attempt from another job.
pub(crate) const JOB: HeaderName = HeaderName::from_static("weighbridge-job");

/// Tells a host how its load report is to call what this attempt of a job has used: sixteen
/// hexadecimal digits, which say nothing of the job.
pub(crate) const ATTEMPT: HeaderName = HeaderName::from_static("weighbridge-attempt");

/// Tells a host what the input of a job is called, where its route has a contract; percent-encoded.
pub(crate) const NAME: HeaderName = HeaderName::from_static("weighbridge-name");

/// Where a client wants to be told of the end of its job.
pub(crate) const CALLBACK: HeaderName = HeaderName::from_static("weighbridge-callback");

/// Headers of a client's request that are never passed on: they are the balancer's or the hosts' to
/// set.
pub(crate) const RESERVED: [HeaderName; 8] = [
    ESTIMATE,
    ORDER,
    JOB,
    ATTEMPT,
    NAME,
    CALLBACK,
    HeaderName::from_static("endpoint-load-metrics"),
    HeaderName::from_static("endpoint-load-metrics-bin"),
];

/// The headers that carry a load report. They never reach a client.
pub(crate) const REPORT: [HeaderName; 2] = [
    HeaderName::from_static("endpoint-load-metrics"),
    HeaderName::from_static("endpoint-load-metrics-bin"),
];

/// What the balancer tells a client of its request.
pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Where a request's trace id stands (W3C Trace Context).
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers by which the client's connection frames the request. The host's connection has its own.
static FRAMING: [HeaderName; 2] = [header::CONTENT_LENGTH, header::EXPECT];

/// Headers that belong to one connection, not to the message (RFC 9110, section 7.6.1).
static HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers that belong to the message whatever `Connection` says. Otherwise a client could hide
/// from the host what the message is and where it comes from.
static END_TO_END: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    forwarded::FOR,
    forwarded::HOST,
    forwarded::PROTO,
];

/// Headers that say where a request comes from or what it is, beside those that frame it: some
/// hosts take `_` for `-` in names, as CGI does, and would believe what looks like one of them.
static IMITATED: [HeaderName; 5] =
    [header::HOST, forwarded::FOR, forwarded::HOST, forwarded::PROTO, header::FORWARDED];

/// No estimate below this is told: the header's nanoseconds would not show it.
const TOLD_CPU_SECS_MIN: f64 = 1e-9;

/// Bytes that an estimate rarely exceeds.
const ESTIMATE_BYTES: usize = 24;

/// Headers that a request gets on its way to a host: host, length, whence (5), estimate, order.
const HEADERS_ADDED_MAX: usize = 9;

/// The request as it goes to a host: HTTP/1.1, framed for a body of `body_bytes`, without what
/// belongs to the client's connection or is the balancer's to set. It came from `whence`;
/// `forwarding` says what the host is told of that.
pub(crate) fn for_host(
    from: &RequestHeader,
    body_bytes: u64,
    (forwarding, whence): (&Forwarding, Whence<'_>),
) -> pingora::Result<Box<RequestHeader>> {
    let is_hop_by_hop = hop_by_hop(&from.headers);
    let is_dropped = |name: &HeaderName| {
        FRAMING.contains(name)
            || is_withheld(name)
            || is_hop_by_hop(name)
            || forwarding.is_ours(name)
    };
    // With room for what is added: a map that grows is hashed again.
    let mut headers = HeaderMap::with_capacity(from.headers.len() + HEADERS_ADDED_MAX);
    for (name, value) in from.headers.iter().filter(|(name, _)| !is_dropped(name)) {
        headers.append(name, value.clone());
    }
    // HTTP/2 has it in the target only, and in the absolute form it overrides `Host` (RFC 9112,
    // section 3.2.2).
    if let Some(authority) = from.uri.authority() {
        let authority = HeaderValue::try_from(authority.as_str());
        headers.insert(header::HOST, authority.or_err(ErrorType::InvalidHTTPHeader, "authority")?);
    }
    if body_bytes != 0 || matches!(from.method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, body_bytes.into());
    }
    forwarding.tell(&mut headers, from, whence);
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = from.method.clone();
    parts.headers = headers;
    let mut request = Box::new(RequestHeader::from(parts));
    set_target(&mut request, from)?;
    Ok(request)
}

/// Passes on that the client asks for another protocol (RFC 9110, section 7.8).
pub(crate) fn ask_to_switch(
    request: &mut RequestHeader,
    from: &RequestHeader,
) -> pingora::Result<()> {
    request.insert_header(header::CONNECTION, "Upgrade")?;
    for protocol in from.headers.get_all(header::UPGRADE) {
        request.append_header(header::UPGRADE, protocol)?;
    }
    Ok(())
}

/// Makes the request of a streaming route fit for a host, as [`for_host`] does; it came as `from`.
/// Pingora frames it.
pub(crate) fn for_host_streamed(
    request: &mut RequestHeader,
    from: &RequestHeader,
    (forwarding, whence): (&Forwarding, Whence<'_>),
) -> pingora::Result<()> {
    let is_dropped = |name: &&HeaderName| is_withheld(name) || forwarding.is_ours(name);
    let dropped: Vec<HeaderName> = request.headers.keys().filter(is_dropped).cloned().collect();
    for name in dropped {
        request.remove_header(&name);
    }
    let mut told = HeaderMap::new();
    forwarding.tell(&mut told, from, whence);
    for (name, value) in &told {
        request.append_header(name, value)?;
    }
    Ok(())
}

/// Tells the host what the request is predicted to cost, so that it can order by it. Without `told`
/// nothing is said: the host knows as much itself.
pub(crate) fn tell_estimate(request: &mut RequestHeader, told: Option<Work>) {
    let told = told.unwrap_or(Work::ZERO);
    if told.as_cpu_secs() < TOLD_CPU_SECS_MIN {
        return;
    }
    let mut text = Vec::with_capacity(ESTIMATE_BYTES);
    push_secs(&mut text, span(told));
    if let Err(error) = request.insert_header(ESTIMATE, text) {
        // It has as many headers as there may be. The host orders by what it knows itself.
        tracing::debug!(%error, "a host is not told of an estimate");
    }
}

/// Tells the host where the request stands beside those of other clients. Without `order` nothing
/// is said: there is one client.
pub(crate) fn tell_order(request: &mut RequestHeader, order: Option<HostOrder>) {
    let Some(order) = order else { return };
    let text = format!("{} {:.6}", order.priority, order.excess);
    if let Err(error) = request.insert_header(ORDER, text) {
        tracing::debug!(%error, "a host is not told of the order of clients");
    }
}

/// Takes off an answer what belongs to the connection or is meant for the balancer alone.
pub(crate) fn strip(answer: &mut ResponseHeader) {
    strip_but(answer, None);
}

/// The same for an answer that pingora passes on, which frames it by its `Transfer-Encoding`.
pub(crate) fn strip_streamed(answer: &mut ResponseHeader) {
    strip_but(answer, Some(&header::TRANSFER_ENCODING));
}

/// The `Content-Length`, where there is a readable one.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// The host that a request asks for: of HTTP/2 and of absolute targets it stands in the target.
pub(crate) fn host(request: &RequestHeader) -> Option<&str> {
    let authority = request.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| request.headers.get(header::HOST)?.to_str().ok())
}

/// Whether they are of a stream of events (HTML Standard, section 9.2), which is read as it comes.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return false };
    let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

/// Makes a stream of events one without a length: with one, its pieces would wait for each other on
/// the way to the client.
pub(crate) fn unbind_events(answer: &mut ResponseHeader) -> pingora::Result<()> {
    if !is_event_stream(&answer.headers) || answer.remove_header(&header::CONTENT_LENGTH).is_none()
    {
        return Ok(());
    }
    answer.insert_header(header::TRANSFER_ENCODING, "chunked")
}

/// Whether `headers` have one `Content-Length`, and it is `bytes`.
pub(crate) fn says_length(headers: &HeaderMap, bytes: usize) -> bool {
    let mut said = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = said.next().and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    first == Some(bytes) && said.next().is_none()
}

/// Makes one `Content-Length` of several, without zeros before it. Pingora has found them to be
/// equal.
pub(crate) fn unite_lengths(request: &mut RequestHeader) -> pingora::Result<()> {
    let mut lengths = request.headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(()) };
    let first = first.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default();
    let length = String::from_utf8_lossy(first.trim_ascii()).into_owned();
    let plain = length.trim_start_matches('0');
    let plain = if plain.is_empty() && !length.is_empty() { "0" } else { plain };
    request.insert_header(header::CONTENT_LENGTH, plain.to_owned())
}

/// Makes one `Cookie` of the several that HTTP/2 may split it into (RFC 9113, section 8.2.3).
pub(crate) fn unite_cookies(request: &mut RequestHeader) -> pingora::Result<()> {
    let mut cookies = request.headers.get_all(header::COOKIE).iter();
    if cookies.by_ref().nth(1).is_none() {
        return Ok(());
    }
    let cookies: Vec<&[u8]> =
        request.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let united = HeaderValue::try_from(cookies.join(&b"; "[..]));
    request.insert_header(header::COOKIE, united.or_err(ErrorType::InvalidHTTPHeader, "cookie")?)
}

/// Whether the `Transfer-Encoding` is what bodies are read by: `chunked`, once.
pub(crate) fn is_chunked_once(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let first = values.next().map(HeaderValue::as_bytes);
    first.is_none_or(|value| value.eq_ignore_ascii_case(b"chunked")) && values.next().is_none()
}

/// Takes scheme and host off a target in absolute form: a host that is no proxy gets its origin
/// form (RFC 9112, section 3.2). Pingora has found that `Host` says the same.
pub(crate) fn to_origin_form(request: &mut RequestHeader) {
    let target = request.raw_path();
    if !target.starts_with(b"/") && target.windows(3).any(|part| part == b"://") {
        // Pingora keeps the path alone in the URI, and the whole target beside it.
        request.set_uri(request.uri.clone());
    }
}

/// Bytes of a request's head, about as they came.
pub(crate) fn head_bytes(request: &RequestHeader) -> usize {
    let line = request.method.as_str().len() + request.raw_path().len();
    let headers = request.headers.iter();
    headers.fold(line, |bytes, (name, value)| bytes + name.as_str().len() + value.len())
}

/// How a version of HTTP is called in request lines.
pub(crate) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// The trace id of `traceparent`: `00-TRACE-PARENT-FLAGS` (W3C Trace Context).
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(TRACE_PARENT)?.to_str().ok()?.split('-').nth(1)
}

/// The target in its origin form, byte for byte where it had that form.
fn set_target(request: &mut RequestHeader, from: &RequestHeader) -> pingora::Result<()> {
    if from.uri.authority().is_none() {
        return request.set_raw_path(from.raw_path());
    }
    let target = from.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    request.set_uri(Uri::try_from(target).or_err(ErrorType::InvalidHTTPHeader, "target")?);
    Ok(())
}

/// Whether `name` means something here, so that it cannot be given another meaning.
pub(crate) fn is_known(name: &HeaderName) -> bool {
    let lists: [&[HeaderName]; 6] =
        [&RESERVED, &FRAMING, &HOP_BY_HOP, &END_TO_END, &IMITATED, &REPORT];
    lists.into_iter().any(|list| list.contains(name))
}

/// Whether a header of a client is not for hosts: it is the balancer's to set, or imitates one that
/// is, or that frames the request.
fn is_withheld(name: &HeaderName) -> bool {
    if RESERVED.contains(name) {
        return true;
    }
    let text = name.as_str();
    if !text.contains('_') {
        return false;
    }
    let meant = text.replace('_', "-");
    let lists: [&[HeaderName]; 4] = [&RESERVED, &FRAMING, &HOP_BY_HOP, &IMITATED];
    lists.into_iter().flatten().any(|name| name.as_str() == meant)
}

fn strip_but(answer: &mut ResponseHeader, kept: Option<&HeaderName>) {
    // The client is answered in its own version, whatever the host's is.
    answer.set_version(Version::HTTP_11);
    let switches = answer.status == StatusCode::SWITCHING_PROTOCOLS;
    let is_hop_by_hop = hop_by_hop(&answer.headers);
    let goes = |name: &&HeaderName| {
        REPORT.contains(name) || (!switches && kept != Some(*name) && is_hop_by_hop(name))
    };
    let names: Vec<HeaderName> = answer.headers.keys().filter(goes).cloned().collect();
    for name in names {
        answer.remove_header(&name);
    }
}

/// Tells those headers of a message that belong to its connection: the usual ones, and what
/// `Connection` names.
fn hop_by_hop(headers: &HeaderMap) -> impl Fn(&HeaderName) -> bool + use<> {
    let named = headers.get_all(header::CONNECTION).iter();
    let named = named.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let named = named.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    let named: Vec<HeaderName> = named.filter(|name| !END_TO_END.contains(name)).collect();
    move |name| HOP_BY_HOP.contains(name) || named.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("POST", b"/", None).unwrap();
        for (name, value) in headers {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    #[test]
    fn what_looks_like_a_header_of_ours_is_withheld() {
        for name in [
            "weighbridge-estimate",
            "weighbridge_estimate",
            "weighbridge-order",
            "endpoint-load-metrics",
            "endpoint_load_metrics-bin",
            "transfer_encoding",
            "content_length",
            "x_forwarded_for",
            "proxy_connection",
            "host_",
        ] {
            let is_ours = name != "host_";
            assert_eq!(is_withheld(&HeaderName::from_static(name)), is_ours, "{name}");
        }
        for name in ["content-length", "x-forwarded-for", "x_request_id", "cookie"] {
            assert!(!is_withheld(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn a_length_is_written_in_one_way() {
        for (written, plain) in [("05", "5"), ("5", "5"), ("000", "0"), ("5, 5", "5"), ("0", "0")] {
            let mut request = request(&[("content-length", written)]);
            unite_lengths(&mut request).unwrap();
            assert_eq!(request.headers[header::CONTENT_LENGTH], plain, "{written}");
        }
    }

    #[test]
    fn cookies_are_one_header() {
        let mut request = request(&[("cookie", "a=1"), ("cookie", "b=2; c=3"), ("x", "y")]);
        unite_cookies(&mut request).unwrap();
        let cookies: Vec<_> = request.headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }

    #[test]
    fn chunked_comes_once() {
        let is_good = |values: &[&str]| {
            let headers: Vec<_> =
                values.iter().map(|value| ("transfer-encoding", *value)).collect();
            is_chunked_once(&request(&headers).headers)
        };
        assert!(is_good(&[]) && is_good(&["Chunked"]));
        assert!(!is_good(&["chunked, chunked"]) && !is_good(&["chunked", "chunked"]));
        assert!(!is_good(&["gzip, chunked"]) && !is_good(&["gzip", "chunked"]));
    }
}
