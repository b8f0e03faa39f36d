//! What every store of objects does, whatever it is kept in.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use weighbridge_proxy::jobs::objects::{ObjectError, ObjectWriter, Objects};

/// A test of each function of the contract. `$fresh` gives an empty store, and what it lives by.
macro_rules! contract {
    ($fresh:path) => {
        crate::job_objects::contract!(
            $fresh:
            what_was_written_is_read,
            what_is_there_is_never_changed,
            what_is_not_finished_is_not_there,
            what_is_deleted_is_gone,
            a_list_comes_in_the_order_of_keys_and_in_parts,
            a_key_is_no_path,
        );
    };
    ($fresh:path: $($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (_home, fresh) = $fresh().await;
            crate::job_objects::$name(fresh).await;
        }
    )*};
}
pub(crate) use contract;

pub(crate) type Store = Arc<dyn Objects>;

async fn put(store: &Store, key: &str, pieces: &[Bytes]) -> Result<(), ObjectError> {
    begin(store, key, pieces).await.finish().await
}

async fn begin(store: &Store, key: &str, pieces: &[Bytes]) -> Box<dyn ObjectWriter> {
    let mut writer = store.create(key).await.unwrap();
    for piece in pieces {
        writer.write(piece.clone()).await.unwrap();
    }
    writer
}

async fn get(store: &Store, key: &str) -> Option<(u64, Bytes)> {
    let mut reader = store.open(key).await.unwrap()?;
    let mut read = BytesMut::new();
    while let Some(piece) = reader.next().await.unwrap() {
        assert!(!piece.is_empty());
        read.extend_from_slice(&piece);
    }
    Some((reader.bytes(), read.freeze()))
}

pub(crate) async fn what_was_written_is_read(store: Store) {
    let large = Bytes::from((0..3_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<u8>>());
    let pieces: Vec<Bytes> = (0..30).map(|n| large.slice(n * 100_000..(n + 1) * 100_000)).collect();
    put(&store, "large.request", &pieces).await.unwrap();
    put(&store, "empty.request", &[]).await.unwrap();
    assert_eq!(get(&store, "large.request").await, Some((3_000_000, large)));
    assert_eq!(get(&store, "empty.request").await, Some((0, Bytes::new())));
    assert_eq!(get(&store, "none.request").await, None);
}

pub(crate) async fn what_is_there_is_never_changed(store: Store) {
    let [one, other] = [b"one".as_slice(), b"other"].map(Bytes::from_static);
    let first = begin(&store, "a.1.answer", std::slice::from_ref(&one)).await;
    let second = begin(&store, "a.1.answer", std::slice::from_ref(&other)).await;
    assert_eq!(get(&store, "a.1.answer").await, None, "neither has ended");
    second.finish().await.unwrap();
    assert!(matches!(first.finish().await, Err(ObjectError::Exists)));
    let third = put(&store, "a.1.answer", &[one]).await;
    assert!(matches!(third, Err(ObjectError::Exists)));
    assert_eq!(get(&store, "a.1.answer").await, Some((5, other)));
}

pub(crate) async fn what_is_not_finished_is_not_there(store: Store) {
    drop(begin(&store, "a.request", &[Bytes::from_static(b"half")]).await);
    assert_eq!(get(&store, "a.request").await, None);
    assert_eq!(store.list(None, 10).await.unwrap(), []);
    put(&store, "a.request", &[Bytes::from_static(b"whole")]).await.unwrap();
    assert_eq!(get(&store, "a.request").await.unwrap().1, "whole");
}

pub(crate) async fn what_is_deleted_is_gone(store: Store) {
    put(&store, "a.request", &[]).await.unwrap();
    store.delete("a.request").await.unwrap();
    store.delete("a.request").await.unwrap();
    assert_eq!(get(&store, "a.request").await, None);
    put(&store, "a.request", &[]).await.unwrap();
}

pub(crate) async fn a_list_comes_in_the_order_of_keys_and_in_parts(store: Store) {
    for key in ["cc.request", "aa.request", "bb.request"] {
        put(&store, key, &[]).await.unwrap();
    }
    let keys = async |after: Option<&str>, most| -> Vec<String> {
        let listed = store.list(after, most).await.unwrap();
        listed.into_iter().map(|info| info.key).collect()
    };
    assert_eq!(keys(None, 2).await, ["aa.request", "bb.request"]);
    assert_eq!(keys(Some("bb.request"), 2).await, ["cc.request"]);
    assert_eq!(keys(Some("cc.request"), 2).await, [""; 0]);
}

pub(crate) async fn a_key_is_no_path(store: Store) {
    for key in ["", "a", "../x.request", "a/b.request", ".a.request", "a\0b", &"x".repeat(200)] {
        assert!(matches!(store.open(key).await, Err(ObjectError::Key(_))), "{key:?}");
        assert!(matches!(store.create(key).await, Err(ObjectError::Key(_))), "{key:?}");
        assert!(matches!(store.delete(key).await, Err(ObjectError::Key(_))), "{key:?}");
    }
}
