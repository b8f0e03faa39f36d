//! Jobs to items and back.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;

use weighbridge_core::jobs::JobId;
use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{Kept, LedgerError, Message};

use super::super::item::{Item, get, get_text, number, real, text};
use super::super::keys::{PARTITION, SORT};
use super::Result;

/// The sort key of a job's own item.
pub(super) const JOB: &str = "job";

/// The sort key of what it was asked.
pub(super) const REQUEST: &str = "request";

/// The sort key of what it came to.
pub(super) const ANSWER: &str = "answer";

/// Which job it is, as JSON.
pub(super) const KEPT: &str = "kept";

/// How often it has been written.
pub(super) const VERSION: &str = "version";

/// Which write was the last: one whose answer was lost is known by it.
pub(super) const NONCE: &str = "nonce";

/// The hash of the client's key, where it gave one.
pub(super) const KEY: &str = "key";

/// The parts that the indexes of all jobs are spread over.
pub(super) const SHARDS: u128 = 4;

/// An attribute and its value; `None`: it has none.
pub(super) type Attribute = (&'static str, Option<AttributeValue>);

/// The partition of all that is kept of the job `id`.
pub(super) fn partition(id: JobId) -> String {
    format!("job#{id}")
}

/// The key of an item.
pub(super) fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    Item::from([(PARTITION.to_owned(), text(partition)), (SORT.to_owned(), text(sort))])
}

/// The part of the indexes in which the job `id` is found.
pub(super) fn shard(id: JobId) -> String {
    (id.to_bits() % SHARDS).to_string()
}

/// What changes with every write of `kept`.
pub(super) fn attributes(kept: &Kept, nonce: u64) -> Result<Vec<Attribute>> {
    let job = &kept.job;
    let json = serde_json::to_string(kept).map_err(|error| damaged(&error))?;
    let not_before = job.state.not_before();
    Ok(vec![
        (KEPT, Some(text(json))),
        (VERSION, Some(number(job.version))),
        (NONCE, Some(number(nonce))),
        ("shard", Some(text(shard(job.id)))),
        ("tick_at", Some(nanos(kept.tick_at))),
        ("phase", Some(text(job.state.phase().name()))),
        ("route", Some(text(&kept.route))),
        ("fleet", Some(text(&kept.fleet))),
        ("bytes", Some(number(kept.bytes()))),
        ("rank", Some(number(job.rank()))),
        ("work", Some(real(job.work.as_cpu_secs()))),
        ("overdue_at", Some(nanos(kept.overdue_at))),
        ("line", not_before.map(|_| text(&kept.fleet))),
        ("not_before", not_before.map(nanos)),
    ])
}

/// The item of a message of the job `id`.
pub(super) fn message(id: JobId, sort: &str, message: &Message) -> Item {
    let mut item = key(partition(id), sort);
    let blob = |bytes: &[u8]| AttributeValue::B(Blob::new(bytes));
    item.insert("head".to_owned(), blob(&message.head));
    if let Some(body) = &message.body {
        item.insert("body".to_owned(), blob(body));
    }
    item
}

/// The message in `item`.
pub(super) fn read_message(item: &Item) -> Result<Message> {
    let bytes = |name: &str| Some(item.get(name)?.as_b().ok()?.as_ref().to_vec());
    let head = bytes("head").ok_or_else(|| LedgerError::Damaged("a message has no head".into()))?;
    Ok(Message { head, body: bytes("body").map(Bytes::from) })
}

/// The job in `item`.
pub(super) fn read(item: &Item) -> Result<Kept> {
    let missing = || LedgerError::Damaged("an item of a job has no `kept`".to_owned());
    let json = get_text(item, KEPT).ok_or_else(missing)?;
    serde_json::from_str(json).map_err(|error| damaged(&error))
}

/// The job whose item or message has the key in `item`.
pub(super) fn id(item: &Item) -> Option<JobId> {
    get_text(item, PARTITION)?.strip_prefix("job#")?.parse().ok()
}

/// A time.
pub(super) fn nanos(time: Time) -> AttributeValue {
    number(time.as_nanos())
}

/// The time in the attribute `name`.
pub(super) fn time(item: &Item, name: &str) -> Option<Time> {
    get(item, name).map(Time::from_nanos)
}

/// The number of a job or callback. Those that are given are positive.
pub(super) fn numbered(n: i64) -> AttributeValue {
    number(n.unsigned_abs())
}

fn damaged(error: &serde_json::Error) -> LedgerError {
    LedgerError::Damaged(error.to_string())
}
