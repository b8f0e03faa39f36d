//! Runs requests on Lambda, when the balancer's verdict says so.

use async_trait::async_trait;
use bytes::Bytes;

/// Invokes functions.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Invokes `function` with `event`, a JSON text, and returns its result, another one.
    async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError>;
}

/// Why an invocation brought no result.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// More are running than may (429).
    #[error("the function is throttled")]
    Throttled,
    /// The event is longer than Lambda takes (413).
    #[error("the event is too large")]
    TooLarge,
    /// The function ran and failed, or was ended for taking too long.
    #[error("the function failed: {0}")]
    Function(String),
    /// Lambda cannot be reached, or refused.
    #[error("Lambda cannot be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
