//! Observations, models and leases in DynamoDB, shared by all balancers.
//!
//! ```text
//! TABLE-observations   pk ROUTE#DAY#SHARD   sk TIME-ID   a row per request; expires_at
//! TABLE-state          pk model#ROUTE | features#HASH | lease#NAME
//! ```
//!
//! DAY counts from 1970 (UTC), SHARD is the row's id modulo the number of shards, TIME is in
//! microseconds and ID the row's, both as 16 hexadecimal digits. Reads are cached for half the
//! interval at which balancers look at each other's models.
//!
//! # Decision: one table of rows, one of state
//!
//! Writes of a route are spread over its shards, so no partition is hot. Reads are queries of the
//! shards in parallel, newest day first, so nothing is scanned. The id is made when a row is
//! recorded: a row that is written twice exists once. The names of features lie apart under their
//! hash, so a row stays below one write unit. Cost: the number of shards is fixed for a day. Look
//! again when one route needs more than 256 partitions.

pub mod customers;
mod errors;
mod item;
pub mod jobs;
mod keys;
mod leases;
mod models;
mod names;
mod recent;
mod tables;
mod write;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use moka::future::Cache;
use tokio::sync::OnceCell;

use weighbridge_proxy::config::StoreConfig;
use weighbridge_proxy::lease::Fence;
use weighbridge_proxy::store::{ObservationStore, StoreError, StoredModel, StoredObservation};

use crate::Aws;
pub use leases::DynamoLeases;
use names::Names;
use recent::RecentKey;
use tables::Tables;

/// Routes and, for recent rows, what was asked for that are remembered.
const CACHE_MAX: u64 = 1000;

/// Requests of one kind that are under way at once.
const REQUESTS_MAX: usize = 16;

/// Observations and models in DynamoDB. Clones share connections and caches.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    tables: Tables,
    /// Set once both tables are known to be there and ours.
    ready: OnceCell<()>,
    shards: u32,
    days_max: u32,
    ttl: Duration,
    names: Names,
    models: Cache<String, Option<StoredModel>>,
    recent: Cache<RecentKey, Arc<[StoredObservation]>>,
}

impl DynamoStore {
    /// The store that `config` names. Connects to nothing yet.
    pub fn new(aws: &Aws, config: &StoreConfig) -> DynamoStore {
        let remember = config.share_interval / 2;
        let shared = Shared {
            client: client(aws, config.dynamodb.timeout),
            tables: Tables::of(&config.dynamodb.table),
            ready: OnceCell::new(),
            shards: config.dynamodb.shards.max(1),
            days_max: config.dynamodb.days_max.max(1),
            ttl: config.ttl,
            names: Names::new(),
            models: Cache::builder().max_capacity(CACHE_MAX).time_to_live(remember).build(),
            recent: Cache::builder().max_capacity(CACHE_MAX).time_to_live(remember).build(),
        };
        DynamoStore { shared: Arc::new(shared) }
    }

    /// Makes the tables where they are missing, and checks them where they are there. Every use of
    /// the store does so first, until it has gone well once.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        let prepare = || shared.tables.prepare(&shared.client);
        shared.ready.get_or_try_init(prepare).await.copied()
    }

    /// The leases that are kept beside the models.
    pub fn leases(&self) -> DynamoLeases {
        DynamoLeases::new(self.clone())
    }
}

#[async_trait]
impl ObservationStore for DynamoStore {
    async fn append(&self, rows: &[StoredObservation]) -> Result<(), StoreError> {
        self.prepare().await?;
        write::append(&self.shared, rows).await
    }

    async fn recent(
        &self,
        route: &str,
        limit: usize,
        since: SystemTime,
    ) -> Result<Vec<StoredObservation>, StoreError> {
        self.prepare().await?;
        recent::cached(&self.shared, route, limit, since).await
    }

    async fn save_model(
        &self,
        route: &str,
        model: &StoredModel,
        fence: Fence,
    ) -> Result<(), StoreError> {
        self.prepare().await?;
        models::save(&self.shared, route, model, fence).await
    }

    async fn model(&self, route: &str) -> Result<Option<StoredModel>, StoreError> {
        self.prepare().await?;
        models::cached(&self.shared, route).await
    }

    /// DynamoDB does it, by `expires_at`.
    async fn expire(&self, _: SystemTime) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// A client that tries three times, each try for `timeout` at most.
fn client(aws: &Aws, timeout: Duration) -> Client {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(timeout).operation_attempt_timeout(timeout);
    Client::from_conf(Builder::from(aws.config()).timeout_config(timeouts.build()).build())
}
