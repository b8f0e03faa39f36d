//! The embedded store: one SQLite file (WAL, `synchronous=NORMAL`).
//!
//! The newest rows of a route are never deleted for their age: a clock that is wrong for an hour
//! would take all that was learned with it.
//!
//! A killed process loses at most the rows that were not yet committed. A corrupt file is moved
//! aside with an error in the log, and an empty one takes its place.

mod file;
mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::{ObservationStore, StoreError, StoredModel, StoredObservation};
use crate::lease::Fence;
use file::StoreFile;
pub(super) use file::lock;

/// Its name in the data folder.
const FILE: &str = "weighbridge.sqlite";

/// Observations are deleted this many at a time, so that no other use of the database waits long.
const EXPIRE_CHUNK: u64 = 5_000;

/// So many of a route's newest rows stay, however old they seem.
const ROWS_KEPT: u64 = 10_000;

/// Observations and models in a SQLite file. Clones share it.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    file: Arc<Mutex<StoreFile>>,
    rows_kept: u64,
}

/// Opens the store in `folder`. Blocks.
pub(super) fn open(folder: &Path, as_heir: bool) -> Result<Arc<dyn ObservationStore>, StoreError> {
    let path = folder.join(FILE);
    let store = if as_heir { SqliteStore::inherit(&path) } else { SqliteStore::open(&path) };
    Ok(Arc::new(store?))
}

impl SqliteStore {
    /// Opens the file at `path`, made where it is missing, with its folders. Blocks.
    ///
    /// One process at a time may have a file open, so that two balancers do not train on each
    /// other's hosts unknowingly; reading it with `sqlite3` meanwhile is fine.
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let file = StoreFile::open(path)?;
        Ok(SqliteStore { file: Arc::new(Mutex::new(file)), rows_kept: ROWS_KEPT })
    }

    /// The same, where the balancer that this one follows may still have the file open. It can be
    /// read at once; rows and models are taken once that balancer has ended. Blocks.
    pub fn inherit(path: &Path) -> Result<SqliteStore, StoreError> {
        let file = StoreFile::inherit(path)?;
        Ok(SqliteStore { file: Arc::new(Mutex::new(file)), rows_kept: ROWS_KEPT })
    }

    /// The same as [`SqliteStore::run`], for what writes.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = Arc::clone(&self.file);
        let blocking = move || file.lock().write(work);
        tokio::task::spawn_blocking(blocking).await.map_err(|_| StoreError::Stopped)?
    }

    /// Runs `work` where blocking is allowed. Where it finds the file corrupt, it runs once more on
    /// a new file.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = Arc::clone(&self.file);
        let blocking = move || {
            // A panic leaves nothing half done: transactions roll back.
            file.lock().run(work)
        };
        tokio::task::spawn_blocking(blocking).await.map_err(|_| StoreError::Stopped)?
    }
}

#[async_trait]
impl ObservationStore for SqliteStore {
    async fn append(&self, rows: &[StoredObservation]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        self.write(move |connection| rows::append(connection, &rows)).await
    }

    async fn recent(
        &self,
        route: &str,
        limit: usize,
        since: SystemTime,
    ) -> Result<Vec<StoredObservation>, StoreError> {
        let route = route.to_owned();
        self.run(move |connection| rows::recent(connection, &route, limit, since)).await
    }

    /// The fence is not used: no other balancer has the file open.
    async fn save_model(
        &self,
        route: &str,
        model: &StoredModel,
        _: Fence,
    ) -> Result<(), StoreError> {
        let (route, model) = (route.to_owned(), model.clone());
        self.write(move |connection| rows::save_model(connection, &route, &model)).await
    }

    async fn model(&self, route: &str) -> Result<Option<StoredModel>, StoreError> {
        let route = route.to_owned();
        self.run(move |connection| rows::model(connection, &route)).await
    }

    async fn expire(&self, older_than: SystemTime) -> Result<u64, StoreError> {
        let (mut total, kept) = (0, self.rows_kept);
        let mut route = String::new();
        loop {
            let after = route.clone();
            let next = self.run(move |connection| rows::next_route(connection, &after)).await?;
            let Some(next) = next else { return Ok(total) };
            route = next;
            loop {
                let of = route.clone();
                let delete = move |connection: &mut Connection| {
                    rows::expire(connection, &of, older_than, (kept, EXPIRE_CHUNK))
                };
                let deleted = self.write(delete).await?;
                total += deleted;
                if deleted < EXPIRE_CHUNK {
                    break;
                }
            }
        }
    }
}
