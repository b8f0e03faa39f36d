//! Asks a running balancer to do something, at its admin address.

use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::CommandError;

/// Sends `body` to `path` of the balancer at `admin`, and returns what it says of it.
///
/// # Errors
///
/// It cannot be asked, or refuses.
pub(crate) fn post(admin: SocketAddr, path: &str, body: String) -> Result<Value, CommandError> {
    let failed = |why: String| CommandError::Ask { admin: admin.to_string(), why };
    let request = Request::post(format!("http://{admin}{path}")).body(Full::new(body.into()));
    let request = request.map_err(|error| failed(error.to_string()))?;
    let (status, text) = send(request).map_err(|error| failed(with_causes(&*error)))?;
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::from(text));
    if status.is_success() {
        return Ok(value);
    }
    let detail = value["detail"].as_str().map_or_else(|| value.to_string(), str::to_owned);
    Err(failed(format!("{status}: {detail}")))
}

/// Sends `request`, and reads the whole answer.
pub(crate) fn send(
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, String), Box<dyn Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await?;
        let status = response.status();
        let text = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    })
}

/// What `error` says, and what it says of its causes.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        why = format!("{why}: {error}");
        cause = error.source();
    }
    why
}
