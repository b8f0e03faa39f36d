//! Responses that are not an operation's own.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, CONTENT_TYPE, RETRY_AFTER,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use serde::Serialize;

use crate::operations::OperationError;
use crate::processes::Streamed;
use crate::queue::Times;

/// Carries the load report; its value begins with the format.
pub(crate) const LOAD_REPORT: HeaderName = HeaderName::from_static("endpoint-load-metrics");

/// Carries how long a request waited and ran.
pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What the front answers.
pub(crate) type Answer = Response<Body>;

/// Its body: held, or as it comes from a process.
pub(crate) type Body = Either<Full<Bytes>, Streamed>;

/// Something that went wrong, as RFC 9457 has it.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// What was wrong with this request.
    pub(crate) detail: String,
    /// The part of the request that it was wrong with.
    pub(crate) field: Option<String>,
}

/// [`Problem`] on the wire.
#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

// === impl Problem ===

impl Problem {
    /// An operation panicked: the client is not told of what.
    pub(crate) fn panicked() -> Problem {
        let detail = "the operation failed by a mistake of ours".to_owned();
        Problem { status: StatusCode::INTERNAL_SERVER_ERROR, detail, field: None }
    }
}

impl From<&OperationError> for Problem {
    fn from(error: &OperationError) -> Problem {
        Problem {
            status: StatusCode::from_u16(error.status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            detail: error.to_string(),
            field: error.field().map(str::to_owned),
        }
    }
}

/// `status` with a finished empty body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    with_status(status, Bytes::new())
}

/// The answer to `OPTIONS`.
pub(crate) fn preflight() -> Answer {
    let mut answer = empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type,Authorization"),
    );
    answer
}

/// A 200 of `content_type`; one that cannot be a header's value becomes `application/octet-stream`.
pub(crate) fn content(content_type: &str, body: impl Into<Bytes>) -> Answer {
    let content_type = HeaderValue::from_str(content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let mut answer = with_status(StatusCode::OK, body.into());
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// `application/problem+json`; a 503 says when to come back.
pub(crate) fn problem(problem: &Problem) -> Answer {
    let body = ProblemBody {
        r#type: "about:blank",
        title: problem.status.canonical_reason().unwrap_or("Error"),
        status: problem.status.as_u16(),
        detail: &problem.detail,
        field: problem.field.as_deref(),
    };
    let text = serde_json::to_vec(&body).expect("a problem is strings and a number");
    let mut answer = with_status(problem.status, text.into());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// `queue;dur=0.125, run;dur=12.500`, in milliseconds: out of a slot and in one.
pub(crate) fn server_timing(times: Times) -> String {
    let [queue, run] = [times.waiting, times.service].map(|span| span.as_secs_f64() * 1e3);
    format!("queue;dur={queue:.3}, run;dur={run:.3}")
}

fn with_status(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Body::Left(Full::new(body)));
    *answer.status_mut() = status;
    answer
}
