//! Keeps observations and models, so that a restart does not forget them.
//!
//! `recorder -> ObservationStore -> SQLite | DynamoDB`; while the store is away `recorder ->
//! spool`, and later `spool -> ObservationStore`. Only the recorder writes observations.

mod error;
mod recorder;
mod spool;
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use weighbridge_core::features::{Features, auto};
use weighbridge_core::observe::{Observation, RequestCost};
use weighbridge_core::request::RouteId;
use weighbridge_core::units::{Speed, Work};

use crate::config::{StoreConfig, StoreKind};
use crate::lease::Fence;

pub use error::StoreError;
pub use recorder::Recorder;
pub use spool::Spool;
pub use sqlite::SqliteStore;

/// Every store that is in the data folder, and what opens it there. To add one: a file beside
/// `sqlite.rs`, and a line here.
const EMBEDDED: &[(StoreKind, Open)] = &[(StoreKind::Sqlite, sqlite::open)];

/// Opens a store in a folder; as an heir, where another balancer may have it for a while. Blocks.
type Open = fn(&Path, bool) -> Result<Arc<dyn ObservationStore>, StoreError>;

/// Opens the store in the data folder that `config` names; `None` where it names none. As an heir,
/// where the balancer that this one follows may have it for a while. Blocks.
pub(crate) fn open(
    config: &StoreConfig,
    as_heir: bool,
) -> Result<Option<Arc<dyn ObservationStore>>, StoreError> {
    let embedded = EMBEDDED.iter().find(|(kind, _)| *kind == config.kind);
    embedded.map(|(_, open)| open(&config.data_dir, as_heir)).transpose()
}

/// Where observations and models are kept.
#[async_trait]
pub trait ObservationStore: Send + Sync {
    /// Adds `rows`. A row that exists already, by its time and id, stays as it is. After an error
    /// some rows may have been added; the same rows may then be sent again.
    async fn append(&self, rows: &[StoredObservation]) -> Result<(), StoreError>;

    /// The newest `limit` observations of `route` since `since`, oldest first. A store may look
    /// back less far, and may answer from a cache.
    async fn recent(
        &self,
        route: &str,
        limit: usize,
        since: SystemTime,
    ) -> Result<Vec<StoredObservation>, StoreError>;

    /// Keeps `model` for `route`, in place of an earlier one. `fence` is that of the lease under
    /// which it was trained. [`StoreError::Fenced`] where a later holder has kept a model.
    async fn save_model(
        &self,
        route: &str,
        model: &StoredModel,
        fence: Fence,
    ) -> Result<(), StoreError>;

    /// The model of `route`. A store may answer from a cache.
    async fn model(&self, route: &str) -> Result<Option<StoredModel>, StoreError>;

    /// Deletes observations from before `older_than`, and returns how many. 0 where the store
    /// deletes them by itself. A store may keep the newest of a route however old they are: clocks
    /// can be wrong.
    async fn expire(&self, older_than: SystemTime) -> Result<u64, StoreError>;
}

/// One completed request as it is kept: with the names of its route and features, because their
/// numbers may mean something else after a change of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredObservation {
    /// A random number, made once. It tells observations of the same time apart, and one that is
    /// written a second time is recognised by it.
    pub id: u64,
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
    /// Names of the features that it was trained on. It cannot be used with others.
    pub feature_names: Vec<String>,
    /// The model as JSON.
    pub json: String,
}

// === impl StoredObservation ===

impl StoredObservation {
    /// The observation for `route`, whose features are called `names` at present. `None` where it
    /// was made with other features.
    pub fn observation(&self, route: RouteId, names: &[String]) -> Option<Observation> {
        let comparable = *self.feature_names == *names && self.features.0.len() == names.len();
        comparable.then(|| self.with_features(route, self.features.clone()))
    }

    /// The observation for `route`, whose features are found by themselves and are called `names`
    /// at present: what it does not have is 0. `None` where its features were declared.
    pub fn observation_by_name(&self, route: RouteId, names: &[String]) -> Option<Observation> {
        let value = |name: &String| {
            let place = self.feature_names.iter().position(|known| known == name);
            place.and_then(|place| self.features.0.get(place).copied()).unwrap_or(0.0)
        };
        let features = || Features(names.iter().map(value).collect());
        self.is_found().then(|| self.with_features(route, features()))
    }

    /// Whether its features were found by themselves.
    pub(crate) fn is_found(&self) -> bool {
        self.feature_names.iter().any(|name| name == auto::MARK)
    }

    fn with_features(&self, route: RouteId, features: Features) -> Observation {
        Observation {
            route,
            features,
            estimated: self.estimated,
            cost: self.cost,
            work: self.work,
            speed: self.speed,
            build: self.build,
        }
    }
}
