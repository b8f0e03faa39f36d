//! New jobs: the job, its request and what tells its repeats in one transaction.

use std::fmt::Write as _;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use weighbridge_core::jobs::JobId;
use weighbridge_proxy::jobs::ledger::{Created, Found, Kept, LedgerError, NewJob, RepeatKey};

use super::super::item::{Item, get_text, text};
use super::{Result, Shared, attempts, find, look, row, write};

/// A key whose job is gone is looked at again so often.
const LOOKS_MAX: usize = 3;

/// Keeps a new job.
pub(super) async fn create(shared: &Shared, new: &NewJob) -> Result<Created> {
    for _ in 0..LOOKS_MAX {
        if let Some(key) = &new.key
            && let Some(there) = by_key(shared, key).await?
        {
            return Ok(there);
        }
        if let Some(limit) = look::exceeded(shared, &new.kept).await? {
            return Ok(Created::Full(limit));
        }
        if let Some(kept) = put(shared, new).await? {
            return Ok(Created::Kept(kept));
        }
    }
    Err(LedgerError::Away("others come with the same key".to_owned()))
}

/// Writes it; `None` where somebody else came with the same key meanwhile.
async fn put(shared: &Shared, new: &NewJob) -> Result<Option<Kept>> {
    let mut kept = new.kept.clone();
    kept.job.version += 1;
    let nonce = fastrand::u64(..);
    let mut writes = vec![
        insert(shared, job(shared, new, (&kept, nonce))?)?,
        insert(shared, row::message(kept.job.id, row::REQUEST, &new.request))?,
    ];
    if let Some(key) = &new.key {
        writes.push(insert(shared, key_item(key, kept.job.id))?);
    }
    match attempts::transact(shared, writes).await? {
        Ok(()) => {}
        Err(_) if find::is_own(shared, kept.job.id, nonce).await? => {}
        Err(2) => return Ok(None),
        Err(_) => return Err(LedgerError::Damaged(format!("there is a job {}", kept.job.id))),
    }
    shared.looks.created(&kept);
    Ok(Some(kept))
}

fn job(shared: &Shared, new: &NewJob, (kept, nonce): (&Kept, u64)) -> Result<Item> {
    let mut item = row::key(row::partition(kept.job.id), row::JOB);
    for (name, value) in row::attributes(kept, nonce)? {
        item.extend(value.map(|value| (name.to_owned(), value)));
    }
    item.insert("n".to_owned(), row::numbered(shared.next_number()));
    item.extend(new.key.map(|key| (row::KEY.to_owned(), text(hex(&key.key)))));
    Ok(item)
}

fn key_item(key: &RepeatKey, id: JobId) -> Item {
    let mut item = row::key(key_partition(&hex(&key.key)), row::KEY);
    item.insert("payload".to_owned(), AttributeValue::B(Blob::new(key.payload)));
    item.insert("job".to_owned(), text(id.to_string()));
    item
}

/// Writes `item` where there is none of its key.
fn insert(shared: &Shared, item: Item) -> Result<TransactWriteItem> {
    write::one(shared, write::put(item).condition_expression("attribute_not_exists(pk)"))
}

/// The partition of the key with the hash `hash`.
pub(super) fn key_partition(hash: &str) -> String {
    format!("key#{hash}")
}

/// The job of a repeat.
async fn by_key(shared: &Shared, key: &RepeatKey) -> Result<Option<Created>> {
    let at = row::key(key_partition(&hex(&key.key)), row::KEY);
    let Some(item) = find::get_item(shared, at).await? else { return Ok(None) };
    let payload = item.get("payload").and_then(|payload| payload.as_b().ok());
    let is_same = payload.is_some_and(|payload| payload.as_ref() == key.payload);
    let id = get_text(&item, "job").and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| LedgerError::Damaged("a key has no job".to_owned()))?;
    Ok(match find::get(shared, id).await? {
        Found::Kept(kept) if is_same => Some(Created::Same(*kept)),
        Found::Kept(_) => Some(Created::Conflict),
        // It was forgotten since the key was read, and the key with it.
        Found::Forgotten | Found::Unknown => None,
    })
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::with_capacity(2 * hash.len()), |mut text, byte| {
        // Writing to memory cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
