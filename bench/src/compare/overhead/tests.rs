use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::hammer::Hammered;
use super::*;
use crate::compare::Spread;

fn spread(median: f64) -> Spread {
    Spread { median, least: median / 2.0, most: median * 2.0 }
}

fn hammered(answered: u64, cpu: f64, p50: f64) -> Hammered {
    Hammered { answered, failed: 0, time: Duration::from_secs(2), p50, p99: p50 * 10.0, cpu }
}

const SHAPE: Shape = Shape { direction: Direction::Answer, body_bytes: 10_000, connections: 32 };

/// Two rounds; the second has half the speed.
fn slices() -> Vec<Slice> {
    let of = |target, round, hammered| Slice { target, shape: SHAPE, round, hammered };
    vec![
        of("direct", 0, hammered(80_000, 0.0, 1e-4)),
        of("pingora", 0, hammered(40_000, 1.0, 3e-4)),
        of("weighbridge", 0, hammered(20_000, 0.6, 4e-4)),
        of("direct", 1, hammered(40_000, 0.0, 2e-4)),
        of("pingora", 1, hammered(20_000, 1.0, 6e-4)),
        of("weighbridge", 1, hammered(10_000, 0.6, 8e-4)),
    ]
}

async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(still::serve(listener));
    address
}

#[test]
fn proxies_are_compared_within_a_round() {
    let rows = rows::of(&slices(), SHAPE, &["direct", "pingora", "weighbridge"]);
    let ours = &rows[2];
    assert_eq!((ours.rounds, ours.requests), (2, 30_000));
    let over = ours.cpu_over_pingora.unwrap();
    assert!((over.least - 1.2).abs() < 1e-9 && (over.most - 1.2).abs() < 1e-9, "{over:?}");
    let added = ours.added_p50.unwrap();
    assert!((added.least - 3e-4).abs() < 1e-9 && (added.most - 6e-4).abs() < 1e-9, "{added:?}");
    assert_eq!(rows[0].cpu_micros, None);
}

#[test]
fn the_table_tells_of_everybody() {
    let row = OverheadRow {
        experiment: "overhead",
        proxy: "weighbridge",
        direction: Direction::Answer,
        body_bytes: 0,
        connections: 32,
        rounds: 3,
        requests: 10,
        failed: 0,
        requests_per_second: spread(30_000.0),
        cpu_micros: Some(spread(24.0)),
        cpu_over_pingora: Some(spread(1.04)),
        p50: spread(1e-3),
        p99: spread(2e-3),
        added_p50: Some(spread(1e-4)),
        added_p99: Some(Spread { median: -1e-4, least: -2e-4, most: 1e-4 }),
    };
    let direct = OverheadRow {
        proxy: "direct",
        cpu_micros: None,
        cpu_over_pingora: None,
        added_p50: None,
        added_p99: None,
        ..row.clone()
    };
    let rows = vec![direct, row];
    let measured = Measured { setting: "How.".to_owned(), rows, missing: vec![Proxy::Nginx] };
    assert_eq!(
        table::markdown(&measured),
        "How.

### 0 bytes, 32 connections

| proxy | requests per second | CPU µs per request | times bare pingora | added p50 | added p99 | failed |
|---|---|---|---|---|---|---|
| direct | 30000 (15000–60000) | – | – | – | – | 0 |
| weighbridge | 30000 (15000–60000) | 24.0 (12.0–48.0) | 1.04 (0.52–2.08) | 100 µs (50 µs–200 µs) | −100 µs (−200 µs–100 µs) | 0 |
| nginx | not there: `bench/peers/install.sh nginx` | – | – | – | – | – |
"
    );
}

#[test]
fn plots_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows::of(&slices(), SHAPE, &["direct", "pingora", "weighbridge"]);
    plot::overhead(folder.path(), &rows).unwrap();
    let picture = std::fs::read_to_string(folder.path().join("overhead-cpu-10000.svg")).unwrap();
    assert!(picture.contains("weighbridge") && picture.contains("32 connections"));
}

#[test]
fn sizes_are_read_and_bounded() {
    assert_eq!(body_bytes("0"), Ok(0));
    assert_eq!(body_bytes("500B"), Ok(500));
    assert_eq!(body_bytes("10kB"), Ok(10_000));
    assert_eq!(body_bytes("1MB"), Ok(1_000_000));
    for nonsense in ["", "kB", "-1", "1GB", "17MB", "1 MB", "99999999999999999999"] {
        assert!(body_bytes(nonsense).is_err(), "{nonsense}");
    }
}

#[tokio::test]
async fn every_right_answer_is_counted() {
    let address = server().await;
    for direction in [Direction::Answer, Direction::Request] {
        for body_bytes in [0, 10_000, 200_000] {
            let shape = Shape { direction, body_bytes, connections: 3 };
            let result = hammer(address, shape, Duration::from_millis(50), || 0.0).await;
            assert_eq!(result.failed, 0, "{shape:?}");
            assert!(0 < result.answered && result.p50 <= result.p99, "{shape:?}: {result:?}");
        }
    }
}

#[tokio::test]
async fn wrong_answers_are_failures() {
    let address = server().await;
    let body_bytes = still::BYTES_MAX + 1;
    let shape = Shape { direction: Direction::Answer, body_bytes, connections: 1 };
    assert!(!hammer::answers(address, shape).await);
    let result = hammer(address, shape, Duration::from_millis(50), || 0.0).await;
    assert!(result.answered == 0 && 0 < result.failed, "{result:?}");
}

#[tokio::test]
async fn the_server_reads_requests_in_any_pieces() {
    let mut stream = TcpStream::connect(server().await).await.unwrap();
    let (one, other) =
        ("POST /2 HTTP/1.1\r\ncontent-le", "ngth: 3\r\n\r\nabcGET /x HTTP/1.1\r\n\r\n");
    for piece in [one, other] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let expected = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n..HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let mut answers = vec![0; expected.len()];
    stream.read_exact(&mut answers).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answers), expected);
}
