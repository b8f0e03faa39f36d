//! Writes that others are in the way of are tried again for a while: DynamoDB refuses a write while
//! a transaction has its item.

use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use tokio::time::sleep;

use weighbridge_proxy::backoff::Backoff;

use super::errors::{self, Refused};
use super::{Result, Shared};

/// How often.
const TRIES_MAX: u64 = 8;

/// Between two tries.
const BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(20), max: Duration::from_millis(500) };

/// Does `write`, and again while others are in its way. `Err` of the part whose condition did not
/// hold.
pub(super) async fn again<T, F>(write: impl Fn() -> F) -> Result<std::result::Result<T, usize>>
where
    F: Future<Output = std::result::Result<T, Refused>>,
{
    let mut tries = 1;
    loop {
        match write().await {
            Ok(done) => return Ok(Ok(done)),
            Err(Refused::Condition(nth)) => return Ok(Err(nth)),
            Err(Refused::Busy(_)) if tries < TRIES_MAX => sleep(BACKOFF.wait(tries)).await,
            Err(Refused::Busy(error) | Refused::Failed(error)) => return Err(error),
        }
        tries += 1;
    }
}

/// Does all of `writes`, or none of them.
pub(super) async fn transact(
    shared: &Shared,
    writes: Vec<TransactWriteItem>,
) -> Result<std::result::Result<(), usize>> {
    let request = shared.client.transact_write_items().set_transact_items(Some(writes));
    again(|| {
        let sending = request.clone().send();
        async move {
            match sending.await {
                Ok(_) => Ok(()),
                Err(error) => Err(errors::of_transaction(&error)),
            }
        }
    })
    .await
}
