//! The store and its leases against roto.

mod faults;
mod leases;
mod models;
mod rows;
mod tables;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use weighbridge_aws::dynamodb::DynamoStore;
use weighbridge_core::features::Features;
use weighbridge_core::observe::RequestCost;
use weighbridge_core::units::{Speed, Work};
use weighbridge_proxy::config::{Config, StoreConfig};
use weighbridge_proxy::store::StoredObservation;
use weighbridge_scene_extract::extractors;

use crate::{aws, sdk_config};

/// A client of its own.
pub(crate) async fn client(url: &str) -> Client {
    Client::new(&sdk_config(url).await)
}

/// The default configuration, with `more` laid over its `[store]`.
pub(crate) fn config(more: &str) -> StoreConfig {
    let text = format!("[store]\nkind = \"dynamodb\"\n{more}");
    Config::parse(&text, &extractors()).expect("it is right").store
}

/// A store at `url` that remembers nothing for longer than a moment.
pub(crate) async fn store(url: &str) -> DynamoStore {
    store_with(url, "share_interval = \"100ms\"").await
}

pub(crate) async fn store_with(url: &str, more: &str) -> DynamoStore {
    DynamoStore::new(&aws(url).await, &config(more))
}

/// A port of loopback where nobody listens.
pub(crate) fn nowhere() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound")
}

/// Now, to the microsecond.
pub(crate) fn now() -> SystemTime {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).expect("not so late"))
}

pub(crate) fn row(route: &str, id: u64, at: SystemTime) -> StoredObservation {
    StoredObservation {
        // Over all shards, and no two alike.
        id: id.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        route: route.to_owned(),
        at,
        host: "127.0.0.1:8001".to_owned(),
        status: 200,
        waiting: Duration::from_millis(3),
        response: Duration::from_micros(1_000_007),
        feature_names: Arc::from(["query.b".to_owned(), "body.bytes".to_owned()]),
        features: Features([1.5, f64::MAX, -5e-324].into_iter().collect()),
        estimated: Some((Work::saturating(0.1 + 0.2), Work::saturating(0.5))),
        cost: RequestCost {
            instructions: Some(1e12),
            cpu_seconds: Some(0.1 + 0.7),
            ..RequestCost::default()
        },
        work: Work::saturating(1.0 / 3.0),
        speed: Speed::ONE,
        build: u64::MAX,
    }
}

/// `n` rows of `route`, a millisecond apart, the last of them now.
pub(crate) fn rows(route: &str, n: u32) -> Vec<StoredObservation> {
    let last = now();
    let at = |id| last - Duration::from_millis(u64::from(n - 1 - id));
    (0..n).map(|id| row(route, u64::from(id), at(id))).collect()
}
