//! Runs requests on Lambda, when the balancer's verdict says so.
//!
//! A function gets the request as a function URL would give it to it (`event.rs`), and its result is
//! read as a function URL would read it (`answer.rs`): so any function that is written for one can
//! stand behind a route.

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
    /// Invokes `function` with `event`, a JSON text, and returns its result, another one. Waits for
    /// it; dropped meanwhile, it waits no longer.
    async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError>;
}

/// Why an invocation brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// More are running than may (429). Nothing ran.
    #[error("the function is throttled")]
    Throttled,
    /// The event or the result is longer than Lambda carries.
    #[error("the event or the result is too long")]
    TooLong,
    /// The function ran and failed: the function's fault.
    #[error("the function failed: {0}")]
    Function(String),
    /// The function was ended for taking too long, or nobody waited for it any longer.
    #[error("the function took too long")]
    Timeout,
    /// Lambda refused the call, as for a function that there is not, or one that is not ours to
    /// invoke. Nothing ran: the operator's to mend.
    #[error("Lambda refused the call")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
    /// Lambda cannot be reached, or broke off. The function may have run.
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
