use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use clap::Parser;
use clap::error::ErrorKind;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    accuracy: Accuracy,
}

/// Every tenth request costs three times its estimate, the others a twentieth less than that.
fn answer(request: &hyper::Request<Incoming>, n_sent: &AtomicU32) -> hyper::Response<Full<Bytes>> {
    if request.uri().path() == "/models" {
        let route = serde_json::json!({
            "observations": 5, "estimator": "linear", "features": ["body.bytes"], "model": null,
        });
        let body = serde_json::json!({
            "routes": { "blur": route, "enhance": route, "raytrace": route }
        });
        return hyper::Response::new(Full::from(body.to_string()));
    }
    let is_tenth = n_sent.fetch_add(1, Ordering::Relaxed).is_multiple_of(10);
    let work = if is_tenth { 60.0 } else { 19.0 };
    let timing =
        format!("wait;dur=0, estimate;dur=20;desc=\"model\", estimate-p90;dur=30, work;dur={work}");
    let answer = hyper::Response::builder().header("server-timing", timing);
    answer.body(Full::default()).unwrap()
}

/// A balancer that only pretends, until the test ends.
async fn pretend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let n_sent = Arc::new(AtomicU32::new(0));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let n_sent = n_sent.clone();
            let service = service_fn(move |request| {
                let answer = answer(&request, &n_sent);
                async move { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(connection), service).await.unwrap();
            });
        }
    });
    address
}

fn arguments(line: &str) -> Result<Accuracy, clap::Error> {
    Line::try_parse_from(line.split(' ')).map(|line| line.accuracy)
}

#[tokio::test]
async fn the_command_judges_what_a_balancer_tells() {
    let url = format!("http://{}", pretend().await);
    let line = format!("accuracy --requests 2 --held-out 10 --seed 3 --url {url} --admin {url}");
    let results = arguments(&line).unwrap().measure().await.unwrap();

    assert_eq!(results.len(), 3);
    for result in &results {
        assert_eq!((result.score.held_out, result.score.by_model), (10, 10));
        assert!((result.score.mdape - 1.0 / 19.0).abs() < 1e-9, "{result:?}");
        assert!(
            (result.score.p90_coverage - 0.9).abs() < 1e-9,
            "3 of 30 cost too much: {result:?}"
        );
        assert!(0.0 < result.timing.extract_seconds && 0.0 < result.timing.estimate_seconds);
    }
    let table = table::markdown(&results);
    assert_eq!(table.lines().count(), 5, "{table}");
    let row = table.lines().nth(2).unwrap();
    assert!(row.starts_with("| blur | 2 | 10 | 19 ms, 19 ms, "), "{row}");
    assert!(row.contains("| linear | 5.3 % |"), "{row}");
}

#[tokio::test]
async fn a_server_that_tells_nothing_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let line = format!("accuracy --requests 1 --held-out 1 --url {url} --admin {url}");
    let error = arguments(&line).unwrap().measure().await.unwrap_err();
    assert!(matches!(error, AccuracyError::Client(ClientError::NoAnswer(..))), "{error:?}");
}

#[test]
fn a_url_needs_an_admin_url_and_numbers_are_bounded() {
    let mistake = |line| arguments(line).err().map(|error| error.kind());
    assert_eq!(mistake("accuracy"), None);
    let alone = mistake("accuracy --url http://127.0.0.1:1");
    assert_eq!(alone, Some(ErrorKind::MissingRequiredArgument));
    assert_eq!(mistake("accuracy --requests 0"), Some(ErrorKind::ValueValidation));
    assert_eq!(mistake("accuracy --held-out 100001"), Some(ErrorKind::ValueValidation));
}
