//! An answer that is there as a whole: a host's, a function's, or the balancer's own.
//!
//! The balancer's own errors are `application/problem+json` (RFC 9457).

use bytes::Bytes;
use http::{StatusCode, header};
use pingora::http::ResponseHeader;
use serde::Serialize;

/// Status, headers and all of the body.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// Status and headers.
    pub(crate) header: Box<ResponseHeader>,
    /// The body.
    pub(crate) body: Bytes,
}

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
    /// The methods that there are: the header `Allow`.
    #[serde(skip)]
    pub(crate) allow: Option<String>,
    /// After how many seconds to try again: the header `Retry-After`.
    #[serde(skip)]
    pub(crate) retry_after: Option<u64>,
}

// === impl Whole ===

impl Whole {
    /// Whether it says that the host cannot serve now, so that another may be asked.
    pub(crate) fn is_unavailable(&self) -> bool {
        is_unavailable(self.header.status)
    }
}

/// Whether `status` says that a host cannot serve now.
pub(crate) fn is_unavailable(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

// === impl Problem ===

impl Problem {
    /// A problem of `status` with `detail`; the title is the status's reason phrase.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error"),
            detail: detail.into(),
            field: None,
            allow: None,
            retry_after: None,
        }
    }

    /// The same, naming what is at fault.
    pub(crate) fn at(self, field: &'static str) -> Problem {
        Problem { field: Some(field), ..self }
    }

    /// The same, with the methods that there are.
    pub(crate) fn allow(self, methods: String) -> Problem {
        Problem { allow: Some(methods), ..self }
    }

    /// The same, with a time to come back.
    pub(crate) fn retry_after(self, secs: u64) -> Problem {
        Problem { retry_after: Some(secs), ..self }
    }

    /// The answer that says so.
    pub(crate) fn answer(&self) -> pingora::Result<Whole> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut header = ResponseHeader::build(self.status, Some(8))?;
        header.insert_header(header::CONTENT_TYPE, "application/problem+json")?;
        header.insert_header(header::CONTENT_LENGTH, body.len())?;
        if let Some(methods) = &self.allow {
            header.insert_header(header::ALLOW, methods)?;
        }
        if let Some(secs) = self.retry_after {
            header.insert_header(header::RETRY_AFTER, secs)?;
        }
        Ok(Whole { header: Box::new(header), body: Bytes::from(body) })
    }
}

/// The whole answer, as HTTP/1.1, to what is not a request.
pub(crate) fn unreadable() -> Vec<u8> {
    let detail = "this is not an HTTP request, or its head contradicts itself";
    to_head(StatusCode::BAD_REQUEST, detail.to_owned())
}

/// The whole answer, as HTTP/1.1, to a head that does not end in time.
pub(crate) fn late_head() -> Vec<u8> {
    to_head(StatusCode::REQUEST_TIMEOUT, "the head did not end in time".to_owned())
}

/// The whole answer, as HTTP/1.1, to a head that is too long, as `detail` says.
pub(crate) fn long_head(detail: String) -> Vec<u8> {
    to_head(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
}

/// The whole answer, as HTTP/1.1, to a client that speaks HTTP where TLS is spoken.
pub(crate) fn without_tls() -> Vec<u8> {
    let detail = "this address speaks HTTPS: expected a URL that begins with `https:`";
    to_head(StatusCode::BAD_REQUEST, detail.to_owned())
}

fn to_head(status: StatusCode, detail: String) -> Vec<u8> {
    let problem = Problem::new(status, detail).at("head");
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let head = "Content-Type: application/problem+json\r\nAccess-Control-Allow-Origin: *\r\n\
                Connection: close\r\nContent-Length: ";
    format!("HTTP/1.1 {status}\r\n{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}
