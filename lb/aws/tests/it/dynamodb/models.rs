//! Models: kept, fenced, read seldom.

use weighbridge_proxy::lease::Fence;
use weighbridge_proxy::store::{ObservationStore, StoreError, StoredModel};

use super::{now, rows, store, store_with};
use crate::emulators::Emulator;
use crate::wire::Wire;

fn model(json: &str) -> StoredModel {
    StoredModel { at: now(), feature_names: vec!["body.bytes".to_owned()], json: json.to_owned() }
}

#[tokio::test]
async fn a_route_has_one_model_and_others_see_it() {
    let roto = Emulator::roto(None);
    let (one, other) = (store(&roto.url()).await, store(&roto.url()).await);
    assert_eq!(other.model("blur").await.unwrap(), None);
    let (first, second) = (model("{}"), model("[1]"));
    one.save_model("blur", &first, Fence(1)).await.unwrap();
    one.save_model("blur", &second, Fence(1)).await.unwrap();
    assert_eq!(one.model("blur").await.unwrap(), Some(second.clone()));
    assert_eq!(one.model("enhance").await.unwrap(), None);
    let fresh = store(&roto.url()).await;
    assert_eq!(fresh.model("blur").await.unwrap(), Some(second));
}

#[tokio::test]
async fn a_late_save_by_an_earlier_holder_is_refused() {
    let roto = Emulator::roto(None);
    let (earlier, later) = (store(&roto.url()).await, store(&roto.url()).await);
    earlier.save_model("blur", &model("[1]"), Fence(4)).await.unwrap();
    let kept = model("[2]");
    later.save_model("blur", &kept, Fence(5)).await.unwrap();
    let error = earlier.save_model("blur", &model("[3]"), Fence(4)).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced), "{error:?}");
    assert!(!error.may_pass());
    assert_eq!(store(&roto.url()).await.model("blur").await.unwrap(), Some(kept.clone()));
    assert_eq!(earlier.model("blur").await.unwrap(), Some(kept), "it forgets its own at once");
}

#[tokio::test]
async fn asking_often_reads_seldom() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    let writer = store(&roto.url()).await;
    writer.append(&rows("blur", 20)).await.unwrap();
    writer.save_model("blur", &model("{}"), Fence(1)).await.unwrap();
    let store = store_with(&wire.url(), "share_interval = \"1h\"").await;
    let since = now() - std::time::Duration::from_mins(1);
    for _ in 0..500 {
        assert!(store.model("blur").await.unwrap().is_some());
        assert_eq!(store.recent("blur", 10, since).await.unwrap().len(), 10);
    }
    // The model, and the names of the features.
    assert_eq!(wire.count(&["GetItem"]), 2);
    // Eight shards of tomorrow, of today and, just after midnight, of yesterday.
    assert!((16..=24).contains(&wire.count(&["Query"])), "{}", wire.count(&["Query"]));
}
