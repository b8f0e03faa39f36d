//! Observations: what goes in comes out, once, newest first, in few requests.

use std::time::{Duration, UNIX_EPOCH};

use weighbridge_proxy::store::{ObservationStore, StoredObservation};

use super::{client, now, row, rows, store, store_with};
use crate::emulators::Emulator;
use crate::wire::Wire;

#[tokio::test]
async fn observations_come_back_as_they_were() {
    let roto = Emulator::roto(None);
    let store = store(&roto.url()).await;
    let mut written = rows("blur", 3);
    written[1].estimated = None;
    written[2].cost.methods = Some(1e-300);
    store.append(&written).await.unwrap();
    written[2].cost.methods = Some(0.0);
    store.append(&rows("enhance", 1)).await.unwrap();
    assert_eq!(store.recent("blur", 10, UNIX_EPOCH).await.unwrap(), written);
    assert_eq!(store.recent("none", 10, UNIX_EPOCH).await.unwrap(), []);
    // One that has just started knows nothing of the features' names yet.
    let other = super::store(&roto.url()).await;
    assert_eq!(other.recent("blur", 10, UNIX_EPOCH).await.unwrap(), written);
}

#[tokio::test]
async fn the_newest_are_recent_however_they_lie_in_the_shards() {
    let roto = Emulator::roto(None);
    let store = store(&roto.url()).await;
    let mut written = rows("blur", 300);
    // All of the newest in one shard: they are more than its part.
    for (n, row) in written.iter_mut().enumerate().skip(200) {
        row.id = 8 * n as u64;
    }
    store.append(&written).await.unwrap();
    for limit in [1, 7, 100, 150, 299, 300, 1000] {
        let recent = store.recent("blur", limit, UNIX_EPOCH).await.unwrap();
        let expected = &written[300_usize.saturating_sub(limit)..];
        assert!(recent == expected, "{} of the newest {limit}", recent.len());
    }
    let since = written[290].at;
    assert_eq!(store.recent("blur", 100, since).await.unwrap(), &written[290..]);
    assert_eq!(store.recent("blur", 3, since).await.unwrap(), &written[297..]);
}

#[tokio::test]
async fn earlier_days_are_looked_at_as_far_as_they_are_needed_and_allowed() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let more = "share_interval = \"100ms\"\n[store.dynamodb]\nshards = 2\ndays_max = 3";
    let store = store_with(&wire.url(), more).await;
    let day = Duration::from_hours(24);
    let of_day = |n: u32| row("blur", u64::from(n), now() - n * day);
    let written: Vec<StoredObservation> = (0..6).rev().map(of_day).collect();
    store.append(&written).await.unwrap();
    let queries = wire.count(&["Query"]);
    assert_eq!(store.recent("blur", 1, UNIX_EPOCH).await.unwrap(), &written[5..]);
    // Two shards of tomorrow, for clocks that are ahead, and of today.
    assert_eq!(wire.count(&["Query"]) - queries, 4);
    assert_eq!(store.recent("blur", 10, UNIX_EPOCH).await.unwrap(), &written[3..]);
    assert_eq!(wire.count(&["Query"]) - queries, 4 + 8);
    assert_eq!(wire.count(&["Scan"]), 0);
}

#[tokio::test]
async fn a_row_that_is_written_again_is_there_once() {
    let roto = Emulator::roto(None);
    let store = store(&roto.url()).await;
    let written = rows("blur", 60);
    store.append(&written[..40]).await.unwrap();
    store.append(&written[10..]).await.unwrap();
    store.append(&written).await.unwrap();
    assert_eq!(store.recent("blur", 1000, UNIX_EPOCH).await.unwrap(), written);
}

#[tokio::test]
async fn rows_are_written_by_twenty_five_and_spread_over_the_shards() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let store = store(&wire.url()).await;
    store.append(&rows("blur", 256)).await.unwrap();
    assert_eq!(wire.count(&["BatchWriteItem"]), 11);
    // The names of the features, once.
    assert_eq!(wire.count(&["PutItem"]), 1);
    store.append(&rows("blur", 1)).await.unwrap();
    assert_eq!(wire.count(&["PutItem"]), 1);

    let items = client(&roto.url()).await.scan().table_name("weighbridge-observations").send();
    let items = items.await.unwrap().items.unwrap();
    let mut shards: Vec<&str> =
        items.iter().map(|item| item["pk"].as_s().unwrap().as_str()).collect();
    shards.sort_unstable();
    let parts: Vec<usize> = shards.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
    assert_eq!(parts.len(), 8, "{parts:?}");
    assert!(parts.iter().all(|part| (12..=60).contains(part)), "{parts:?}");
}

#[tokio::test]
async fn an_item_says_when_it_expires_and_costs_one_write_unit() {
    let roto = Emulator::roto(None);
    let store = store_with(&roto.url(), "ttl = \"2h\"").await;
    let mut long = row("a route with a rather long name", 1, now());
    let names: Vec<String> =
        (0..16).map(|n| format!("body.image.is_jpeg * body.image.pixels * query.{n}")).collect();
    long.feature_names = names.into();
    long.features.0 = (0..16).map(f64::from).collect();
    store.append(&[long.clone()]).await.unwrap();
    let items = client(&roto.url()).await.scan().table_name("weighbridge-observations").send();
    let item = items.await.unwrap().items.unwrap().remove(0);
    let expires: u64 = item["expires_at"].as_n().unwrap().parse().unwrap();
    let at = long.at.duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(expires - at, 7200);
    let length = |(name, value): (&String, &aws_sdk_dynamodb::types::AttributeValue)| {
        let value = match value {
            aws_sdk_dynamodb::types::AttributeValue::B(bytes) => bytes.as_ref().len(),
            aws_sdk_dynamodb::types::AttributeValue::S(text)
            | aws_sdk_dynamodb::types::AttributeValue::N(text) => text.len(),
            other => panic!("{other:?}"),
        };
        name.len() + value
    };
    let bytes: usize = item.iter().map(length).sum();
    assert!(bytes < 1024, "{bytes} bytes");
}
