//! What DynamoDB's errors mean: pass, need an operator, or never will.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use weighbridge_proxy::store::StoreError;

/// It takes no more for now.
const THROTTLED: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "LimitExceededException",
];

/// The same request is refused for ever.
const REFUSED: [&str; 3] =
    ["ValidationException", "ItemCollectionSizeLimitExceededException", "SerializationException"];

/// Credentials or permissions.
pub(super) const DENIED: [&str; 8] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "UnrecognizedClientException",
];

/// `error` as the balancer sees it. What is not known may pass.
pub(super) fn told<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    let is_one_of = |codes: &[&str]| error.code().is_some_and(|code| codes.contains(&code));
    let of_code = if is_one_of(&THROTTLED) {
        StoreError::Throttled
    } else if is_one_of(&REFUSED) {
        StoreError::Refused
    } else if is_one_of(&DENIED) {
        StoreError::Denied
    } else {
        StoreError::Away
    };
    of_code(Box::new(error))
}

/// Whether `error` says `code`.
pub(super) fn says<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, code: &str) -> bool {
    error.code() == Some(code)
}

/// The same for each of several that waited for one answer.
pub(super) fn shared(error: Arc<StoreError>) -> StoreError {
    Arc::try_unwrap(error).unwrap_or_else(|error| match &*error {
        StoreError::Throttled(_) => StoreError::Throttled(Box::new(Shared(error))),
        StoreError::Denied(_) => StoreError::Denied(Box::new(Shared(error))),
        StoreError::Refused(_) => StoreError::Refused(Box::new(Shared(error))),
        _ => StoreError::Away(Box::new(Shared(error))),
    })
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Shared(Arc<StoreError>);
