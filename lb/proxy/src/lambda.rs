//! Runs requests on Lambda, when that is the balancer's verdict.
//!
//! # Decision: a function gets HTTP, not an event of ours
//!
//! A function gets the request as a function URL passes it on (`event.rs`), and its result is read
//! as a function URL reads it (`answer.rs`). So every function that is written for a function URL
//! can stand behind a route, and its load report is the same as a host's. Events without `rawPath`
//! are those of earlier callers. Only the balancer decides: the SDK retries nothing, a throttled
//! request counts as not sent, and a failed one goes to the fleet. Each function has its own speed,
//! round trip, warm environments and concurrency. One budget in USD bounds all of them, and each
//! run sets its estimate aside. Cost: an abandoned run may go on and be billed; an answer over 6
//! MiB is paid for and made again. Look again when answers can be predicted to be that long.

mod answer;
mod event;

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;

use weighbridge_core::observe::Failure;

use crate::answer::Whole;

use event::Event;

/// Invokes functions.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Invokes `function` with `event`, a JSON text, and returns its result, also a JSON text.
    /// Dropping the future stops waiting.
    async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError>;
}

/// Why an invocation brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Lambda throttles (429). Nothing ran.
    #[error("the function is throttled")]
    Throttled,
    /// The event or the result is longer than Lambda carries.
    #[error("the event or the result is too long")]
    TooLong,
    /// The function ran and failed: the function's fault.
    #[error("the function failed: {0}")]
    Function(String),
    /// The function took too long: Lambda ended it, or the balancer stopped waiting.
    #[error("the function took too long")]
    Timeout,
    /// Lambda refused the call, because the function does not exist or may not be invoked. Nothing
    /// ran. The operator has to act.
    #[error("Lambda refused the call")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
    /// Lambda cannot be reached, or the connection broke. The function may have run.
    #[error("Lambda cannot be used")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

// === impl InvokeError ===

impl InvokeError {
    /// The same as the balancer knows it.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            InvokeError::Throttled => Failure::Refused,
            InvokeError::TooLong => Failure::TooLong,
            InvokeError::Function(_) | InvokeError::Unavailable(_) => Failure::BeforeResponse,
            InvokeError::Timeout => Failure::Timeout,
            InvokeError::Rejected(_) => Failure::Connect,
        }
    }

    /// Its label.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            InvokeError::Throttled => "throttled",
            InvokeError::TooLong => "too_long",
            InvokeError::Function(_) => "function_error",
            InvokeError::Timeout => "timeout",
            InvokeError::Rejected(_) => "rejected",
            InvokeError::Unavailable(_) => "unavailable",
        }
    }
}

/// How long the event would be that carries a request.
pub(crate) fn event_bytes(request: &Parts, body: &[u8]) -> u64 {
    Event::new(request, body).bytes()
}

/// Runs a request, as it would go to a host, on `function`, for `timeout` at most.
pub(crate) async fn run(
    functions: Option<&dyn Functions>,
    function: &str,
    (request, body): (&Parts, &Bytes),
    timeout: Duration,
) -> Result<Whole, InvokeError> {
    let functions = functions
        .ok_or_else(|| InvokeError::Rejected("nothing was given that invokes functions".into()))?;
    let invoked = functions.invoke(function, Event::new(request, body).text());
    let result =
        tokio::time::timeout(timeout, invoked).await.map_err(|_| InvokeError::Timeout)??;
    answer::read(&result)
}
