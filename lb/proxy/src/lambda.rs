//! Runs requests on Lambda, when the balancer's verdict says so.
//!
//! A function gets the request as a function URL would give it to it (`event.rs`), and its result is
//! read as a function URL would read it (`answer.rs`): so any function that is written for one can
//! stand behind a route.

mod answer;
mod event;
mod metrics;

use std::error::Error;

use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use pingora::proxy::Session;

use weighbridge_core::admit::Invocation;
use weighbridge_core::lambda::FunctionId;
use weighbridge_core::observe::Failure;
use weighbridge_core::request::RouteId;

use crate::forward::Answer;
use crate::gateway::Gateway;
use crate::queue::client_gone;
use crate::record::Record;

use event::Event;
pub(crate) use metrics::LambdaMetrics;

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

/// What came of a run.
pub(crate) enum Invoked {
    /// An answer, whole.
    Answered(Answer),
    /// None.
    Failed(Failure),
    /// Nobody is there to be answered.
    ClientGone,
}

// === impl InvokeError ===

impl InvokeError {
    /// The same as the balancer knows it.
    fn failure(&self) -> Failure {
        match self {
            InvokeError::Throttled => Failure::Refused,
            InvokeError::TooLong => Failure::TooLong,
            InvokeError::Function(_) | InvokeError::Unavailable(_) => Failure::BeforeResponse,
            InvokeError::Timeout => Failure::Timeout,
            InvokeError::Rejected(_) => Failure::Connect,
        }
    }

    /// Its label.
    fn outcome(&self) -> &'static str {
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

impl Gateway {
    /// How long the event would be that carries a request of `route`; `None` where it cannot go to
    /// Lambda.
    pub(crate) fn event_bytes(&self, route: RouteId, request: &Parts, body: &[u8]) -> Option<u64> {
        let function = self.policy(route).function?;
        let lambda = self.config.policy.lambda.as_ref()?;
        let most = lambda.functions.get(usize::from(function.0))?.payload_bytes_max;
        // What is too long by itself is not looked at.
        (body.len() as u64 <= most).then(|| Event::new(request, body).bytes())
    }

    /// The name of `function`, as Lambda has it.
    pub(crate) fn function_name(&self, function: FunctionId) -> &str {
        let lambda = self.config.policy.lambda.as_ref();
        let known = lambda.and_then(|lambda| lambda.functions.get(usize::from(function.0)));
        known.map_or("", |known| known.name.as_str())
    }

    /// Runs a request on Lambda, for as long as the client stays.
    pub(crate) async fn invoke(
        &self,
        session: &mut Session,
        record: &mut Record,
        invocation: &Invocation,
        (request, body): (&Parts, &Bytes),
    ) -> Invoked {
        record.invoked(invocation);
        let function = self.function_name(invocation.function);
        let event = Event::new(request, body).text();
        let invoked = tokio::select! {
            biased;
            invoked = self.run(function, event) => invoked,
            () = client_gone(session) => {
                self.metrics.lambda.invoked(function, "abandoned");
                return Invoked::ClientGone;
            }
        };
        match invoked {
            Ok(answer) => {
                self.metrics.lambda.invoked(function, "answered");
                Invoked::Answered(answer)
            }
            Err(error) => {
                self.metrics.lambda.invoked(function, error.outcome());
                let failure = error.failure();
                let error = &error as &dyn Error;
                tracing::warn!(function, ?failure, error, "Lambda failed a request");
                Invoked::Failed(failure)
            }
        }
    }

    async fn run(&self, function: &str, event: Bytes) -> Result<Answer, InvokeError> {
        let functions = self.functions.as_ref().ok_or_else(|| {
            InvokeError::Rejected("nothing was given that invokes functions".into())
        })?;
        let invoked = functions.invoke(function, event);
        let result = tokio::time::timeout(self.config.lambda.timeout, invoked)
            .await
            .map_err(|_| InvokeError::Timeout)??;
        answer::read(&result)
    }
}
