//! The objects in S3.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use weighbridge_proxy::jobs::objects::{ObjectError, Objects as _};

use super::{BUCKET, objects, s3_client};
use crate::emulators::Emulator;
use crate::job_objects as contract;

async fn fresh() -> (Emulator, contract::Store) {
    let roto = Emulator::roto(None);
    let objects = objects(&roto.url()).await;
    (roto, objects)
}

contract::contract!(fresh);

fn large() -> Bytes {
    (0..20_000_003_u32).map(|n| (n % 253) as u8).collect::<Vec<u8>>().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_goes_in_parts_and_what_is_given_up_leaves_nothing() {
    let roto = Emulator::roto(None);
    let store = objects(&roto.url()).await;
    let large = large();
    let mut writer = store.create("large.request").await.unwrap();
    for piece in large.chunks(777_777) {
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    assert!(store.open("large.request").await.unwrap().is_none(), "it has not ended");
    writer.finish().await.unwrap();
    let mut reader = store.open("large.request").await.unwrap().unwrap();
    assert_eq!(reader.bytes(), large.len() as u64);
    let mut read = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert_eq!(Bytes::from(read), large);

    let mut given_up = store.create("other.request").await.unwrap();
    given_up.write(large.slice(..9 << 20)).await.unwrap();
    drop(given_up);
    let client = s3_client(&roto.url()).await;
    for tries in 0.. {
        let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
        if uploads.uploads().is_empty() {
            break;
        }
        assert!(tries < 500, "{uploads:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(store.open("other.request").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_others_in_the_bucket_are_not_ours() {
    let roto = Emulator::roto(None);
    let store = objects(&roto.url()).await;
    let client = s3_client(&roto.url()).await;
    let put = client.put_object().bucket(BUCKET).key("other/x.request");
    put.body(Bytes::from_static(b"x").into()).send().await.unwrap();
    assert_eq!(store.list(None, 10).await.unwrap(), []);
    assert!(store.open("x.request").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_not_there_is_away() {
    let roto = Emulator::roto(None);
    let store = objects(&roto.url()).await;
    s3_client(&roto.url()).await.delete_bucket().bucket(BUCKET).send().await.unwrap();
    let writer = store.create("a.request").await.unwrap();
    assert!(matches!(writer.finish().await, Err(ObjectError::Away(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_to_the_object_with_what_it_is() {
    let roto = Emulator::roto(None);
    let store = objects(&roto.url()).await;
    let mut writer = store.create("a.1.answer").await.unwrap();
    writer.write(Bytes::from_static(b"result")).await.unwrap();
    writer.finish().await.unwrap();
    let mut head = HeaderMap::new();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/png"));
    let link = store.link("a.1.answer", &head).await.unwrap().unwrap();
    let path = link.strip_prefix(&roto.url()).expect("it leads there");
    for part in ["X-Amz-Expires=60", "image%2Fpng", "X-Amz-Signature="] {
        assert!(path.contains(part), "{part}: {path}");
    }
    let answer = roto.ask("GET", path, "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nresult"), "{answer}");
}
