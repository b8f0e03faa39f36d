//! Throttling, outages, refusals, and a DynamoDB that is killed.

use std::time::UNIX_EPOCH;

use weighbridge_aws::dynamodb::DynamoStore;
use weighbridge_proxy::store::{ObservationStore, StoreError, StoredObservation};

use super::{rows, store, store_with};
use crate::emulators::Emulator;
use crate::wire::Wire;

/// Answers `code` to so many of the requests `operation`.
fn rule(operation: &str, code: &str, status: u16, probability: f64) -> String {
    format!(
        r#"[{{"service":"dynamodb","operation":"{operation}","probability":{probability},
            "error":{{"code":"{code}","status":{status}}}}}]"#
    )
}

/// A store behind a microburst, which is slow to begin with.
async fn patient(url: &str) -> DynamoStore {
    store_with(url, "[store.dynamodb]\ntimeout = \"1m\"").await
}

async fn refusal(code: &str, status: u16) -> StoreError {
    let roto = Emulator::roto(None);
    let between = Emulator::microburst(&roto);
    let store = patient(&between.url()).await;
    store.prepare().await.expect("nothing is wrong yet");
    between.rules(&rule("BatchWriteItem", code, status, 1.0));
    store.append(&rows("blur", 1)).await.expect_err("it is refused")
}

#[tokio::test]
async fn throttling_may_pass() {
    let error = refusal("ProvisionedThroughputExceededException", 400).await;
    assert!(matches!(error, StoreError::Throttled(_)), "{error:?}");
    assert!(error.may_pass() && error.is_outage());
}

#[tokio::test]
async fn trouble_of_its_own_may_pass() {
    let error = refusal("InternalServerError", 500).await;
    assert!(matches!(error, StoreError::Away(_)), "{error:?}");
    assert!(error.may_pass() && error.is_outage());
}

#[tokio::test]
async fn missing_permission_is_the_operators_to_mend_and_may_pass() {
    let error = refusal("AccessDeniedException", 400).await;
    assert!(matches!(error, StoreError::Denied(_)), "{error:?}");
    assert!(error.may_pass() && !error.is_outage());
}

#[tokio::test]
async fn what_is_invalid_never_passes() {
    let error = refusal("ValidationException", 400).await;
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert!(!error.may_pass());
}

#[tokio::test]
async fn an_absent_dynamodb_may_pass_and_is_used_when_it_is_there() {
    let roto = Emulator::roto(None);
    let wire = Wire::before(roto.address());
    wire.cut();
    let store = store(&wire.url()).await;
    let written = rows("blur", 1);
    let error = store.append(&written).await.unwrap_err();
    assert!(matches!(error, StoreError::Away(_)), "{error:?}");
    assert!(error.may_pass() && error.is_outage());
    wire.mend();
    store.append(&written).await.unwrap();
    assert_eq!(store.recent("blur", 10, UNIX_EPOCH).await.unwrap(), written);
}

/// Writes `rows` by `batch`, again and again until each is taken.
async fn write_all(store: &impl ObservationStore, rows: &[StoredObservation], batch: usize) -> u32 {
    let mut refused = 0;
    for batch in rows.chunks(batch) {
        while let Err(error) = store.append(batch).await {
            assert!(error.may_pass(), "{error:?}");
            refused += 1;
            assert!(refused < 200, "{error:?}");
        }
    }
    refused
}

#[tokio::test]
async fn three_of_ten_writes_throttled_lose_and_double_nothing() {
    let roto = Emulator::roto(None);
    let between = Emulator::microburst(&roto);
    let store = patient(&between.url()).await;
    store.prepare().await.unwrap();
    between.rules(&rule("BatchWriteItem", "ProvisionedThroughputExceededException", 400, 0.3));
    // So many requests that one chance in 10^9 is left for none of them to be refused.
    let written = rows("blur", 1500);
    write_all(&store, &written, 50).await;
    assert_ne!(between.fired(), 0);
    assert_eq!(
        super::store(&roto.url()).await.recent("blur", 2000, UNIX_EPOCH).await.unwrap(),
        written
    );
}

#[tokio::test]
async fn what_is_left_unprocessed_is_written_again() {
    let roto = Emulator::roto(None);
    let left = unprocessing::before(roto.address(), 3);
    let store = store(&left).await;
    let written = rows("blur", 30);
    store.append(&written).await.unwrap();
    assert_eq!(store.recent("blur", 100, UNIX_EPOCH).await.unwrap(), written);
    let all = unprocessing::before(roto.address(), usize::MAX);
    let error = super::store(&all).await.append(&rows("blur", 2)).await.unwrap_err();
    assert!(matches!(error, StoreError::Throttled(_)), "{error:?}");
}

#[tokio::test]
async fn a_dynamodb_that_is_killed_keeps_what_it_said_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let roto = Emulator::roto(Some(folder.path()));
    let store = store(&roto.url()).await;
    let written = rows("blur", 400);
    let mut taken = 0;
    for batch in written[..200].chunks(25) {
        store.append(batch).await.unwrap();
        taken += batch.len();
    }
    roto.kill();
    assert!(store.append(&written[200..]).await.unwrap_err().may_pass());
    let roto = Emulator::roto(Some(folder.path()));
    let store = super::store(&roto.url()).await;
    let recent = store.recent("blur", 1000, UNIX_EPOCH).await.unwrap();
    assert_eq!(recent, written[..taken]);
    store.append(&written).await.unwrap();
    assert_eq!(store.recent("blur", 1000, UNIX_EPOCH).await.unwrap().len(), written.len());
}

mod unprocessing {
    //! A DynamoDB that leaves the first writes unprocessed, which no emulator does.

    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    /// In front of `upstream`; leaves all of the first `n` batches unprocessed. Its threads end
    /// with the test.
    pub(super) fn before(upstream: SocketAddr, n: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let left = Arc::new(AtomicUsize::new(n));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let left = Arc::clone(&left);
                thread::spawn(move || serve(client, upstream, &left));
            }
        });
        url
    }

    /// One request after the other. Ends with the connection.
    fn serve(mut client: TcpStream, upstream: SocketAddr, left: &AtomicUsize) -> Option<()> {
        loop {
            let (head, body) = read(&mut client)?;
            let is_write = head.contains("DynamoDB_20120810.BatchWriteItem");
            let take = |left: usize| left.checked_sub(1);
            let answer = if is_write
                && left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
            {
                let request: serde_json::Value = serde_json::from_slice(&body).ok()?;
                let said = serde_json::json!({ "UnprocessedItems": request["RequestItems"] });
                let said = said.to_string();
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n\
                     Content-Length: {}\r\n\r\n{said}",
                    said.len()
                )
                .into_bytes()
            } else {
                let mut onward = TcpStream::connect(upstream).ok()?;
                onward.write_all(head.as_bytes()).ok()?;
                onward.write_all(&body).ok()?;
                let (head, body) = read(&mut onward)?;
                [head.into_bytes(), body].concat()
            };
            client.write_all(&answer).ok()?;
        }
    }

    /// A message, head and body.
    fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?;
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let mut body = vec![0; length?.1.parse().ok()?];
        stream.read_exact(&mut body).ok()?;
        Some((head, body))
    }
}
