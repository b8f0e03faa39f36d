use std::io::Read;
use std::time::Instant;

use tokio::net::TcpListener;

use super::*;
use crate::stage::from_unread;

/// Both ends of a connection: ours, and the client's, which never waits.
async fn connected() -> (ClientStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nonblocking(true).unwrap();
    let (connection, _) = listener.accept().await.unwrap();
    (ClientStream::new(connection.into()), client)
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
