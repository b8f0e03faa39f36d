//! The file of the ledger: how it is opened, and what version it is.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::LedgerError;
use crate::private;

/// The statements from each version to the next. The first ones create the tables of an empty file.
const MIGRATIONS: [&str; 1] = [include_str!("schema-1.sql")];

/// How long one balancer waits for another's transaction.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Prepared statements that are kept.
const STATEMENTS: usize = 64;

/// Pages of the log after which it is written into the file: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4096;

/// Opens the file `path` in `folder`, makes both where they are missing, and brings the file to the
/// newest version.
pub(super) fn connect(folder: &Path, path: &Path) -> Result<Connection, LedgerError> {
    let away = |error: std::io::Error| LedgerError::Away(format!("{}: {error}", path.display()));
    private::create_folder(folder).map_err(away)?;
    private::touch(path).map_err(away)?;
    let mut connection = reconnect(path)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens the file at `path`, which is there.
pub(super) fn reconnect(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let pending = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..));
    let Some(pending) = pending else {
        let path = path.display();
        let why = format!("{path} has schema version {found}: expected at most {known}");
        return Err(LedgerError::Damaged(why));
    };
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    if !pending.is_empty() {
        transaction.pragma_update(None, "user_version", known)?;
    }
    Ok(transaction.commit()?)
}
