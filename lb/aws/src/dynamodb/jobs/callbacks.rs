//! Callbacks: each is an item of its own, in the index of what is to be looked at.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::ReturnValue;

use weighbridge_core::units::Time;
use weighbridge_proxy::jobs::ledger::{Callback, Called, Kept, LedgerError};

use super::super::item::{EXPIRES, Item, get, get_text, number, text};
use super::errors::Refused;
use super::{Result, Shared, attempts, errors, find, row};

/// The part of the index with those that are to be tried.
pub(super) const PENDING: &str = "callbacks";

/// The part with those that were given up.
pub(super) const DEAD: &str = "dead_callbacks";

/// Those that were given up are deleted after this.
const DEAD_FOR: Duration = Duration::from_hours(24 * 30);

/// The sort key of a callback.
const CALLBACK: &str = "callback";

/// A callback to `url` that tells `event` of the end of `kept`.
pub(super) fn item(shared: &Shared, kept: &Kept, (url, event): (&str, String)) -> Item {
    let n = shared.next_number();
    let since = kept.job.finished.unwrap_or(kept.job.received);
    let mut item = key(n);
    item.extend(
        [
            ("n", row::numbered(n)),
            ("shard", text(PENDING)),
            ("tick_at", row::nanos(since)),
            ("job", text(kept.job.id.to_string())),
            ("url", text(url)),
            ("event", text(event)),
            ("tries", number(0_u8)),
            ("since", row::nanos(since)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    item
}

fn key(n: i64) -> Item {
    row::key(format!("{CALLBACK}#{n}"), CALLBACK)
}

/// Takes callbacks that are to be tried.
pub(super) async fn take(
    shared: &Shared,
    now: Time,
    hold: Duration,
    most: usize,
) -> Result<Vec<Callback>> {
    let query = find::of_index(shared, "tick", ("shard", "tick_at"), PENDING)
        .key_condition_expression("#hash = :hash AND #range <= :now")
        .expression_attribute_values(":now", row::nanos(now));
    let mut taken = Vec::new();
    for found in find::first(query, most).await? {
        taken.extend(take_one(shared, &found, now + hold).await?);
    }
    Ok(taken)
}

/// Takes the callback `found` until `until`; `None` where another has.
async fn take_one(shared: &Shared, found: &Item, until: Time) -> Result<Option<Callback>> {
    let Some(seen) = found.get("tick_at").cloned() else { return Ok(None) };
    let key: Item = ["pk", "sk"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), found.get(name)?.clone())))
        .collect();
    let update = shared
        .client
        .update_item()
        .table_name(&shared.table)
        .set_key(Some(key))
        .update_expression("SET #tick_at = :until ADD #tries :one")
        .condition_expression("#tick_at = :seen AND #shard = :pending")
        .expression_attribute_names("#tick_at", "tick_at")
        .expression_attribute_names("#tries", "tries")
        .expression_attribute_names("#shard", "shard")
        .expression_attribute_values(":until", row::nanos(until))
        .expression_attribute_values(":seen", seen)
        .expression_attribute_values(":pending", text(PENDING))
        .expression_attribute_values(":one", number(1_u8))
        .return_values(ReturnValue::AllNew);
    let taken = attempts::again(|| {
        let sending = update.clone().send();
        async move { sending.await.map_err(|error| errors::of_write(&error)) }
    });
    match taken.await? {
        Ok(updated) => updated.attributes.as_ref().map(read).transpose(),
        Err(_) => Ok(None),
    }
}

/// What came of a try of the callback `n`.
pub(super) async fn called(shared: &Shared, n: i64, result: Called) -> Result<()> {
    match result {
        Called::Delivered => {
            let delete = shared.client.delete_item().table_name(&shared.table);
            let deleted = delete.set_key(Some(key(n))).return_values(ReturnValue::AllOld);
            let old = deleted.send().await.map_err(|error| errors::told(&error))?;
            shared.looks.called_for(-i64::from(old.attributes.is_some()));
            Ok(())
        }
        Called::Again(at, reason) => {
            let set = "SET #tick_at = :at, #reason = :reason";
            update(shared, n, (set, vec![(":at", row::nanos(at)), (":reason", text(reason))])).await
        }
        Called::Dead(reason) => {
            let set = "SET #tick_at = :at, #reason = :reason, #shard = :dead, #expires = :expires";
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let values = vec![
                (":at", row::numbered(n)),
                (":reason", text(reason)),
                (":dead", text(DEAD)),
                (":expires", number((now + DEAD_FOR).as_secs())),
            ];
            update(shared, n, (set, values)).await?;
            shared.looks.called_for(-1);
            Ok(())
        }
    }
}

/// Sets attributes of the callback `n`, where there is such a one.
async fn update(
    shared: &Shared,
    n: i64,
    (set, values): (&str, Vec<(&str, aws_sdk_dynamodb::types::AttributeValue)>),
) -> Result<()> {
    let mut update = shared
        .client
        .update_item()
        .table_name(&shared.table)
        .set_key(Some(key(n)))
        .update_expression(set)
        .condition_expression("attribute_exists(pk)");
    let names = [("#tick_at", "tick_at"), ("#reason", "reason"), ("#shard", "shard")];
    for (mark, name) in names.into_iter().chain([("#expires", EXPIRES)]) {
        if set.contains(mark) {
            update = update.expression_attribute_names(mark, name);
        }
    }
    for (mark, value) in values {
        update = update.expression_attribute_values(mark, value);
    }
    match update.send().await.map_err(|error| errors::of_write(&error)) {
        Ok(_) | Err(Refused::Condition(_)) => Ok(()),
        Err(Refused::Busy(error) | Refused::Failed(error)) => Err(error),
    }
}

/// Callbacks that were given up, the newest first.
pub(super) async fn dead(shared: &Shared, most: usize) -> Result<Vec<Callback>> {
    let query = find::of_index(shared, "tick", ("shard", "tick_at"), DEAD)
        .key_condition_expression("#hash = :hash AND :least <= #range")
        .expression_attribute_values(":least", row::numbered(0))
        .scan_index_forward(false);
    let found = find::first(query, most).await?;
    let keys = found
        .iter()
        .filter_map(|item| Some(key(get_text(item, "pk")?.rsplit('#').next()?.parse().ok()?)));
    let mut callbacks: Vec<Callback> =
        find::items(shared, keys.collect()).await?.iter().map(read).collect::<Result<_>>()?;
    callbacks.sort_by_key(|callback| std::cmp::Reverse(callback.n));
    Ok(callbacks)
}

fn read(item: &Item) -> Result<Callback> {
    let read = || {
        Some(Callback {
            n: get(item, "n")?,
            job: get_text(item, "job")?.parse().ok()?,
            url: get_text(item, "url")?.to_owned(),
            event: get_text(item, "event")?.to_owned(),
            tries: get(item, "tries")?,
            since: row::time(item, "since")?,
            reason: get_text(item, "reason").map(str::to_owned),
        })
    };
    read().ok_or_else(|| LedgerError::Damaged("a callback lacks something".to_owned()))
}
