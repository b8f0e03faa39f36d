//! Observations and models to rows and back.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};

use super::super::{StoreError, StoredModel, StoredObservation};

const APPEND: &str = "
INSERT OR IGNORE INTO observations (
    row_id, route, at_us, host, status, waiting_us, response_us, features, estimate_mean, estimate_p90,
    work, speed, instructions, basic_blocks, methods, cpu_seconds, bytes_allocated, build
) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

const RECENT: &str = "
SELECT * FROM observations WHERE route = ?1 AND ?2 <= at_us ORDER BY at_us DESC, id DESC LIMIT ?3";

const SAVE_MODEL: &str = "
INSERT OR REPLACE INTO models (route, at_us, feature_names, model) VALUES (?1, ?2, ?3, ?4)";

const NEXT_ROUTE: &str = "SELECT min(route) FROM observations WHERE ?1 < route";

const NTH_NEWEST: &str = "
SELECT at_us FROM observations WHERE route = ?1 ORDER BY at_us DESC LIMIT 1 OFFSET ?2";

const EXPIRE: &str = "
DELETE FROM observations WHERE id IN (
    SELECT id FROM observations WHERE route = ?1 AND at_us < ?2 ORDER BY at_us LIMIT ?3
)";

/// Adds `rows` in one transaction, except those that exist.
pub(super) fn append(
    connection: &mut Connection,
    rows: &[StoredObservation],
) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let mut statement = transaction.prepare_cached(APPEND)?;
    for row in rows {
        let named: Vec<(&str, f64)> = row
            .feature_names
            .iter()
            .map(String::as_str)
            .zip(row.features.0.iter().copied())
            .collect();
        let estimated = |of: fn(&(Work, Work)) -> Work| {
            row.estimated.as_ref().map(|estimate| of(estimate).as_cpu_secs())
        };
        statement.execute(params![
            row.id.cast_signed(),
            row.route,
            since_epoch(row.at),
            row.host,
            row.status,
            micros(row.waiting),
            micros(row.response),
            serde_json::to_string(&named)?,
            estimated(|estimate| estimate.0),
            estimated(|estimate| estimate.1),
            row.work.as_cpu_secs(),
            row.speed.as_reference_cores(),
            row.cost.instructions,
            row.cost.basic_blocks,
            row.cost.methods,
            row.cost.cpu_seconds,
            row.cost.bytes_allocated,
            row.build.cast_signed(),
        ])?;
    }
    drop(statement);
    Ok(transaction.commit()?)
}

/// The newest `limit` of `route` since `since`, the oldest of them first. Rows that cannot be read
/// are left out.
pub(super) fn recent(
    connection: &mut Connection,
    route: &str,
    limit: usize,
    since: SystemTime,
) -> Result<Vec<StoredObservation>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(RECENT)?;
    let rows = statement.query_map(params![route, since_epoch(since), limit], observation)?;
    let mut found: Vec<StoredObservation> =
        rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    found.reverse();
    Ok(found)
}

pub(super) fn save_model(
    connection: &mut Connection,
    route: &str,
    model: &StoredModel,
) -> Result<(), StoreError> {
    let names = serde_json::to_string(&model.feature_names)?;
    connection.execute(SAVE_MODEL, params![route, since_epoch(model.at), names, model.json])?;
    Ok(())
}

/// The model of `route`; `None` too where it cannot be read.
pub(super) fn model(
    connection: &mut Connection,
    route: &str,
) -> Result<Option<StoredModel>, StoreError> {
    let select = "SELECT at_us, feature_names, model FROM models WHERE route = ?1";
    let mut statement = connection.prepare_cached(select)?;
    let mut rows = statement.query([route])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let names: String = row.get("feature_names")?;
    let Ok(feature_names) = serde_json::from_str(&names) else { return Ok(None) };
    let at = from_epoch(row.get("at_us")?);
    Ok(Some(StoredModel { at, feature_names, json: row.get("model")? }))
}

/// The first route after `route` that has observations.
pub(super) fn next_route(
    connection: &mut Connection,
    route: &str,
) -> Result<Option<String>, StoreError> {
    Ok(connection.query_row(NEXT_ROUTE, [route], |row| row.get(0))?)
}

/// Deletes at most `limit` of `route` from before `older_than`, and none of its newest `kept`.
pub(super) fn expire(
    connection: &mut Connection,
    route: &str,
    older_than: SystemTime,
    (kept, limit): (u64, u64),
) -> Result<u64, StoreError> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let oldest_kept: Option<i64> = connection
        .prepare_cached(NTH_NEWEST)?
        .query_row(params![route, number(kept.saturating_sub(1))], |row| row.get(0))
        .optional()?;
    let Some(oldest_kept) = oldest_kept else { return Ok(0) };
    let before = since_epoch(older_than).min(oldest_kept);
    Ok(connection.execute(EXPIRE, params![route, before, number(limit)])? as u64)
}

/// `None` where the features or the speed cannot be read.
fn observation(row: &Row<'_>) -> rusqlite::Result<Option<StoredObservation>> {
    let features: String = row.get("features")?;
    let Ok(named) = serde_json::from_str::<Vec<(String, f64)>>(&features) else { return Ok(None) };
    let (names, values): (Vec<String>, Vec<f64>) = named.into_iter().unzip();
    let Some(speed) = Speed::from_reference_cores(row.get("speed")?) else { return Ok(None) };
    let work = |column: &str| row.get(column).map(Work::saturating);
    let estimated =
        |column: &str| row.get(column).map(|work: Option<f64>| work.map(Work::saturating));
    Ok(Some(StoredObservation {
        id: row.get::<_, Option<i64>>("row_id")?.unwrap_or(0).cast_unsigned(),
        route: row.get("route")?,
        at: from_epoch(row.get("at_us")?),
        host: row.get("host")?,
        status: row.get("status")?,
        waiting: span(row.get("waiting_us")?),
        response: span(row.get("response_us")?),
        feature_names: Arc::from(names),
        features: Features(values.into()),
        estimated: estimated("estimate_mean")?.zip(estimated("estimate_p90")?),
        cost: RequestCost {
            instructions: row.get("instructions")?,
            basic_blocks: row.get("basic_blocks")?,
            methods: row.get("methods")?,
            cpu_seconds: row.get("cpu_seconds")?,
            bytes_allocated: row.get("bytes_allocated")?,
        },
        work: work("work")?,
        speed,
        build: row.get::<_, i64>("build")?.cast_unsigned(),
    }))
}

fn since_epoch(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, micros)
}

fn from_epoch(us: i64) -> SystemTime {
    UNIX_EPOCH.checked_add(span(us)).unwrap_or(UNIX_EPOCH)
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn span(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}
