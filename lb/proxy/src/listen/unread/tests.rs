use std::io::Read;
use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::super::wire::HeadLimits;
use super::*;
use crate::stage::from_unread;

/// Both ends of a connection: ours, and the client's, which never waits.
async fn connected() -> (ClientStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nonblocking(true).unwrap();
    let (connection, _) = listener.accept().await.unwrap();
    let head = HeadLimits { bytes_max: 1000, fields_max: 8 };
    let limits = HeardLimits { head, head_read: Duration::from_millis(10) };
    (ClientStream::http1(Transport::Plain(connection.into()), Bytes::new(), limits), client)
}

/// What has come so far.
fn taken(client: &mut std::net::TcpStream) -> String {
    let mut bytes = [0; 4096];
    let length = client.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// What comes at once, waited for.
async fn next(client: &mut std::net::TcpStream) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = taken(client);
        if !text.is_empty() || deadline < Instant::now() {
            return text;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_head_goes_out_with_the_first_piece_of_its_body() {
    let (mut stream, mut client) = connected().await;
    from_unread(async {
        stage::enter(Stage::Read);
        stream.write_all(b"head ").await.unwrap();
        assert_eq!(taken(&mut client), "");
        stream.write_all(b"body").await.unwrap();
        assert_eq!(next(&mut client).await, "head body");
        stream.write_all(b" and more").await.unwrap();
        assert_eq!(next(&mut client).await, " and more");
    })
    .await;
}

#[tokio::test]
async fn a_flush_sends_a_head_alone() {
    let (mut stream, mut client) = connected().await;
    from_unread(async {
        stage::enter(Stage::Read);
        stream.write_all(b"head").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(next(&mut client).await, "head");
    })
    .await;
}

#[tokio::test]
async fn a_head_that_nothing_follows_is_sent_when_the_connection_ends() {
    let (mut stream, mut client) = connected().await;
    from_unread(async {
        stage::enter(Stage::Read);
        stream.write_all(b"head").await.unwrap();
    })
    .await;
    drop(stream);
    assert_eq!(next(&mut client).await, "head");
}

#[tokio::test]
async fn a_long_body_follows_its_head_whole() {
    let (mut stream, client) = connected().await;
    client.set_nonblocking(false).unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let (mut client, mut all) = (client, Vec::new());
        client.read_to_end(&mut all).map(|_| all)
    });
    let body = vec![b'.'; 8 << 20];
    from_unread(async {
        stage::enter(Stage::Read);
        stream.write_all(b"head").await.unwrap();
        stream.write_all(&body).await.unwrap();
    })
    .await;
    drop(stream);
    let all = read.await.unwrap().unwrap();
    assert_eq!(all.len(), 4 + body.len());
    assert!(all.starts_with(b"head."));
}

#[tokio::test]
async fn what_is_written_before_a_request_was_read_is_replaced() {
    let (mut stream, mut client) = connected().await;
    from_unread(async { stream.write_all(b"bare").await.unwrap() }).await;
    assert!(next(&mut client).await.starts_with("HTTP/1.1 400"));
}

/// What the stream gives to the parser before it breaks off, of what the client has `sent`, and
/// what the client gets.
async fn heard(sent: &[u8]) -> (Vec<u8>, io::Error, String) {
    let (mut stream, mut client) = connected().await;
    std::io::Write::write_all(&mut client, sent).unwrap();
    let (all, error) = from_unread(async {
        let mut all = Vec::new();
        let error = loop {
            match stream.read_buf(&mut all).await {
                Ok(length) => assert_ne!(length, 0),
                Err(error) => break error,
            }
        };
        client.shutdown(std::net::Shutdown::Write).unwrap();
        AsyncWriteExt::shutdown(&mut stream).await.unwrap();
        (all, error)
    })
    .await;
    client.set_nonblocking(false).unwrap();
    drop(stream);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    (all, error, answer)
}

#[tokio::test]
async fn a_head_that_does_not_end_in_time_is_answered() {
    let (all, error, answer) = heard(b"GET / HT").await;
    assert_eq!((all.as_slice(), error.kind()), (b"GET / HT".as_slice(), io::ErrorKind::TimedOut));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_head_of_too_many_fields_is_answered() {
    let head = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(9));
    let (all, error, answer) = heard(head.as_bytes()).await;
    assert!(!all.ends_with(b"\r\n\r\n"));
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn what_is_no_chunk_does_not_come_through() {
    let good = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    let smuggled = "\r\n37\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n";
    let (all, error, answer) = heard(format!("{good}{smuggled}").as_bytes()).await;
    assert_eq!(answer, "");
    assert_eq!(String::from_utf8(all).unwrap(), good);
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn what_had_come_before_is_read_first() {
    let (mut stream, mut client) = connected().await;
    stream.begun = Bytes::from_static(b"PRI");
    std::io::Write::write_all(&mut client, b" *").unwrap();
    let mut all = [0; 5];
    from_unread(stream.read_exact(&mut all)).await.unwrap();
    assert_eq!(&all, b"PRI *");
}
