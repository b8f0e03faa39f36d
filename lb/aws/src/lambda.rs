//! Lambda: invokes functions.
//!
//! The SDK retries nothing here: what is throttled or fails goes to a host at once, and the
//! balancer knows of it.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::StalledStreamProtectionConfig;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{Builder, http::HttpResponse};
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::operation::invoke::{InvokeError as ServiceError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use bytes::Bytes;
use serde::Deserialize;

use weighbridge_proxy::lambda::{Functions, InvokeError};

use crate::Aws;

/// A function's last words that are shown, in characters.
const SHOWN_CHARS_MAX: usize = 300;

/// Invokes functions by AWS's API. How long it waits for a result is its caller's to say.
#[derive(Debug, Clone)]
pub struct LambdaFunctions {
    client: Client,
}

/// What a function that failed returns, whatever it is written in.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FunctionFailure {
    error_type: String,
    error_message: String,
}

impl LambdaFunctions {
    /// Functions of the account and region of `aws`; `connect` is how long a connection may take.
    pub fn new(aws: &Aws, connect: Duration) -> LambdaFunctions {
        let timeouts = TimeoutConfig::builder().connect_timeout(connect).build();
        let config = Builder::from(aws.config())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            // A function that computes sends nothing for as long as it does.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        LambdaFunctions { client: Client::from_conf(config) }
    }
}

#[async_trait]
impl Functions for LambdaFunctions {
    async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, InvokeError> {
        let call = self.client.invoke().function_name(function).payload(Blob::new(event));
        let output = call.send().await.map_err(why)?;
        result(output)
    }
}

/// What the function returned. A function error comes with the status 200.
fn result(output: InvokeOutput) -> Result<Bytes, InvokeError> {
    let payload = output.payload.map(Blob::into_inner).unwrap_or_default();
    if output.function_error.is_none() {
        return Ok(Bytes::from(payload));
    }
    let failure: FunctionFailure = serde_json::from_slice(&payload).unwrap_or_default();
    Err(match failure.error_type.as_str() {
        "Function.ResponseSizeTooLarge" => InvokeError::TooLong,
        "Sandbox.Timedout" => InvokeError::Timeout,
        // Older runtimes say it in words only.
        "" if failure.error_message.contains("Task timed out") => InvokeError::Timeout,
        _ => {
            let FunctionFailure { error_type, error_message } = &failure;
            let what = format!("{error_type}: {error_message}");
            InvokeError::Function(what.chars().take(SHOWN_CHARS_MAX).collect())
        }
    })
}

/// Why there is no output.
fn why(error: SdkError<ServiceError, HttpResponse>) -> InvokeError {
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (error.as_service_error(), status) {
        (Some(service), _) if is_throttled(service) => InvokeError::Throttled,
        (_, Some(429)) => InvokeError::Throttled,
        (
            Some(
                ServiceError::RequestTooLargeException(_)
                | ServiceError::SerializedRequestEntityTooLargeException(_),
            ),
            _,
        )
        | (_, Some(413)) => InvokeError::TooLong,
        (Some(_), Some(400..500)) => InvokeError::Rejected(error.into()),
        _ => unanswered(error),
    }
}

/// Lambda has no room for one more.
fn is_throttled(service: &ServiceError) -> bool {
    matches!(
        service,
        ServiceError::TooManyRequestsException(_)
            | ServiceError::Ec2ThrottledException(_)
            | ServiceError::EniLimitReachedException(_)
            | ServiceError::SubnetIpAddressLimitReachedException(_)
    )
}

/// Of a call that Lambda did not answer, or answered that it failed itself.
fn unanswered(error: SdkError<ServiceError, HttpResponse>) -> InvokeError {
    match &error {
        // Nothing was sent.
        SdkError::ConstructionFailure(_) => InvokeError::Rejected(error.into()),
        SdkError::TimeoutError(_)
        | SdkError::DispatchFailure(_)
        | SdkError::ResponseError(_)
        | SdkError::ServiceError(_)
        | _ => InvokeError::Unavailable(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(payload: &str) -> InvokeError {
        let output = InvokeOutput::builder()
            .function_error("Unhandled")
            .payload(Blob::new(payload.as_bytes()))
            .build();
        result(output).unwrap_err()
    }

    #[test]
    fn a_function_error_says_what_happened() {
        let timeout = r#"{"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error"}"#;
        assert!(matches!(failed(timeout), InvokeError::Timeout));
        let timeout = r#"{"errorMessage": "2026-11-22 1 Task timed out after 3.00 seconds"}"#;
        assert!(matches!(failed(timeout), InvokeError::Timeout));
        let long = r#"{"errorType": "Function.ResponseSizeTooLarge", "errorMessage": ""}"#;
        assert!(matches!(failed(long), InvokeError::TooLong));
        let exit = r#"{"errorType": "Runtime.ExitError", "errorMessage": "exit status 3"}"#;
        assert_eq!(
            failed(exit).to_string(),
            "the function failed: Runtime.ExitError: exit status 3"
        );
        assert_eq!(failed("no JSON").to_string(), "the function failed: : ");
    }
}
