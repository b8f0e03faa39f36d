//! The statements.

use std::collections::BTreeMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use weighbridge_core::jobs::{JobId, LineWork, OwnerId, Phase, Turns};
use weighbridge_core::units::{Time, Work};

use crate::jobs::ledger::{
    Ahead, Bounds, Created, Due, Filter, Found, InLine, JobWrite, Kept, LedgerError, Limit,
    Message, NewJob, Page, RepeatKey, Totals,
};

type Result<T> = std::result::Result<T, LedgerError>;

const INSERT: &str = "INSERT INTO jobs (id, version, phase, fleet, route, not_before, rank, work, \
     overdue_at, tick_at, owner, bytes, is_open, kept) VALUES (:id, :version, :phase, :fleet, \
     :route, :not_before, :rank, :work, :overdue_at, :tick_at, :owner, :bytes, :is_open, :kept)";

const UPDATE: &str = "UPDATE jobs SET version = :version, phase = :phase, fleet = :fleet, \
     route = :route, not_before = :not_before, rank = :rank, work = :work, \
     overdue_at = :overdue_at, tick_at = :tick_at, owner = :owner, bytes = :bytes, \
     is_open = :is_open, kept = :kept WHERE id = :id AND version = :version - 1";

/// Keeps a new job.
pub(super) fn create(connection: &Connection, new: &NewJob, bounds: Bounds) -> Result<Created> {
    if let Some(key) = &new.key
        && let Some(there) = by_key(connection, key)?
    {
        return Ok(there);
    }
    if let Some(limit) = exceeded(connection, &new.kept, bounds)? {
        return Ok(Created::Full(limit));
    }
    let mut kept = new.kept.clone();
    kept.job.version += 1;
    put(connection, INSERT, &kept)?;
    let n = connection.last_insert_rowid();
    let body = new.request.body.as_deref();
    connection.prepare_cached("INSERT INTO requests VALUES (?1, ?2, ?3)")?.execute(params![
        n,
        new.request.head,
        body
    ])?;
    if let Some(RepeatKey { key, payload }) = &new.key {
        connection
            .prepare_cached("INSERT INTO keys VALUES (?1, ?2, ?3)")?
            .execute(params![key, payload, n])?;
    }
    Ok(Created::Kept(kept))
}

/// The job of a repeat.
fn by_key(connection: &Connection, key: &RepeatKey) -> Result<Option<Created>> {
    let found: Option<(Vec<u8>, String)> = connection
        .prepare_cached("SELECT payload, kept FROM keys JOIN jobs USING (n) WHERE key = ?1")?
        .query_row([&key.key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((payload, kept)) = found else { return Ok(None) };
    let is_same = payload == key.payload;
    Ok(Some(if is_same { Created::Same(parse(&kept)?) } else { Created::Conflict }))
}

/// What there would be too much of.
fn exceeded(connection: &Connection, kept: &Kept, bounds: Bounds) -> Result<Option<Limit>> {
    let totals = connection
        .prepare_cached("SELECT open, bytes, callbacks FROM totals")?
        .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))?;
    Ok(bounds.exceeded(totals, kept))
}

/// Writes a job where its version is still the one that is kept.
pub(super) fn write(connection: &Connection, write: &JobWrite) -> Result<Option<Kept>> {
    let mut kept = write.kept.clone();
    kept.job.version += 1;
    if put(connection, UPDATE, &kept)? == 0 {
        return Ok(None);
    }
    let id = id_bytes(kept.job.id);
    if let Some(answer) = &write.answer {
        let statement = "INSERT OR REPLACE INTO answers SELECT n, ?2, ?3 FROM jobs WHERE id = ?1";
        let body = answer.body.as_deref();
        connection.prepare_cached(statement)?.execute(params![id, answer.head, body])?;
    }
    if let (Some(event), Some(url)) = (&write.event, &kept.callback) {
        let since = nanos(kept.job.finished.unwrap_or(kept.job.received));
        let statement = "INSERT INTO callbacks (job, url, event, since, next_at) \
                         VALUES (?1, ?2, ?3, ?4, ?4)";
        connection.prepare_cached(statement)?.execute(params![id, url, event, since])?;
    }
    Ok(Some(kept))
}

/// Forgets a job where its version is still the one that is kept.
pub(super) fn forget(connection: &Connection, id: JobId, version: u64, most: u64) -> Result<bool> {
    let id = id_bytes(id);
    let n: Option<i64> = connection
        .prepare_cached("DELETE FROM jobs WHERE id = ?1 AND version = ?2 RETURNING n")?
        .query_row(params![id, int(version)], |row| row.get(0))
        .optional()?;
    let Some(n) = n else { return Ok(false) };
    for statement in [
        "DELETE FROM requests WHERE n = ?1",
        "DELETE FROM answers WHERE n = ?1",
        "DELETE FROM keys WHERE n = ?1",
    ] {
        connection.prepare_cached(statement)?.execute([n])?;
    }
    connection.prepare_cached("INSERT OR IGNORE INTO forgotten (id) VALUES (?1)")?.execute([id])?;
    let trim = "DELETE FROM forgotten WHERE n <= (SELECT max(n) FROM forgotten) - ?1";
    connection.prepare_cached(trim)?.execute([int(most)])?;
    Ok(true)
}

/// The job `id`.
pub(super) fn get(connection: &Connection, id: JobId) -> Result<Found> {
    let id = id_bytes(id);
    let kept: Option<String> = connection
        .prepare_cached("SELECT kept FROM jobs WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    if let Some(kept) = kept {
        return Ok(Found::Kept(Box::new(parse(&kept)?)));
    }
    let was = connection.prepare_cached("SELECT 1 FROM forgotten WHERE id = ?1")?.exists([id])?;
    Ok(if was { Found::Forgotten } else { Found::Unknown })
}

/// What the job `id` was asked.
pub(super) fn request(connection: &Connection, id: JobId) -> Result<Option<Message>> {
    message(connection, "SELECT head, body FROM requests JOIN jobs USING (n) WHERE id = ?1", id)
}

/// What the job `id` came to.
pub(super) fn answer(connection: &Connection, id: JobId) -> Result<Option<Message>> {
    message(connection, "SELECT head, body FROM answers JOIN jobs USING (n) WHERE id = ?1", id)
}

fn message(connection: &Connection, statement: &str, id: JobId) -> Result<Option<Message>> {
    let read = |row: &Row<'_>| {
        let body: Option<Vec<u8>> = row.get(1)?;
        Ok(Message { head: row.get(0)?, body: body.map(Bytes::from) })
    };
    Ok(connection.prepare_cached(statement)?.query_row([id_bytes(id)], read).optional()?)
}

/// The first in the line of `fleet`: every second place is for those that are overdue.
pub(super) fn line(
    connection: &Connection,
    fleet: &str,
    now: Time,
    most: usize,
) -> Result<Vec<InLine>> {
    let overdue = "SELECT kept, head, body FROM jobs JOIN requests USING (n) WHERE phase = 1 \
                   AND fleet = ?1 AND overdue_at <= ?2 AND not_before <= ?2 \
                   ORDER BY overdue_at LIMIT ?3";
    let by_rank = "SELECT kept, head, body FROM jobs JOIN requests USING (n) WHERE phase = 1 \
                   AND fleet = ?1 AND not_before <= ?2 ORDER BY rank LIMIT ?3";
    let half = int(most.div_ceil(2) as u64);
    let overdue = in_line(connection, overdue, params![fleet, nanos(now), half])?;
    let by_rank = in_line(connection, by_rank, params![fleet, nanos(now), int(most as u64)])?;
    let ids = |jobs: &[InLine]| jobs.iter().map(|one| one.kept.job.id).collect::<Vec<_>>();
    let order = Turns::default().merge(ids(&overdue), ids(&by_rank), most);
    let mut all: BTreeMap<JobId, InLine> =
        overdue.into_iter().chain(by_rank).map(|one| (one.kept.job.id, one)).collect();
    Ok(order.iter().filter_map(|id| all.remove(id)).collect())
}

fn in_line(
    connection: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<InLine>> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(values)?;
    let mut first = Vec::new();
    while let Some(row) = rows.next()? {
        let body: Option<Vec<u8>> = row.get(2)?;
        let request = Message { head: row.get(1)?, body: body.map(Bytes::from) };
        first.push(InLine { kept: kept_in(row)?, request });
    }
    Ok(first)
}

/// The job in the first column.
fn kept_in(row: &Row<'_>) -> Result<Kept> {
    let text = row.get_ref(0)?.as_str();
    parse(text.map_err(|error| LedgerError::Damaged(error.to_string()))?)
}

/// What stands before `rank` in the line of `fleet`.
pub(super) fn before(connection: &Connection, fleet: &str, rank: u64) -> Result<Ahead> {
    let statement = "SELECT count(*), total(work) FROM jobs \
                     WHERE phase = 1 AND fleet = ?1 AND rank < ?2";
    Ok(connection
        .prepare_cached(statement)?
        .query_row(params![fleet, int(rank)], |row| ahead(row, 0))?)
}

/// What waits, by fleet.
pub(super) fn waiting(connection: &Connection, now: Time) -> Result<Vec<(String, LineWork)>> {
    let due = LineWork::HORIZONS.map(|horizon| {
        let (by, most) = (nanos(now + horizon), horizon.as_secs());
        format!("total(CASE WHEN overdue_at <= {by} THEN min(work, {most}.0) ELSE 0.0 END)")
    });
    let statement = format!(
        "SELECT fleet, count(*), {} FROM jobs WHERE phase = 1 GROUP BY fleet",
        due.join(", ")
    );
    // It differs from time to time: to keep it would drive out others.
    let mut statement = connection.prepare(&statement)?;
    let rows = statement.query_map([], |row| {
        let mut line = LineWork { jobs: count(row, 1)? as usize, ..LineWork::default() };
        for (nth, due) in line.due.iter_mut().enumerate() {
            *due = Work::saturating(row.get(nth + 2)?);
        }
        Ok((row.get(0)?, line))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn ahead(row: &Row<'_>, first: usize) -> rusqlite::Result<Ahead> {
    Ok(Ahead { jobs: count(row, first)?, work: Work::saturating(row.get(first + 1)?) })
}

/// The jobs whose time to be looked at has come.
pub(super) fn due(connection: &Connection, now: Time, most: usize) -> Result<Vec<Due>> {
    let statement = "SELECT kept FROM jobs WHERE tick_at <= ?1 ORDER BY tick_at LIMIT ?2";
    let due = kepts(connection, statement, params![nanos(now), int(most as u64)])?;
    Ok(due.into_iter().map(|kept| Due { kept, owner_is_gone: false }).collect())
}

/// Who holds jobs.
pub(super) fn owners(connection: &Connection) -> Result<Vec<OwnerId>> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT owner FROM jobs WHERE owner IS NOT NULL")?;
    let rows = statement.query_map([], |row| count(row, 0).map(OwnerId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The jobs that `owner` holds, who is gone.
pub(super) fn held_by(connection: &Connection, owner: OwnerId, most: usize) -> Result<Vec<Due>> {
    let statement = "SELECT kept FROM jobs WHERE owner = ?1 LIMIT ?2";
    let held = kepts(connection, statement, params![int(owner.0), int(most as u64)])?;
    Ok(held.into_iter().map(|kept| Due { kept, owner_is_gone: true }).collect())
}

/// A part of the list of jobs.
pub(super) fn list(connection: &Connection, filter: &Filter) -> Result<Page> {
    let statement = "SELECT n, kept FROM jobs WHERE (?1 IS NULL OR phase = ?1) \
                     AND (?2 IS NULL OR route = ?2) AND n < ?3 ORDER BY n DESC LIMIT ?4";
    let mut statement = connection.prepare_cached(statement)?;
    let before = filter.before.unwrap_or(i64::MAX);
    let rows = statement.query_map(
        params![filter.phase.map(number), filter.route, before, int(filter.most as u64)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let rows: Vec<(i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
    let is_full = rows.len() == filter.most;
    let next = rows.last().map(|(n, _)| *n).filter(|_| is_full);
    let jobs = rows.iter().map(|(_, kept)| parse(kept)).collect::<Result<_>>()?;
    Ok(Page { jobs, next })
}

/// How much there is.
pub(super) fn totals(connection: &Connection) -> Result<Totals> {
    let of_phase = "SELECT count(*) FROM jobs WHERE phase = ?1";
    let mut of_phase = connection.prepare_cached(of_phase)?;
    let by_phase: rusqlite::Result<Vec<(Phase, u64)>> = Phase::ALL
        .into_iter()
        .map(|phase| Ok((phase, of_phase.query_row([number(phase)], |row| count(row, 0))?)))
        .collect();
    let (bytes, callbacks) = connection
        .prepare_cached("SELECT bytes, callbacks FROM totals")?
        .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))?;
    let dead_callbacks = connection
        .prepare_cached("SELECT count(*) FROM callbacks WHERE is_dead = 1")?
        .query_row([], |row| count(row, 0))?;
    Ok(Totals { by_phase: by_phase?, bytes, callbacks, dead_callbacks })
}

fn kepts(
    connection: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Kept>> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(values)?;
    let mut kepts = Vec::new();
    while let Some(row) = rows.next()? {
        kepts.push(kept_in(row)?);
    }
    Ok(kepts)
}

fn put(connection: &Connection, statement: &str, kept: &Kept) -> Result<usize> {
    let job = &kept.job;
    let not_before = job.state.not_before().unwrap_or(Time::ZERO);
    let text = serde_json::to_string(kept).map_err(|e| LedgerError::Damaged(e.to_string()))?;
    let changed = connection.prepare_cached(statement)?.execute(named_params! {
        ":id": id_bytes(job.id),
        ":version": int(job.version),
        ":phase": number(job.state.phase()),
        ":fleet": kept.fleet,
        ":route": kept.route,
        ":not_before": nanos(not_before),
        ":rank": int(job.rank()),
        ":work": job.work.as_cpu_secs(),
        ":overdue_at": nanos(kept.overdue_at),
        ":tick_at": nanos(kept.tick_at),
        ":owner": job.state.lease().map(|lease| int(lease.owner.0)),
        ":bytes": int(kept.bytes()),
        ":is_open": !job.state.is_final(),
        ":kept": text,
    })?;
    Ok(changed)
}

fn parse(text: &str) -> Result<Kept> {
    serde_json::from_str(text).map_err(|error| LedgerError::Damaged(error.to_string()))
}

fn id_bytes(id: JobId) -> [u8; 16] {
    id.to_bits().to_be_bytes()
}

/// The number of a phase in the file. The indices of the schema name that of `Queued`.
fn number(phase: Phase) -> i64 {
    match phase {
        Phase::Receiving => 0,
        Phase::Queued => 1,
        Phase::Leased => 2,
        Phase::Running => 3,
        Phase::Committing => 4,
        Phase::Succeeded => 5,
        Phase::Failed => 6,
        Phase::Cancelled => 7,
        Phase::Expired => 8,
        Phase::Dead => 9,
    }
}

/// SQLite's integers have a sign. As times they last until the year 2262.
pub(super) fn nanos(time: Time) -> i64 {
    int(time.as_nanos())
}

pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What [`int`] has written.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}
