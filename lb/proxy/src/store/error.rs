//! Why a store could not do what it was asked, and whether it may later.

use std::error::Error;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another balancer has the file. The operator has to give each balancer its own data folder.
    #[error("{0} is in use by another process: expected a data folder of its own")]
    InUse(PathBuf),
    /// Another process locks the database for longer than we wait. A later try may work.
    #[error("{0} is locked by another process")]
    Locked(PathBuf),
    /// A newer version wrote the file. The operator has to upgrade, or to move the file away.
    #[error("{path} has schema version `{found}`: expected at most {known}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file or its folder cannot be used. A later try may work.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refused. A later try may work where the rows are not the cause, as with a full
    /// disk.
    #[error("the database refused")]
    Database(#[from] rusqlite::Error),
    /// The value cannot be written down. No later try can work.
    #[error("cannot be written down")]
    Encode(#[from] serde_json::Error),
    /// A remote store is throttling. A later try will work.
    #[error("the store is throttling")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// A remote store cannot be reached, or is in trouble. A later try may work.
    #[error("the store cannot be used")]
    Away(#[source] Box<dyn Error + Send + Sync>),
    /// A remote store denies access. The operator has to change permissions or credentials.
    #[error("the store denies access")]
    Denied(#[source] Box<dyn Error + Send + Sync>),
    /// A remote store never takes this.
    #[error("the store refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// A table is not one of ours. The operator has to name another one.
    #[error("table `{table}` has {found}: expected {expected}")]
    WrongTable {
        /// The table.
        table: String,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// A later holder of the lease has kept a model. Ours is out of date.
    #[error("another balancer has kept a model since")]
    Fenced,
    /// The task that uses the database has ended, because the program is stopping.
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    /// Whether the same may work later.
    pub fn may_pass(&self) -> bool {
        match self {
            StoreError::Locked(_)
            | StoreError::File { .. }
            | StoreError::Throttled(_)
            | StoreError::Away(_)
            | StoreError::Denied(_) => true,
            StoreError::Database(cause) => !matches!(
                cause.sqlite_error_code(),
                Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
            ),
            StoreError::InUse(_)
            | StoreError::TooNew { .. }
            | StoreError::Encode(_)
            | StoreError::Refused(_)
            | StoreError::WrongTable { .. }
            | StoreError::Fenced
            | StoreError::Stopped => false,
        }
    }
    /// Whether the cause is an outage that passes. The balancer serves meanwhile, also when it
    /// starts.
    pub fn is_outage(&self) -> bool {
        matches!(self, StoreError::Throttled(_) | StoreError::Away(_))
    }
}
