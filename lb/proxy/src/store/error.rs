//! Why a store could not do what it was asked, and whether it may later.

use std::error::Error;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another balancer has the file: the operator gives each its own data folder.
    #[error("{0} is in use by another process: expected a data folder of its own")]
    InUse(PathBuf),
    /// Another process holds a lock on the database for longer than we wait. May pass.
    #[error("{0} is locked by another process")]
    Locked(PathBuf),
    /// The file was written by a newer version: the operator upgrades, or moves it away.
    #[error("{path} has schema version `{found}`: expected at most {known}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file or its folder cannot be used. May pass.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refused. May pass where the rows are not to blame: a full disk, say.
    #[error("the database refused")]
    Database(#[from] rusqlite::Error),
    /// What was to be kept cannot be written down; it never can.
    #[error("cannot be written down")]
    Encode(#[from] serde_json::Error),
    /// A store elsewhere takes no more for now. Passes.
    #[error("the store is throttling")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// A store elsewhere cannot be reached, or is in trouble. May pass.
    #[error("the store cannot be used")]
    Away(#[source] Box<dyn Error + Send + Sync>),
    /// A store elsewhere does not let us: the operator gives us permissions or other credentials.
    /// Passes when that is done.
    #[error("the store denies access")]
    Denied(#[source] Box<dyn Error + Send + Sync>),
    /// A store elsewhere never takes this.
    #[error("the store refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// A table is not one of ours: the operator names another.
    #[error("table `{table}` has {found}: expected {expected}")]
    WrongTable {
        /// The table.
        table: String,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// A later holder of the lease has kept a model: ours is out of date, and always will be.
    #[error("another balancer has kept a model since")]
    Fenced,
    /// The task that talks to the database is gone: the program is stopping.
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
    /// Whether nobody is to blame here: the balancer serves meanwhile, even if it is just starting.
    pub fn is_outage(&self) -> bool {
        matches!(self, StoreError::Throttled(_) | StoreError::Away(_))
    }
}
