//! The statements that are about callbacks.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use weighbridge_core::jobs::JobId;
use weighbridge_core::units::Time;

use super::rows::{count, int, nanos};
use crate::jobs::ledger::{Callback, Called, LedgerError};

type Result<T> = std::result::Result<T, LedgerError>;

const CALLBACK: &str = "n, job, url, event, tries, since, reason";

/// Whether a callback is to be tried.
pub(super) fn has_callbacks(connection: &Connection, now: Time) -> Result<bool> {
    let statement = "SELECT 1 FROM callbacks WHERE is_dead = 0 AND next_at <= ?1";
    Ok(connection.prepare_cached(statement)?.exists([nanos(now)])?)
}

/// Takes callbacks that are to be tried.
pub(super) fn take_callbacks(
    connection: &Connection,
    now: Time,
    hold: Duration,
    most: usize,
) -> Result<Vec<Callback>> {
    let statement = format!(
        "UPDATE callbacks SET next_at = ?2, tries = tries + 1 WHERE n IN (SELECT n FROM callbacks \
         WHERE is_dead = 0 AND next_at <= ?1 ORDER BY next_at LIMIT ?3) RETURNING {CALLBACK}"
    );
    callbacks(connection, &statement, params![nanos(now), nanos(now + hold), int(most as u64)])
}

/// Callbacks that were given up.
pub(super) fn dead_callbacks(connection: &Connection, most: usize) -> Result<Vec<Callback>> {
    let statement =
        format!("SELECT {CALLBACK} FROM callbacks WHERE is_dead = 1 ORDER BY n DESC LIMIT ?1");
    callbacks(connection, &statement, params![int(most as u64)])
}

/// What came of a try of the callback `n`.
pub(super) fn called(connection: &Connection, n: i64, result: &Called) -> Result<()> {
    match result {
        Called::Delivered => {
            connection.prepare_cached("DELETE FROM callbacks WHERE n = ?1")?.execute([n])?;
        }
        Called::Again(at, reason) => {
            let statement = "UPDATE callbacks SET next_at = ?2, reason = ?3 WHERE n = ?1";
            connection.prepare_cached(statement)?.execute(params![n, nanos(*at), reason])?;
        }
        Called::Dead(reason) => {
            let statement = "UPDATE callbacks SET is_dead = 1, reason = ?2 WHERE n = ?1";
            connection.prepare_cached(statement)?.execute(params![n, reason])?;
        }
    }
    Ok(())
}

fn callbacks(
    connection: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Callback>> {
    let mut statement = connection.prepare_cached(statement)?;
    let read = |row: &Row<'_>| {
        let id: [u8; 16] = row.get(1)?;
        Ok(Callback {
            n: row.get(0)?,
            job: JobId::from_bits(u128::from_be_bytes(id)),
            url: row.get(2)?,
            event: row.get(3)?,
            tries: row.get(4)?,
            since: Time::from_nanos(count(row, 5)?),
            reason: row.get(6)?,
        })
    };
    Ok(statement.query_map(values, read)?.collect::<rusqlite::Result<_>>()?)
}
