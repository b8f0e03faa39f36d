//! Names of features under their hash: each list is written once and read once.

use std::sync::Arc;

use moka::future::Cache;
use weighbridge_proxy::store::StoreError;
use xxhash_rust::xxh3::xxh3_128;

use super::item::text;
use super::keys::PARTITION;
use super::{CACHE_MAX, Shared, errors};

const NAMES: &str = "names";

/// Lists that are known to be in the table.
#[derive(Debug)]
pub(super) struct Names {
    known: Cache<String, Arc<[String]>>,
}

impl Names {
    pub(super) fn new() -> Names {
        Names { known: Cache::builder().max_capacity(CACHE_MAX).build() }
    }

    /// The hash of `names`, which are in the table from then on.
    pub(super) async fn keep(
        &self,
        shared: &Shared,
        names: &Arc<[String]>,
    ) -> Result<String, StoreError> {
        let json = serde_json::to_string(&**names)?;
        let hash = format!("{:032x}", xxh3_128(json.as_bytes()));
        let put = async {
            let put = shared.client.put_item().table_name(&shared.tables.state);
            let put = put.item(PARTITION, text(key(&hash))).item(NAMES, text(json));
            put.send().await.map_err(errors::told)?;
            Ok(Arc::clone(names))
        };
        self.known.try_get_with_by_ref(hash.as_str(), put).await.map_err(errors::shared)?;
        Ok(hash)
    }

    /// The names whose hash is `hash`; none where nobody kept them.
    pub(super) async fn get(
        &self,
        shared: &Shared,
        hash: &str,
    ) -> Result<Arc<[String]>, StoreError> {
        let get = async {
            let get = shared.client.get_item().table_name(&shared.tables.state);
            let got = get.key(PARTITION, text(key(hash))).send().await.map_err(errors::told)?;
            let json = got.item.as_ref().and_then(|item| item.get(NAMES)?.as_s().ok());
            let names: Vec<String> =
                json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
            Ok(Arc::from(names))
        };
        self.known.try_get_with_by_ref(hash, get).await.map_err(errors::shared)
    }
}

fn key(hash: &str) -> String {
    format!("features#{hash}")
}
