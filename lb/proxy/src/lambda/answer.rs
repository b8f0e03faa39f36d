//! What a function returns as an HTTP answer: as a function URL reads it.
//!
//! An object with `statusCode` is the whole answer. Any other JSON is the body of a 200.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::InvokeError;
use crate::answer::Whole;

/// An answer as Lambda carries it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Carried<'a> {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Tells whether it is an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    status_code: Option<serde::de::IgnoredAny>,
}

/// Reads `result`. A malformed answer is the function's fault.
pub(super) fn read(result: &Bytes) -> Result<Whole, InvokeError> {
    // An array would be read as the members of an object, in order.
    let is_object = result.trim_ascii_start().starts_with(b"{");
    let kind = serde_json::from_slice::<Kind>(result);
    if !is_object || !kind.is_ok_and(|kind| kind.status_code.is_some()) {
        return plain(result);
    }
    let carried: Carried<'_> = serde_json::from_slice(result)
        .map_err(|error| fault(format!("it returned no HTTP answer: {error}")))?;
    let status = StatusCode::from_u16(carried.status_code)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| fault(format!("it returned the status `{}`", carried.status_code)))?;
    let mut header = build(status)?;
    let mut add = |name: &str, value: &str| -> Result<(), InvokeError> {
        let bad = || fault(format!("it returned the header `{}`", name.escape_debug()));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let value = HeaderValue::from_str(value).map_err(|_| bad())?;
        header.append_header(name, value).map(drop).map_err(|_| bad())
    };
    for (name, value) in &carried.headers {
        match value {
            Value::String(text) => add(name, text)?,
            Value::Bool(_) | Value::Number(_) => add(name, &value.to_string())?,
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }
    for cookie in &carried.cookies {
        add(SET_COOKIE.as_str(), cookie)?;
    }
    let body = carried.body.unwrap_or_default();
    let body = if carried.is_base64_encoded {
        STANDARD
            .decode(body.as_bytes())
            .map_err(|error| fault(format!("its body is not base64: {error}")))?
    } else {
        body.into_owned().into_bytes()
    };
    Ok(Whole { header: Box::new(header), body: Bytes::from(body) })
}

/// JSON without `statusCode` is the body of an answer.
fn plain(result: &Bytes) -> Result<Whole, InvokeError> {
    let mut header = build(StatusCode::OK)?;
    let named = header.insert_header(CONTENT_TYPE, "application/json");
    named.map_err(|error| fault(error.to_string()))?;
    Ok(Whole { header: Box::new(header), body: result.clone() })
}

fn build(status: StatusCode) -> Result<ResponseHeader, InvokeError> {
    ResponseHeader::build(status, Some(8)).map_err(|error| fault(error.to_string()))
}

fn fault(what: String) -> InvokeError {
    InvokeError::Function(what)
}

#[cfg(test)]
mod tests;
