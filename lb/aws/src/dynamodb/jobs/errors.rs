//! What DynamoDB's errors mean to jobs.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;

use weighbridge_proxy::jobs::ledger::LedgerError;

use super::super::errors::DENIED;

/// The condition of a write did not hold.
const CONDITION: &str = "ConditionalCheckFailed";

/// Reasons for which a transaction is to be tried again.
const AGAIN: [&str; 3] =
    ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// Errors of a single write for which it is to be tried again.
const BUSY: [&str; 2] = ["TransactionConflictException", "TransactionInProgressException"];

/// Why a write does not stand.
#[derive(Debug)]
pub(super) enum Refused {
    /// The condition of this part of it did not hold, counted from 0.
    Condition(usize),
    /// Others write the same now.
    Busy(LedgerError),
    /// Something else.
    Failed(LedgerError),
}

/// `error` as the balancer sees it.
pub(super) fn told<E, R>(error: &SdkError<E, R>) -> LedgerError
where
    E: Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    let text = format!("DynamoDB: {}", crate::errors::chain(error));
    let is_denied = error.code().is_some_and(|code| DENIED.contains(&code));
    if is_denied { LedgerError::Denied(text) } else { LedgerError::Away(text) }
}

/// Why a single write does not stand.
pub(super) fn of_write<E, R>(error: &SdkError<E, R>) -> Refused
where
    E: Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    match error.code() {
        Some("ConditionalCheckFailedException") => Refused::Condition(0),
        Some(code) if BUSY.contains(&code) => Refused::Busy(told(error)),
        Some(_) | None => Refused::Failed(told(error)),
    }
}

/// Why a transaction does not stand.
pub(super) fn of_transaction<R>(error: &SdkError<TransactWriteItemsError, R>) -> Refused
where
    R: std::fmt::Debug + 'static,
{
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        Some(_) | None => &[],
    };
    let mut codes = reasons.iter().map(|reason| reason.code().unwrap_or_default());
    if let Some(nth) = codes.clone().position(|code| code == CONDITION) {
        Refused::Condition(nth)
    } else if codes.any(|code| AGAIN.contains(&code)) {
        Refused::Busy(told(error))
    } else {
        of_write(error)
    }
}
