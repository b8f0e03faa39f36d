//! The embedded ledger: one SQLite file (WAL, `synchronous=FULL`), which the balancers of one
//! machine may share.
//!
//! A job and its place in the line are one row, so they change together. What is to be written at
//! the same time is written in one transaction: one thread takes all that has come while the last
//! one was synced. So the disk bounds the delay of a write and hardly the rate of writes.
//!
//! A damaged file is not moved aside: what was acknowledged would be lost without a word.

mod callbacks;
mod file;
mod owners;
mod rows;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};

use weighbridge_core::jobs::{JobId, LineWork, OwnerId};
use weighbridge_core::units::Time;

use super::ledger::{
    Ahead, Bounds, Callback, Called, Created, Due, Filter, Found, InLine, JobLedger, JobWrite,
    Kept, LedgerError, Message, NewJob, Page, Totals,
};
use owners::Owners;
use writer::Writer;

/// Its name in the folder of jobs.
const FILE: &str = "jobs.sqlite";

/// Connections that read at the same time.
const READERS: usize = 2;

/// See the module.
#[derive(Debug)]
pub struct SqliteLedger {
    writer: Writer,
    readers: Arc<Mutex<Vec<Connection>>>,
    owners: Arc<Owners>,
    path: std::path::PathBuf,
    bounds: Bounds,
}

// === impl SqliteLedger ===

impl SqliteLedger {
    /// Opens the ledger in `folder`, made where it is missing. Blocks.
    pub fn open(folder: &Path, bounds: Bounds) -> Result<SqliteLedger, LedgerError> {
        let path = folder.join(FILE);
        let writing = file::connect(folder, &path)?;
        let readers: Result<Vec<Connection>, LedgerError> =
            (0..READERS).map(|_| file::connect(folder, &path)).collect();
        Ok(SqliteLedger {
            owners: Arc::new(Owners::open(folder)?),
            writer: Writer::start(writing)?,
            readers: Arc::new(Mutex::new(readers?)),
            path,
            bounds,
        })
    }

    /// Reads where blocking is allowed.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (readers, path) = (Arc::clone(&self.readers), self.path.clone());
        let blocking = move || {
            let idle = readers.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => file::reconnect(&path)?,
            };
            let result = read(&connection);
            let mut readers = readers.lock();
            if readers.len() < READERS {
                readers.push(connection);
            }
            result
        };
        tokio::task::spawn_blocking(blocking).await.map_err(|_| stopped())?
    }
}

#[async_trait]
impl JobLedger for SqliteLedger {
    async fn create(&self, new: NewJob) -> Result<Created, LedgerError> {
        let bounds = self.bounds;
        self.writer.write(move |connection| rows::create(connection, &new, bounds)).await
    }

    async fn get(&self, id: JobId) -> Result<Found, LedgerError> {
        self.read(move |connection| rows::get(connection, id)).await
    }

    async fn request(&self, id: JobId) -> Result<Option<Message>, LedgerError> {
        self.read(move |connection| rows::request(connection, id)).await
    }

    async fn answer(&self, id: JobId) -> Result<Option<Message>, LedgerError> {
        self.read(move |connection| rows::answer(connection, id)).await
    }

    async fn write(&self, write: JobWrite) -> Result<Option<Kept>, LedgerError> {
        self.writer.write(move |connection| rows::write(connection, &write)).await
    }

    async fn forget(&self, kept: &Kept) -> Result<bool, LedgerError> {
        let (id, version) = (kept.job.id, kept.job.version);
        let most = self.bounds.forgotten_max;
        self.writer.write(move |connection| rows::forget(connection, id, version, most)).await
    }

    async fn line(&self, fleet: &str, now: Time, most: usize) -> Result<Vec<InLine>, LedgerError> {
        let fleet = fleet.to_owned();
        self.read(move |connection| rows::line(connection, &fleet, now, most)).await
    }

    async fn before(&self, kept: &Kept) -> Result<Ahead, LedgerError> {
        let (fleet, rank) = (kept.fleet.clone(), kept.job.rank());
        self.read(move |connection| rows::before(connection, &fleet, rank)).await
    }

    async fn waiting(&self, now: Time) -> Result<Vec<(String, LineWork)>, LedgerError> {
        self.read(move |connection| rows::waiting(connection, now)).await
    }

    async fn due(&self, now: Time, most: usize) -> Result<Vec<Due>, LedgerError> {
        let owners = Arc::clone(&self.owners);
        self.read(move |connection| {
            let mut due = rows::due(connection, now, most)?;
            for owner in rows::owners(connection)? {
                if owners.is_gone(owner) {
                    due.extend(rows::held_by(connection, owner, most)?);
                }
            }
            due.truncate(most);
            Ok(due)
        })
        .await
    }

    async fn list(&self, filter: &Filter) -> Result<Page, LedgerError> {
        let filter = filter.clone();
        self.read(move |connection| rows::list(connection, &filter)).await
    }

    async fn totals(&self) -> Result<Totals, LedgerError> {
        self.read(rows::totals).await
    }

    async fn callbacks(
        &self,
        now: Time,
        hold: Duration,
        most: usize,
    ) -> Result<Vec<Callback>, LedgerError> {
        // A look costs less than a write, and mostly there is nothing.
        if !self.read(move |connection| callbacks::has_callbacks(connection, now)).await? {
            return Ok(Vec::new());
        }
        self.writer
            .write(move |connection| callbacks::take_callbacks(connection, now, hold, most))
            .await
    }

    async fn called(&self, n: i64, result: Called) -> Result<(), LedgerError> {
        self.writer.write(move |connection| callbacks::called(connection, n, &result)).await
    }

    async fn dead_callbacks(&self, most: usize) -> Result<Vec<Callback>, LedgerError> {
        self.read(move |connection| callbacks::dead_callbacks(connection, most)).await
    }

    fn owner(&self) -> OwnerId {
        self.owners.own()
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> LedgerError {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => LedgerError::Full(text),
            Some(
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch,
            ) => LedgerError::Damaged(text),
            _ => match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => LedgerError::Damaged(text),
                _ => LedgerError::Away(text),
            },
        }
    }
}

fn stopped() -> LedgerError {
    LedgerError::Away("the program is stopping".to_owned())
}
