//! Keeps observations and models, so that a restart does not forget them.
//!
//! `recorder -> ObservationStore -> SQLite`. Only the recorder writes observations.

mod recorder;
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rusqlite::ErrorCode;
use weighbridge_core::features::Features;
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::request::RouteId;
use weighbridge_core::units::{Speed, Work};

pub use recorder::Recorder;
pub use sqlite::SqliteStore;

/// Where observations and models are kept.
#[async_trait]
pub trait ObservationStore: Send + Sync {
    /// Adds `rows`, all or none of them.
    async fn append(&self, rows: &[StoredObservation]) -> Result<(), StoreError>;

    /// The newest `limit` observations of `route`, the oldest of them first.
    async fn recent(&self, route: &str, limit: usize)
    -> Result<Vec<StoredObservation>, StoreError>;

    /// Keeps `model` as the one of `route`, in place of any earlier one.
    async fn save_model(&self, route: &str, model: &StoredModel) -> Result<(), StoreError>;

    /// Every route's model, in the order of the routes' names.
    async fn models(&self) -> Result<Vec<(String, StoredModel)>, StoreError>;

    /// Deletes observations from before `older_than`; says how many.
    async fn expire(&self, older_than: SystemTime) -> Result<u64, StoreError>;
}

/// One completed request as it is kept: by the route's name and with the features' names, since
/// either may mean something else after the next change of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredObservation {
    /// Name of the route.
    pub route: String,
    /// When it was completed; kept to the microsecond.
    pub at: SystemTime,
    /// Name of the host that answered it.
    pub host: String,
    /// Status of the response.
    pub status: u16,
    /// From arrival until it was sent to the host; kept to the microsecond.
    pub waiting: Duration,
    /// From arrival to the end of the response; kept to the microsecond.
    pub response: Duration,
    /// Names of the features, as many as there are features.
    pub feature_names: Arc<[String]>,
    /// What the model saw; finite.
    pub features: Features,
    /// The estimate that was used, mean and p90.
    pub estimated: Option<(Work, Work)>,
    /// What the worker measured.
    pub cost: RequestCost,
    /// The same as work.
    pub work: Work,
    /// Speed of the core that ran it, as it was believed then.
    pub speed: Speed,
    /// The build that counted.
    pub build: u64,
}

/// A route's model as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredModel {
    /// When it was trained; kept to the microsecond.
    pub at: SystemTime,
    /// Names of the features that it was trained on: it is good for no others.
    pub feature_names: Vec<String>,
    /// The model as JSON.
    pub json: String,
}

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
    /// The task that talks to the database is gone: the program is stopping.
    #[error("the store has stopped")]
    Stopped,
}

// === impl StoredObservation ===

impl StoredObservation {
    /// As evidence for `route`, whose features now have the names `names`; `None` where those are
    /// not the features that it was observed with.
    pub fn observation(&self, route: RouteId, names: &[String]) -> Option<Observation> {
        let comparable = *self.feature_names == *names && self.features.0.len() == names.len();
        comparable.then(|| Observation {
            route,
            features: self.features.clone(),
            estimated: self.estimated,
            cost: self.cost,
            work: self.work,
            speed: self.speed,
            build: self.build,
        })
    }
}

// === impl StoreError ===

impl StoreError {
    /// Whether the same may work later.
    pub fn may_pass(&self) -> bool {
        match self {
            StoreError::Locked(_) | StoreError::File { .. } => true,
            StoreError::Database(cause) => !matches!(
                cause.sqlite_error_code(),
                Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
            ),
            StoreError::InUse(_)
            | StoreError::TooNew { .. }
            | StoreError::Encode(_)
            | StoreError::Stopped => false,
        }
    }
}
