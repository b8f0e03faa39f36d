//! Writes rows in batches of 25, several at once.

use std::time::Duration;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;
use weighbridge_proxy::backoff::Backoff;
use weighbridge_proxy::store::{StoreError, StoredObservation};

use super::{REQUESTS_MAX, Shared, errors, item};

/// The most that one request may write.
const BATCH_MAX: usize = 25;

/// How often what was left unprocessed is sent again, before the store is told to be throttling.
const TRIES_MAX: u64 = 5;

/// Waits for what was left unprocessed.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), max: Duration::from_secs(1) };

/// Some of a batch was not taken, again and again.
#[derive(Debug, thiserror::Error)]
#[error("{0} of a batch are still unprocessed")]
struct Unprocessed(usize);

/// Writes `rows`. After an error some of them may have been written.
pub(super) async fn append(shared: &Shared, rows: &[StoredObservation]) -> Result<(), StoreError> {
    let mut writes = FuturesUnordered::new();
    let mut names: Option<(&StoredObservation, String)> = None;
    for rows in rows.chunks(BATCH_MAX) {
        let mut batch = Vec::with_capacity(rows.len());
        for row in rows {
            // Rows of a route share their names, and mostly come together.
            let hash = match names.take() {
                Some((of, hash)) if of.feature_names == row.feature_names => hash,
                Some(_) | None => shared.names.keep(shared, &row.feature_names).await?,
            };
            batch.push(put(shared, row, &hash)?);
            names = Some((row, hash));
        }
        if REQUESTS_MAX <= writes.len() {
            writes.try_next().await?;
        }
        writes.push(write(shared, batch));
    }
    writes.try_collect().await
}

/// What writes `row`, whose features' names have the hash `names`.
fn put(shared: &Shared, row: &StoredObservation, names: &str) -> Result<WriteRequest, StoreError> {
    let item = item::write(row, names, shared.shards, shared.ttl);
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.map_err(|cause| StoreError::Refused(Box::new(cause)))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

/// Writes one batch, and again what was left of it.
async fn write(shared: &Shared, mut batch: Vec<WriteRequest>) -> Result<(), StoreError> {
    let table = &shared.tables.observations;
    for tries in 1..=TRIES_MAX {
        let request = shared.client.batch_write_item().request_items(table, batch);
        let written = request.send().await.map_err(errors::told)?;
        let mut left = written.unprocessed_items.unwrap_or_default();
        batch = left.remove(table).unwrap_or_default();
        if batch.is_empty() {
            return Ok(());
        }
        if tries < TRIES_MAX {
            sleep(BACKOFF.wait(tries)).await;
        }
    }
    Err(StoreError::Throttled(Box::new(Unprocessed(batch.len()))))
}
