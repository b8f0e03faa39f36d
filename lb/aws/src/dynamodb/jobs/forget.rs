//! Jobs that are no more. The ids of the newest are remembered: each takes the slot of the one that
//! was forgotten so many before it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::{Delete, ReturnValue, TransactWriteItem};

use weighbridge_core::jobs::JobId;
use weighbridge_proxy::jobs::ledger::Kept;

use super::super::item::{EXPIRES, Item, get, get_text, number, text};
use super::{Result, Shared, attempts, create, errors, find, row, write};

/// The partition of which ids are forgotten next.
const SLOTS: &str = "forgotten";

/// An id whose slot was lost with a balancer that died is forgotten after this.
const REMEMBERED: Duration = Duration::from_hours(24 * 90);

/// Where it stands that there was a job `id`.
pub(super) fn key(id: JobId) -> Item {
    row::key(format!("{SLOTS}#{id}"), SLOTS)
}

/// Forgets a job where its version is still the one that is kept.
pub(super) async fn forget(shared: &Shared, kept: &Kept) -> Result<bool> {
    let (id, version) = (kept.job.id, kept.job.version);
    let at = row::key(row::partition(id), row::JOB);
    let Some(found) = find::get_item(shared, at.clone()).await? else { return Ok(false) };
    if get(&found, row::VERSION) != Some(version) {
        return Ok(false);
    }
    let row = delete(shared, at)
        .condition_expression("#version = :version")
        .expression_attribute_names("#version", row::VERSION)
        .expression_attribute_values(":version", number(version));
    let request = delete(shared, row::key(row::partition(id), row::REQUEST));
    let answer = delete(shared, row::key(row::partition(id), row::ANSWER));
    let hash = get_text(&found, row::KEY).map(create::key_partition);
    let client_key = hash.map(|hash| delete(shared, row::key(hash, row::KEY)));
    let mut writes = Vec::with_capacity(5);
    for delete in [Some(row), Some(request), Some(answer), client_key].into_iter().flatten() {
        let delete = delete.build().map_err(write::unbuilt)?;
        writes.push(TransactWriteItem::builder().delete(delete).build());
    }
    if shared.bounds.forgotten_max != 0 {
        writes.push(write::one(shared, write::put(expiring(key(id))))?);
    }
    if attempts::transact(shared, writes).await?.is_err() {
        return Ok(false);
    }
    shared.looks.forgotten(kept);
    shared.requests.invalidate(&id).await;
    if let Err(error) = remember(shared, id).await {
        // The id is remembered for longer than it should be.
        tracing::warn!(job = %id, %error, "the oldest of the forgotten ids stays");
    }
    Ok(true)
}

fn delete(shared: &Shared, key: Item) -> aws_sdk_dynamodb::types::builders::DeleteBuilder {
    Delete::builder().table_name(&shared.table).set_key(Some(key))
}

/// Gives `id` a slot, and forgets that there was the job that had it.
async fn remember(shared: &Shared, id: JobId) -> Result<()> {
    if shared.bounds.forgotten_max == 0 {
        return Ok(());
    }
    let slot = next_slot(shared).await?;
    let mut item = expiring(row::key(SLOTS, format!("slot#{slot}")));
    item.insert("job".to_owned(), text(id.to_string()));
    let put = shared.client.put_item().table_name(&shared.table).set_item(Some(item));
    let put = put.return_values(ReturnValue::AllOld).send().await;
    let old = put.map_err(|error| errors::told(&error))?.attributes;
    let old: Option<JobId> =
        old.and_then(|old| get_text(&old, "job").and_then(|id| id.parse().ok()));
    if let Some(old) = old.filter(|old| *old != id) {
        let delete = shared.client.delete_item().table_name(&shared.table);
        delete.set_key(Some(key(old))).send().await.map_err(|error| errors::told(&error))?;
    }
    Ok(())
}

async fn next_slot(shared: &Shared) -> Result<u64> {
    let update = shared
        .client
        .update_item()
        .table_name(&shared.table)
        .set_key(Some(row::key(SLOTS, "count")))
        .update_expression("ADD #n :one")
        .expression_attribute_names("#n", "forgotten")
        .expression_attribute_values(":one", number(1_u8))
        .return_values(ReturnValue::UpdatedNew);
    let updated = update.send().await.map_err(|error| errors::told(&error))?;
    let nth: u64 = updated.attributes.and_then(|new| get(&new, "forgotten")).unwrap_or_default();
    Ok(nth % shared.bounds.forgotten_max)
}

/// `item`, which DynamoDB deletes when it is old.
fn expiring(mut item: Item) -> Item {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    item.insert(EXPIRES.to_owned(), number((now + REMEMBERED).as_secs()));
    item
}
