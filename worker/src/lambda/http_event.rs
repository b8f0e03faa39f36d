//! HTTP as Lambda carries it: function URLs and API Gateway's HTTP APIs, payload format 2.0.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Map, Value};

use super::run::{self, Ran};
use super::{InvocationError, Line};
use crate::operations::{self, Limits, OperationRequest};
use crate::respond::{self, Answer, LOAD_REPORT, Problem, SERVER_TIMING};

/// An answer as Lambda carries it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HttpAnswer {
    pub(super) status_code: u16,
    headers: BTreeMap<String, String>,
    pub(super) body: String,
    is_base64_encoded: bool,
}

/// A request that Lambda has carried.
#[derive(Debug)]
struct HttpRequest {
    method: String,
    path: String,
    query: String,
    content_type: Option<String>,
    accept: Option<String>,
    body: Vec<u8>,
}

/// Whether `event` is HTTP, rather than of the contract.
pub(super) fn is_one(event: &Map<String, Value>) -> bool {
    event.contains_key("rawPath") || event.contains_key("requestContext")
}

/// Answers `event` as a worker would.
pub(super) async fn answer(
    event: Map<String, Value>,
    limits: &Limits,
    line: &mut Line,
) -> Result<HttpAnswer, InvocationError> {
    let mut answer = match HttpRequest::read(event) {
        Ok(request) => route(&request, limits, line),
        Err(problem) => respond::problem(&problem),
    };
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(carried(answer).await)
}

fn route(request: &HttpRequest, limits: &Limits, line: &mut Line) -> Answer {
    if request.method == Method::OPTIONS.as_str() {
        return respond::preflight();
    }
    if let Some(operation) = operations::by_path(&request.path) {
        line.operation = Some(operation.name());
        let ran = run::run(operation, &request.as_operation(), limits);
        line.ran(&ran);
        return measured(ran, line.is_cold);
    }
    match request.path.as_str() {
        "" | "/" | "/test" | "/healthz" | "/readyz" => respond::empty(StatusCode::OK),
        unknown => respond::problem(&Problem {
            status: StatusCode::NOT_FOUND,
            detail: format!("no operation is served at `{unknown}`"),
            field: None,
        }),
    }
}

/// The answer of what ran, with the load report.
fn measured(ran: Ran, is_cold: bool) -> Answer {
    let report = ran.report(is_cold).encode_json();
    let timing = format!("run;dur={:.3}", ran.elapsed.as_secs_f64() * 1e3);
    let mut answer = match ran.result {
        Some(Ok(reply)) => respond::content(&reply.content_type, reply.body),
        Some(Err(error)) => respond::problem(&Problem::from(&error)),
        None => respond::problem(&Problem::panicked()),
    };
    for (name, value) in [(LOAD_REPORT, report), (SERVER_TIMING, timing)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// `answer` as Lambda carries it: bodies that are no text in base64.
async fn carried(answer: Answer) -> HttpAnswer {
    let (head, body) = answer.into_parts();
    let headers = head.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let headers = headers.collect();
    // A body that is there cannot fail to be read.
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let (body, is_base64_encoded) = match String::from_utf8(body) {
        Ok(text) => (text, false),
        Err(bytes) => (STANDARD.encode(bytes.as_bytes()), true),
    };
    HttpAnswer { status_code: head.status.as_u16(), headers, body, is_base64_encoded }
}

// === impl HttpRequest ===

impl HttpRequest {
    fn read(mut event: Map<String, Value>) -> Result<HttpRequest, Problem> {
        let method =
            event.get("requestContext").and_then(|context| context.pointer("/http/method"));
        let method = method.and_then(Value::as_str).unwrap_or("POST").to_ascii_uppercase();
        let body = text(&mut event, "body").into_bytes();
        let body = match event.get("isBase64Encoded").and_then(Value::as_bool) {
            Some(true) => STANDARD.decode(&body).map_err(|error| Problem {
                status: StatusCode::BAD_REQUEST,
                detail: format!("`isBase64Encoded` is true, but the body is not base64: {error}"),
                field: Some("body".to_owned()),
            })?,
            Some(false) | None => body,
        };
        let header = |name: HeaderName| {
            let headers = event.get("headers")?.as_object()?;
            let (_, value) =
                headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_str()))?;
            value.as_str().map(str::to_owned)
        };
        Ok(HttpRequest {
            method,
            content_type: header(CONTENT_TYPE),
            accept: header(ACCEPT),
            path: text(&mut event, "rawPath"),
            query: text(&mut event, "rawQueryString"),
            body,
        })
    }

    fn as_operation(&self) -> OperationRequest<'_> {
        OperationRequest {
            query: &self.query,
            content_type: self.content_type.as_deref(),
            accept: self.accept.as_deref(),
            body: &self.body,
        }
    }
}

/// The member `name`; empty where there is none that is a string.
fn text(event: &mut Map<String, Value>, name: &str) -> String {
    match event.remove(name) {
        Some(Value::String(text)) => text,
        Some(_) | None => String::new(),
    }
}
