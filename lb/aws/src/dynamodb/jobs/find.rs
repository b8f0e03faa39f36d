//! Jobs that are looked for: one by its id, those that are due, and lists.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::future::try_join_all;
use tokio::time::sleep;

use weighbridge_core::jobs::JobId;
use weighbridge_core::units::Time;
use weighbridge_proxy::backoff::Backoff;
use weighbridge_proxy::jobs::ledger::{Due, Filter, Found, Kept, LedgerError, Message, Page};

use super::super::item::{self, Item, text};
use super::{Result, Shared, errors, forget, row};

/// The most items that one request may read.
const BATCH_MAX: usize = 100;

/// Items that are looked at with one request, at least: many of them may be filtered out.
const PAGE_MIN: usize = 100;

/// How often what was left unprocessed is asked for again.
const TRIES_MAX: u64 = 6;

/// Between two tries.
const BACKOFF: Backoff = Backoff {
    base: std::time::Duration::from_millis(30),
    max: std::time::Duration::from_millis(500),
};

/// The item with `key`.
pub(super) async fn get_item(shared: &Shared, key: Item) -> Result<Option<Item>> {
    let get = shared.client.get_item().table_name(&shared.table).consistent_read(true);
    let got = get.set_key(Some(key)).send().await.map_err(|error| errors::told(&error))?;
    Ok(got.item)
}

/// The job `id`.
pub(super) async fn get(shared: &Shared, id: JobId) -> Result<Found> {
    if let Some(item) = get_item(shared, row::key(row::partition(id), row::JOB)).await? {
        return Ok(Found::Kept(Box::new(row::read(&item)?)));
    }
    let was = get_item(shared, forget::key(id)).await?.is_some();
    Ok(if was { Found::Forgotten } else { Found::Unknown })
}

/// Whether the last write of the job `id` was the one with `nonce`: then it was refused because its
/// own first try had stood already.
pub(super) async fn is_own(shared: &Shared, id: JobId, nonce: u64) -> Result<bool> {
    let found = get_item(shared, row::key(row::partition(id), row::JOB)).await?;
    Ok(found.and_then(|found| item::get(&found, row::NONCE)) == Some(nonce))
}

/// The message of the job `id` that has the sort key `sort`.
pub(super) async fn message(shared: &Shared, id: JobId, sort: &str) -> Result<Option<Message>> {
    let item = get_item(shared, row::key(row::partition(id), sort)).await?;
    item.as_ref().map(row::read_message).transpose()
}

/// The jobs `ids` as they are now, in no order. Those that are gone are left out.
pub(super) async fn jobs(shared: &Shared, ids: &[JobId]) -> Result<Vec<Kept>> {
    let keys = ids.iter().map(|id| row::key(row::partition(*id), row::JOB)).collect();
    items(shared, keys).await?.iter().map(row::read).collect()
}

/// The items with `keys` as they are now, in no order. Those that are gone are left out.
pub(super) async fn items(shared: &Shared, keys: Vec<Item>) -> Result<Vec<Item>> {
    let parts = keys.chunks(BATCH_MAX).map(|part| batch(shared, part.to_vec()));
    Ok(try_join_all(parts).await?.concat())
}

async fn batch(shared: &Shared, mut keys: Vec<Item>) -> Result<Vec<Item>> {
    let mut found = Vec::with_capacity(keys.len());
    for tries in 1.. {
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
        let wanted = wanted.build().map_err(super::write::unbuilt)?;
        let request = shared.client.batch_get_item().request_items(&shared.table, wanted);
        let got = request.send().await.map_err(|error| errors::told(&error))?;
        found.extend(
            got.responses.and_then(|mut all| all.remove(&shared.table)).unwrap_or_default(),
        );
        keys = match got.unprocessed_keys.and_then(|mut all| all.remove(&shared.table)) {
            Some(left) if !left.keys.is_empty() => left.keys,
            Some(_) | None => break,
        };
        if TRIES_MAX <= tries {
            return Err(LedgerError::Away("DynamoDB: items are still unprocessed".to_owned()));
        }
        sleep(BACKOFF.wait(tries)).await;
    }
    Ok(found)
}

/// The jobs whose time to be looked at has come, the first ones first.
pub(super) async fn due(shared: &Shared, now: Time, most: usize) -> Result<Vec<Due>> {
    let parts = (0..row::SHARDS).map(|shard| async move {
        let query = of_index(shared, "tick", ("shard", "tick_at"), &shard.to_string())
            .key_condition_expression("#hash = :hash AND #range <= :now")
            .expression_attribute_values(":now", row::nanos(now));
        first(query, most).await
    });
    let found = try_join_all(parts).await?.concat();
    let mut ids: Vec<(Option<Time>, JobId)> = found
        .iter()
        .filter_map(|item| Some((row::time(item, "tick_at"), row::id(item)?)))
        .collect();
    ids.sort_unstable();
    let ids: Vec<JobId> = ids.into_iter().take(most).map(|(_, id)| id).collect();
    // The index may be a moment behind.
    let mut due = jobs(shared, &ids).await?;
    due.retain(|kept| kept.tick_at <= now);
    due.sort_by_key(|kept| kept.tick_at);
    Ok(due.into_iter().map(|kept| Due { kept, owner_is_gone: false }).collect())
}

/// A part of the list of jobs.
pub(super) async fn list(shared: &Shared, filter: &Filter) -> Result<Page> {
    let before = filter.before.unwrap_or(i64::MAX);
    let parts = (0..row::SHARDS).map(|shard| async move {
        let mut query = of_index(shared, "new", ("shard", "n"), &shard.to_string())
            .key_condition_expression("#hash = :hash AND #range < :before")
            .expression_attribute_values(":before", row::numbered(before))
            .scan_index_forward(false);
        let mut conditions = Vec::new();
        let phase = filter.phase.map(|phase| ("phase", phase.name()));
        for (name, value) in phase.into_iter().chain(filter.route.as_deref().map(|r| ("route", r)))
        {
            conditions.push(format!("#{name} = :{name}"));
            query = query
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), text(value));
        }
        let is_filtered = !conditions.is_empty();
        let condition = is_filtered.then(|| conditions.join(" AND "));
        first(query.set_filter_expression(condition), filter.most).await
    });
    let found = try_join_all(parts).await?.concat();
    let mut ids: Vec<(i64, JobId)> =
        found.iter().filter_map(|item| Some((n(item)?, row::id(item)?))).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(filter.most);
    let next = ids.last().map(|(n, _)| *n).filter(|_| ids.len() == filter.most);
    let wanted: Vec<JobId> = ids.iter().map(|(_, id)| *id).collect();
    let kept = jobs(shared, &wanted).await?;
    let mut by_id: HashMap<JobId, Kept> =
        kept.into_iter().map(|kept| (kept.job.id, kept)).collect();
    let jobs = wanted.iter().filter_map(|id| by_id.remove(id)).collect();
    Ok(Page { jobs, next })
}

fn n(found: &Item) -> Option<i64> {
    item::get(found, "n")
}

/// A query of `index` with those keys, in its partition `hash`; they are `#hash` and `#range`.
pub(super) fn of_index(
    shared: &Shared,
    index: &str,
    (hash_key, range_key): (&str, &str),
    hash: &str,
) -> QueryFluentBuilder {
    shared
        .client
        .query()
        .table_name(&shared.table)
        .index_name(index)
        .expression_attribute_names("#hash", hash_key)
        .expression_attribute_names("#range", range_key)
        .expression_attribute_values(":hash", text(hash))
}

/// The first `most` that `query` finds.
pub(super) async fn first(query: QueryFluentBuilder, most: usize) -> Result<Vec<Item>> {
    let mut found = Vec::new();
    let mut next = None;
    while found.len() < most {
        let page = i32::try_from(most.max(PAGE_MIN)).unwrap_or(i32::MAX);
        let query = query.clone().limit(page).set_exclusive_start_key(next);
        let got = query.send().await.map_err(|error| errors::told(&error))?;
        found.extend(got.items.unwrap_or_default());
        next = got.last_evaluated_key.filter(|key| !key.is_empty());
        if next.is_none() {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
}
