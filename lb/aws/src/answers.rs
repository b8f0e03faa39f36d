//! How calls are made, and what their failures mean for who wanted a machine.

use std::error::Error;
use std::time::Duration;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use weighbridge_proxy::fleet::machines::MachineError;

/// Tries of one call, the first one included. Whoever calls tries again later, for longer.
const TRIES_MAX: u32 = 3;

/// The longest that connecting takes, within the whole try.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Codes of there being nothing to rent here and now: of this type, in this zone, for this account.
const NO_CAPACITY: [&str; 10] = [
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InstanceLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "SpotMaxPriceTooLow",
    "Unsupported",
    "VcpuLimitExceeded",
    "ReservationCapacityExceeded",
];

/// Codes of a service that has too much to do, or is out of order.
const UNAVAILABLE: [&str; 10] = [
    "EC2ThrottledException",
    "InternalError",
    "InternalFailure",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ResourceContention",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "Unavailable",
];

/// Whether `code` says that there is nothing to rent here and now.
pub(crate) fn is_no_capacity(code: &str) -> bool {
    NO_CAPACITY.contains(&code)
}

/// Adaptive: while the service throttles, this client slows down by itself.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::adaptive().with_max_attempts(TRIES_MAX)
}

/// Each try takes at most `timeout`.
pub(crate) fn timeouts(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeout.min(CONNECT_MAX))
        .operation_attempt_timeout(timeout)
        .operation_timeout(timeout * (TRIES_MAX + 1))
        .build()
}

/// The code that the service gave, where it answered.
pub(crate) fn code<E>(error: &SdkError<E, HttpResponse>) -> Option<&str>
where
    E: ProvideErrorMetadata,
{
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// What the failure of a call means.
pub(crate) fn failure<E>(error: SdkError<E, HttpResponse>) -> MachineError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let is_construction = matches!(error, SdkError::ConstructionFailure(_));
    let is_server = error.raw_response().is_some_and(|raw| raw.status().is_server_error());
    let answered = error.as_service_error().is_some();
    let code = code(&error).unwrap_or_default();
    if is_no_capacity(code) {
        return MachineError::NoCapacity(Box::new(error));
    }
    let passes = UNAVAILABLE.contains(&code) || is_server || !(answered || is_construction);
    if passes {
        MachineError::Unavailable(Box::new(error))
    } else {
        MachineError::Refused(Box::new(error))
    }
}
