//! The newest rows of a route: queries of its shards in parallel, day by day.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use weighbridge_proxy::store::{StoreError, StoredObservation};

use super::item::{Item, get_text, text};
use super::keys::{self, SORT};
use super::{REQUESTS_MAX, Shared, errors, item};

/// What was asked for.
pub(super) type RecentKey = (String, usize, u64);

const MINUTE: Duration = Duration::from_mins(1);

/// Rows more than its part that each shard is asked for, since they do not hold equally many.
const SLACK: usize = 8;

/// One partition while it is read, newest first.
#[derive(Debug)]
struct Shard {
    partition: String,
    items: Vec<Item>,
    /// Where to go on.
    next: Option<HashMap<String, AttributeValue>>,
    is_begun: bool,
}

/// The newest `limit` rows of `route` since `since`, oldest first, as they were a moment ago.
pub(super) async fn cached(
    shared: &Shared,
    route: &str,
    limit: usize,
    since: SystemTime,
) -> Result<Vec<StoredObservation>, StoreError> {
    // To the minute, and never later, so that what moves with the clock is one question for a
    // while.
    let minute = keys::micros(since) / MINUTE.as_micros() as u64;
    let from = UNIX_EPOCH.checked_add(MINUTE.saturating_mul(minute as u32)).unwrap_or(UNIX_EPOCH);
    let load = Box::pin(load(shared, route, limit, from));
    let key = (route.to_owned(), limit, minute);
    let rows = shared.recent.try_get_with(key, load).await.map_err(errors::shared)?;
    Ok(rows.iter().filter(|row| since <= row.at).cloned().collect())
}

async fn load(
    shared: &Shared,
    route: &str,
    limit: usize,
    since: SystemTime,
) -> Result<Arc<[StoredObservation]>, StoreError> {
    let today = keys::day(SystemTime::now());
    let days = u64::from(shared.days_max) - 1;
    let first = keys::day(since).max(today.saturating_sub(days));
    let mut items = Vec::new();
    // A clock that is ahead of this one may have begun the next day.
    for day in (first..=today + 1).rev() {
        items.extend(of_day(shared, route, day, limit - items.len(), since).await?);
        if limit <= items.len() {
            break;
        }
    }
    let mut rows = Vec::with_capacity(items.len());
    for item in items.iter().rev() {
        let Some(hash) = get_text(item, "names") else { continue };
        let names = shared.names.get(shared, hash).await?;
        rows.extend(item::read(item, names));
    }
    Ok(rows.into())
}

/// The newest `limit` of one day, newest first.
async fn of_day(
    shared: &Shared,
    route: &str,
    day: u64,
    limit: usize,
    since: SystemTime,
) -> Result<Vec<Item>, StoreError> {
    let shard = |shard| Shard {
        partition: keys::partition(route, day, shard),
        items: Vec::new(),
        next: None,
        is_begun: false,
    };
    let mut shards: Vec<Shard> = (0..shared.shards).map(shard).collect();
    let page = limit / shards.len() + SLACK;
    let since = keys::since(since);
    loop {
        let bar = bar(&shards, limit);
        let reads = shards.into_iter().map(|shard| async {
            let (mut shard, since) = (shard, since.as_str());
            if shard.may_have(bar.as_deref()) {
                shard.read(shared, since, page).await?;
            }
            Ok::<_, StoreError>(shard)
        });
        shards = stream::iter(reads).buffered(REQUESTS_MAX).try_collect().await?;
        let bar = self::bar(&shards, limit);
        if !shards.iter().any(|shard| shard.may_have(bar.as_deref())) {
            break;
        }
    }
    let mut items: Vec<Item> = shards.into_iter().flat_map(|shard| shard.items).collect();
    items.sort_by(|a, b| sort(b).cmp(sort(a)));
    items.truncate(limit);
    Ok(items)
}

/// The sort key of the `limit`th newest of what has been read; `None` while there are fewer.
fn bar(shards: &[Shard], limit: usize) -> Option<String> {
    let mut all: Vec<&str> = shards.iter().flat_map(|shard| &shard.items).map(sort).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.get(limit.checked_sub(1)?).map(|&sort| sort.to_owned())
}

fn sort(item: &Item) -> &str {
    get_text(item, SORT).unwrap_or_default()
}

// === impl Shard ===

impl Shard {
    /// Whether it may have a row that is newer than `bar` and has not been read.
    fn may_have(&self, bar: Option<&str>) -> bool {
        let has_more = !self.is_begun || self.next.is_some();
        let oldest = self.items.last().map(sort);
        has_more && bar.zip(oldest).is_none_or(|(bar, oldest)| bar < oldest)
    }

    async fn read(&mut self, shared: &Shared, since: &str, page: usize) -> Result<(), StoreError> {
        let query = shared
            .client
            .query()
            .table_name(&shared.tables.observations)
            .key_condition_expression("pk = :pk AND :since <= sk")
            .expression_attribute_values(":pk", text(&self.partition))
            .expression_attribute_values(":since", text(since))
            .scan_index_forward(false)
            .limit(i32::try_from(page).unwrap_or(i32::MAX))
            .set_exclusive_start_key(self.next.take());
        let found = query.send().await.map_err(errors::told)?;
        self.is_begun = true;
        self.next = found.last_evaluated_key.filter(|key| !key.is_empty());
        self.items.extend(found.items.unwrap_or_default());
        Ok(())
    }
}
