//! The file itself: who may have it open, what version it is, what happens when it is corrupt.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tracing::{error, warn};

use super::super::StoreError;
use crate::private;

/// The statements from each version to the next. The first ones create the tables of an empty file.
const MIGRATIONS: [&str; 2] = [include_str!("schema-1.sql"), include_str!("schema-2.sql")];

/// How long we wait for another process that has locked the database.
const BUSY_WAIT: Duration = Duration::from_millis(500);

/// The most corrupt files that are kept. Beyond it the last one is replaced.
const CORRUPT_MAX: u32 = 8;

/// The open file. Locked against other balancers until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    /// `None` after a corrupt file was moved aside and no new one could be made.
    connection: Option<Connection>,
    /// `None` while the balancer that this one follows still has it.
    lock: Option<File>,
}

impl StoreFile {
    /// Opens or makes the file; moves a corrupt one aside.
    pub(super) fn open(path: &Path) -> Result<StoreFile, StoreError> {
        let lock = Some(lock(path)?);
        let mut file = StoreFile { path: path.to_owned(), connection: None, lock };
        file.run(|_| Ok(()))?;
        Ok(file)
    }

    /// Opens the file of the balancer that this one follows, which may still have it: until that
    /// has ended it can be read, and what is to be written is refused for the time being.
    pub(super) fn inherit(path: &Path) -> Result<StoreFile, StoreError> {
        match StoreFile::open(path) {
            Err(StoreError::InUse(_)) => {
                Ok(StoreFile { path: path.to_owned(), connection: None, lock: None })
            }
            opened => opened,
        }
    }

    /// The same as [`StoreFile::run`], for what writes.
    pub(super) fn write<T>(
        &mut self,
        work: impl Fn(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.lock.is_none() {
            match lock(&self.path) {
                Ok(lock) => self.lock = Some(lock),
                Err(StoreError::InUse(path)) => return Err(StoreError::Locked(path)),
                Err(other) => return Err(other),
            }
        }
        self.run(work)
    }

    /// Runs `work`. Where it finds the file corrupt, it runs once more on a new file.
    pub(super) fn run<T>(
        &mut self,
        work: impl Fn(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = self.connected().and_then(&work);
        let result = match result {
            Err(StoreError::Database(cause)) if is_corrupt(&cause) => {
                self.connection = None;
                move_aside(&self.path, &cause)?;
                self.connected().and_then(&work)
            }
            Ok(_) | Err(_) => result,
        };
        result.map_err(|error| name_lock(error, &self.path))
    }

    fn connected(&mut self) -> Result<&mut Connection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        Ok(self.connection.insert(connection))
    }
}

impl Drop for StoreFile {
    fn drop(&mut self) {
        self.connection = None;
        // Unlocked explicitly, because a child that is just being started still shares the lock.
        // Where it fails, the lock ends with the last descriptor.
        if let Some(Err(cause)) = self.lock.as_ref().map(File::unlock) {
            warn!(file = %self.path.display(), %cause, "the store's lock is not given back at once");
        }
    }
}

/// Creates the folders, and takes the lock that keeps a second balancer out.
pub(in super::super) fn lock(path: &Path) -> Result<File, StoreError> {
    let failed = |path: &Path, source| StoreError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        private::create_folder(folder).map_err(|source| failed(folder, source))?;
    }
    let name = with_suffix(path, ".lock");
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let lock = options.open(&name).map_err(|source| failed(&name, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(&name, source)),
    }
}

/// Opens the database and brings it to the newest version.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    private::touch(path).map_err(failed)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let pending = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..));
    let Some(pending) = pending else {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known });
    };
    if pending.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}

/// Moves the database with its log out of the way, under the first free name.
fn move_aside(path: &Path, cause: &rusqlite::Error) -> Result<(), StoreError> {
    let aside = |n: u32| with_suffix(path, &format!(".corrupt-{n}"));
    let name = (1..CORRUPT_MAX).map(aside).find(|name| !name.exists());
    let name = name.unwrap_or_else(|| aside(CORRUPT_MAX));
    error!(
        file = %path.display(), moved_to = %name.display(), %cause,
        "the observation store is corrupt: moved aside, a new one begins empty"
    );
    for part in ["", "-wal", "-shm"] {
        let (from, to) = (with_suffix(path, part), with_suffix(&name, part));
        match fs::rename(&from, &to) {
            Ok(()) => {}
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::File { path: from, source }),
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn name_lock(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Database(cause)
            if matches!(
                cause.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ) =>
        {
            StoreError::Locked(path.to_owned())
        }
        other => other,
    }
}
