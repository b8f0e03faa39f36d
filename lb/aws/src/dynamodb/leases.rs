//! Leases: who of several balancers does what only one may do.
//!
//! `lease#NAME` says who holds it, for how long, its fence, and a version that each writing
//! changes; all writing is conditional on the version that was read. No balancer's clock is
//! compared with another's: one that wants a lease watches its version, and takes it when that has
//! not changed for as long as the holder said, by the watcher's own clock, counted from when it
//! first saw the version. A holder counts the same time from before it wrote. So what is assumed of
//! clocks is that two run equally fast, within what [`weighbridge_proxy::lease`] leaves between
//! them; where even that is wrong, or a holder sleeps between its look at the lease and its act,
//! the fence decides.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;
use weighbridge_proxy::lease::{Fence, LeaseError, Leases};
use weighbridge_proxy::store::StoreError;

use super::item::{Item, get, get_text, number, text};
use super::keys::PARTITION;
use super::{DynamoStore, errors};

/// Leases in the table of state.
#[derive(Debug)]
pub struct DynamoLeases {
    store: DynamoStore,
    /// The version of each lease, and since when it has been that.
    watched: Mutex<BTreeMap<String, (u64, Instant)>>,
}

/// A lease as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lease {
    /// `None` after it was given back.
    holder: Option<String>,
    fence: u64,
    version: u64,
    term: Duration,
}

impl DynamoLeases {
    pub(super) fn new(store: DynamoStore) -> DynamoLeases {
        DynamoLeases { store, watched: Mutex::default() }
    }

    async fn read(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let shared = &self.store.shared;
        let get = shared.client.get_item().table_name(&shared.tables.state).consistent_read(true);
        let got = get.key(PARTITION, text(key(name))).send().await.map_err(errors::told)?;
        Ok(got.item.as_ref().and_then(lease))
    }

    /// Writes `lease` over what was read as version `over`; false where that has changed.
    async fn write(&self, name: &str, lease: &Lease, over: u64) -> Result<bool, StoreError> {
        let shared = &self.store.shared;
        let mut put = shared
            .client
            .put_item()
            .table_name(&shared.tables.state)
            .item(PARTITION, text(key(name)))
            .item("fence", number(lease.fence))
            .item("version", number(lease.version))
            .item("term_ms", number(lease.term.as_millis()));
        if let Some(holder) = &lease.holder {
            put = put.item("holder", text(holder));
        }
        let put = put
            .condition_expression("attribute_not_exists(pk) OR version = :over")
            .expression_attribute_values(":over", number(over));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if errors::says(&error, "ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(errors::told(error)),
        }
    }

    /// Whether the holder of `lease` has said nothing for the whole of its term.
    fn has_ended(&self, name: &str, lease: &Lease) -> bool {
        let now = Instant::now();
        let mut watched = self.watched.lock();
        let (version, since) = watched.entry(name.to_owned()).or_insert((lease.version, now));
        if *version != lease.version {
            (*version, *since) = (lease.version, now);
        }
        lease.term <= now.saturating_duration_since(*since)
    }

    async fn try_take(
        &self,
        name: &str,
        holder: &str,
        term: Duration,
    ) -> Result<Option<Fence>, StoreError> {
        self.store.prepare().await?;
        let found = self.read(name).await?;
        let (fence, version) = match &found {
            None => (1, 0),
            Some(lease) if lease.holder.as_deref() == Some(holder) => (lease.fence, lease.version),
            Some(lease) if lease.holder.is_none() || self.has_ended(name, lease) => {
                (lease.fence + 1, lease.version)
            }
            Some(_) => return Ok(None),
        };
        let holder = Some(holder.to_owned());
        let lease = Lease { holder, fence, version: version + 1, term };
        let is_ours = self.write(name, &lease, version).await?;
        Ok(is_ours.then_some(Fence(fence)))
    }

    async fn try_give_back(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.store.prepare().await?;
        let Some(lease) = self.read(name).await? else { return Ok(()) };
        if lease.holder.as_deref() == Some(holder) {
            let over = lease.version;
            // Where it has changed meanwhile, it is another's.
            self.write(name, &Lease { holder: None, version: over + 1, ..lease }, over).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Leases for DynamoLeases {
    async fn take(
        &self,
        name: &str,
        holder: &str,
        term: Duration,
    ) -> Result<Option<Fence>, LeaseError> {
        self.try_take(name, holder, term).await.map_err(|error| LeaseError(Box::new(error)))
    }

    async fn give_back(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        self.try_give_back(name, holder).await.map_err(|error| LeaseError(Box::new(error)))
    }
}

/// `None` where it is not one of ours.
fn lease(item: &Item) -> Option<Lease> {
    Some(Lease {
        holder: get_text(item, "holder").map(str::to_owned),
        fence: get(item, "fence")?,
        version: get(item, "version")?,
        term: Duration::from_millis(get(item, "term_ms")?),
    })
}

fn key(name: &str) -> String {
    format!("lease#{name}")
}
