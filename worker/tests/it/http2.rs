//! HTTP/2 without TLS, on the same port.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use weighbridge_instrument::LoadReport;

use crate::fixture::{Running, bmp, data_url, file_of, raytrace_target, sphere};

async fn connect(worker: &Running) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(worker.address).await.expect("the worker listens");
    let (sender, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    target: &str,
    body: Vec<u8>,
) -> http::Response<Bytes> {
    let request = Request::post(format!("http://worker{target}"));
    let request = request.body(Full::new(Bytes::from(body))).expect("it is a request");
    sender.ready().await.expect("the connection lives");
    let (head, body) = sender.send_request(request).await.expect("it is answered").into_parts();
    http::Response::from_parts(head, body.collect().await.expect("it ends").to_bytes())
}

#[tokio::test]
async fn one_connection_carries_many_requests_at_once() {
    let worker = Running::start(1);
    let sender = connect(&worker).await;
    let requests = (1..=74).map(|cols| {
        let mut sender = sender.clone();
        let target = raytrace_target(cols, 3);
        (cols, tokio::spawn(async move { post(&mut sender, &target, sphere()).await }))
    });
    for (cols, request) in requests.collect::<Vec<_>>() {
        let answer = request.await.expect("no panic");
        assert_eq!(answer.status(), StatusCode::OK);
        let file = file_of("bmp", str::from_utf8(answer.body()).expect("a data URL"));
        // A head, and rows that are filled up to four bytes.
        assert_eq!(file.len(), 54 + 3 * (3 * cols as usize).next_multiple_of(4), "{cols} columns");
        let report = answer.headers()["endpoint-load-metrics"].to_str().expect("ASCII");
        LoadReport::decode_header(report).expect("a report");
    }
}

#[tokio::test]
async fn a_long_body_and_a_refused_one_share_a_connection() {
    let worker = Running::configured(|config| config.limits.body_bytes = 4 << 20);
    let mut sender = connect(&worker).await;
    let body = data_url("bmp", &bmp(1000, 900));
    let refused = post(&mut sender, "/blurimage", vec![b'x'; 5 << 20]).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    let answer = post(&mut sender, "/blurimage", body).await;
    assert_eq!(answer.status(), StatusCode::OK);
}
