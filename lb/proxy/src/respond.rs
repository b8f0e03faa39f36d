//! Answers that the balancer makes itself, and what it adds to those of the hosts.
//!
//! Errors are `application/problem+json` (RFC 9457). Every answer carries
//! `Access-Control-Allow-Origin: *`: browsers call these services directly.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use serde::Serialize;

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

/// Headers that belong to the message whatever `Connection` says: a client could make the host see
/// another message, or none of where it comes from.
static END_TO_END: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// An error as the client sees it: RFC 9457.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What went wrong, the same for every occurrence.
    pub(crate) title: &'static str,
    /// What went wrong this time.
    pub(crate) detail: String,
    /// What is at fault: a header, the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<&'static str>,
    /// After how many seconds to try again: the header `Retry-After`.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

impl Problem {
    /// A problem of `status` with `detail`; the title is the status's reason phrase.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error"),
            detail: detail.into(),
            field: None,
            retry_after: None,
        }
    }

    /// The same, naming what is at fault.
    pub(crate) fn at(self, field: &'static str) -> Problem {
        Problem { field: Some(field), ..self }
    }

    /// The same, with a time to come back.
    pub(crate) fn retry_after(self, secs: u64) -> Problem {
        Problem { retry_after: Some(secs), ..self }
    }
}

/// Sends `problem` and ends the response. Returns the bytes of the body.
pub(crate) async fn send_problem(
    session: &mut Session,
    problem: &Problem,
) -> pingora::Result<usize> {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut header = ResponseHeader::build(problem.status, Some(6))?;
    header.insert_header(header::CONTENT_TYPE, "application/problem+json")?;
    if problem.status == StatusCode::METHOD_NOT_ALLOWED {
        header.insert_header(header::ALLOW, "GET, POST, OPTIONS")?;
    }
    if let Some(secs) = problem.retry_after {
        header.insert_header(header::RETRY_AFTER, secs)?;
    }
    send(session, Box::new(header), Bytes::from(body)).await
}

/// Sends `header` with `body`, its length and CORS, and ends the response.
pub(crate) async fn send(
    session: &mut Session,
    mut header: Box<ResponseHeader>,
    body: Bytes,
) -> pingora::Result<usize> {
    let bodiless = session.req_header().method == http::Method::HEAD;
    if header.status != StatusCode::NO_CONTENT && !says_length(&header.headers, body.len()) {
        header.insert_header(header::CONTENT_LENGTH, body.len())?;
    }
    allow_origin(&mut header)?;
    let length = if bodiless { 0 } else { body.len() };
    session.write_response_header(header, length == 0).await?;
    session.write_response_body((0 < length).then_some(body), true).await?;
    Ok(length)
}

/// Whether `headers` have one `Content-Length`, and it is `bytes`.
fn says_length(headers: &HeaderMap, bytes: usize) -> bool {
    let mut said = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = said.next().and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    first == Some(bytes) && said.next().is_none()
}

/// The answer to a CORS preflight (`OPTIONS` on any path).
pub(crate) fn preflight() -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(StatusCode::NO_CONTENT, Some(4))?;
    header.insert_header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS")?;
    header.insert_header(header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type,Authorization")?;
    Ok(header)
}

/// 200 without a body: what health checks of the earlier systems expect at `/`.
pub(crate) fn empty() -> pingora::Result<ResponseHeader> {
    ResponseHeader::build(StatusCode::OK, Some(3))
}

/// Lets any origin read the response.
pub(crate) fn allow_origin(header: &mut ResponseHeader) -> pingora::Result<()> {
    header.insert_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
}

/// Takes off what belongs to the connection or is meant for the balancer alone.
pub(crate) fn strip(header: &mut ResponseHeader) {
    strip_but(header, None);
}

/// The same for a response that pingora passes on, who frames it by its `Transfer-Encoding`.
pub(crate) fn strip_stream(header: &mut ResponseHeader) {
    strip_but(header, Some(&header::TRANSFER_ENCODING));
}

fn strip_but(header: &mut ResponseHeader, kept: Option<&HeaderName>) {
    let switches = header.status == StatusCode::SWITCHING_PROTOCOLS;
    let is_hop_by_hop = hop_by_hop(&header.headers);
    let goes = |name: &&HeaderName| {
        crate::observe::REPORT_HEADERS.contains(name)
            || (!switches && kept != Some(*name) && is_hop_by_hop(name))
    };
    let names: Vec<HeaderName> = header.headers.keys().filter(goes).cloned().collect();
    for name in names {
        header.remove_header(&name);
    }
}

/// Tells those headers of a message that belong to its connection: the usual ones, and what
/// `Connection` names.
pub(crate) fn hop_by_hop(headers: &HeaderMap) -> impl Fn(&HeaderName) -> bool + use<> {
    let named = headers.get_all(header::CONNECTION).iter();
    let named = named.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let named = named.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    let named: Vec<HeaderName> = named.filter(|name| !END_TO_END.contains(name)).collect();
    move |name| HOP_BY_HOP.contains(name) || named.contains(name)
}

/// The whole answer, as HTTP/1.1, to what is not a request.
pub(crate) fn unreadable() -> Vec<u8> {
    let detail = "this is not an HTTP request, or its head contradicts itself or is too long";
    let problem = Problem::new(StatusCode::BAD_REQUEST, detail).at("head");
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n\
                Access-Control-Allow-Origin: *\r\nConnection: close\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}
