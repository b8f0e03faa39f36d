//! Hosts that speak HTTP/2, as gRPC servers do: messages both ways, and trailers at the end.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::handshake;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::balancer::Balancer;

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Sends the message back in two pieces, and the status in the trailers, as gRPC does.
async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    assert_eq!(request.version(), Version::HTTP_2);
    if request.uri().path() == "/readyz" || request.uri().path() == "/load" {
        let status = if request.uri().path() == "/readyz" { 415 } else { 404 };
        let body = Full::new(Bytes::new()).boxed();
        return Ok(Response::builder().status(status).body(body).expect("an answer"));
    }
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let asked = request.into_body().collect().await.expect("a message");
    let trailers = asked.trailers().cloned().unwrap_or_default();
    let message = asked.to_bytes();
    let (first, second) = (message.slice(..message.len() / 2), message.slice(message.len() / 2..));
    let mut last = HeaderMap::new();
    last.insert("grpc-status", "0".parse().expect("a value"));
    last.insert("grpc-message", "done".parse().expect("a value"));
    for (name, value) in &trailers {
        last.insert(name, value.clone());
    }
    let frames = [Frame::data(first), Frame::data(second), Frame::trailers(last)];
    let frames = futures_util::stream::iter(frames.map(Ok));
    let body = BodyExt::boxed(StreamBody::new(frames));
    Ok(Response::builder().header("content-type", "application/grpc").body(body).expect("one"))
}

async fn host() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = http2::Builder::new(TokioExecutor::new());
            let serving = server.serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(async move { drop(serving.await) });
        }
    });
    address
}

#[test]
fn messages_and_trailers_pass_to_hosts_that_speak_http2() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let host = host().await;
        let config = format!(
            "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"127.0.0.1:1\" }}]\n\
             timeouts.report_interval = \"20ms\"\nfleets.grpc.protocol = \"h2c\"\n\
             fleets.grpc.hosts = [{{ address = \"{host}\" }}]\n\
             [[routes]]\nname = \"grpc\"\npath = \"/pkg.Service/\"\nbody = \"stream\"\n\
             fleet = \"grpc\"\n[[routes]]\nname = \"rest\"\npath = \"/\"\n"
        );
        let balancer = tokio::task::spawn_blocking(move || Balancer::configured(&config));
        let balancer = balancer.await.expect("it starts");
        let stream = TcpStream::connect(balancer.address).await.expect("it listens");
        let (mut client, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        for size in [1, 100, 200_000] {
            let message = Bytes::from(crate::client::pattern(size));
            let request = Request::post("http://weighbridge/pkg.Service/Method")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(Full::new(message.clone()))
                .expect("a request");
            client.ready().await.expect("it takes requests");
            let answer = client.send_request(request).await.expect("an answer");
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["content-type"], "application/grpc");
            let whole = answer.into_body().collect().await.expect("all of it");
            let trailers = whole.trailers().cloned().expect("trailers");
            assert_eq!(
                (&trailers["grpc-status"], &trailers["grpc-message"]),
                (
                    &"0".parse::<http::HeaderValue>().expect("a value"),
                    &"done".parse::<http::HeaderValue>().expect("a value"),
                )
            );
            assert!(whole.to_bytes() == message, "{size}");
        }
    });
}
