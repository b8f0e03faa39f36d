//! HTTP/2 with prior knowledge.

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::balancer::Balancer;
use crate::client::pattern;
use crate::host::Host;

type AnyBody = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

#[test]
fn bodies_of_every_size_come_through_with_and_without_a_length() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    run(async {
        let client = connect(&balancer).await;
        for target in ["/held", "/stream"] {
            for size in [0, 1, 65_535, 65_537, 3_000_000] {
                let body = Bytes::from(pattern(size));
                for sent in [whole(body.clone()), pieces(&body)] {
                    let answer = ask(client.clone(), "POST", target, sent).await;
                    assert_eq!(answer.status(), 200, "{target} {size}");
                    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
                    assert!(*answer.body() == body, "{target} {size}");
                }
            }
        }
    });
    assert_eq!(host.last().headers("host"), ["weighbridge"]);
}

#[test]
fn many_streams_share_a_connection() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    run(async {
        let client = connect(&balancer).await;
        let mut asked = tokio::task::JoinSet::new();
        for i in 0..90 {
            let client = client.clone();
            asked.spawn(async move {
                let body = Bytes::from(pattern(1000 * i));
                let target = ["/held", "/stream"][i % 2];
                let answer = ask(client, "POST", target, pieces(&body)).await;
                (answer.status().as_u16(), *answer.body() == body)
            });
        }
        while let Some(answer) = asked.join_next().await {
            assert_eq!(answer.expect("it is answered"), (200, true));
        }
    });
}

#[test]
fn refusals_are_problems_and_leave_the_connection_open() {
    let host = Host::mirror();
    let more = "limits.body_bytes = \"1MiB\"\nlimits.header_bytes = \"8KiB\"\n";
    let balancer = Balancer::before(&[host.address], more);
    run(async {
        let client = connect(&balancer).await;
        let body = Bytes::from(vec![b'a'; 3 << 20]);
        for target in ["/held", "/stream"] {
            for sent in [whole(body.clone()), pieces(&body)] {
                assert_problem(&ask(client.clone(), "POST", target, sent).await, 413);
            }
        }
        assert_problem(&ask(client.clone(), "GET", "/nowhere", whole(Bytes::new())).await, 404);
        let long = Request::get("http://weighbridge/held").header("x-long", "a".repeat(9000));
        let long = long.body(whole(Bytes::new())).expect("a request");
        assert_problem(&send(client.clone(), long).await, 431);
        let answer = ask(client.clone(), "OPTIONS", "/anywhere", whole(Bytes::new())).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers()["access-control-allow-methods"], "GET, POST, OPTIONS");
        assert_eq!(ask(client, "HEAD", "/", whole(Bytes::new())).await.status(), 200);
    });
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(crate::client::DEADLINE, test).await.expect("it ends in time");
    });
}

pub(crate) async fn connect(balancer: &Balancer) -> SendRequest<AnyBody> {
    let stream = tokio::net::TcpStream::connect(balancer.address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is a socket");
    let (client, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    client
}

async fn ask(
    client: SendRequest<AnyBody>,
    method: &str,
    target: &str,
    body: AnyBody,
) -> Response<Bytes> {
    let request = Request::builder().method(method).uri(format!("http://weighbridge{target}"));
    send(client, request.body(body).expect("a request")).await
}

pub(crate) async fn send(
    mut client: SendRequest<AnyBody>,
    request: Request<AnyBody>,
) -> Response<Bytes> {
    client.ready().await.expect("it is open");
    let answer = client.send_request(request).await.expect("it is answered");
    assert_eq!(answer.version(), Version::HTTP_2);
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, collect(body).await)
}

async fn collect(body: Incoming) -> Bytes {
    body.collect().await.expect("it is whole").to_bytes()
}

/// A body that says its length.
fn whole(bytes: Bytes) -> AnyBody {
    Full::new(bytes).boxed()
}

/// A body that does not.
fn pieces(bytes: &Bytes) -> AnyBody {
    let pieces: Vec<_> = bytes.chunks(10_000).map(Bytes::copy_from_slice).collect();
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    assert_eq!(body.size_hint().exact(), None);
    body.boxed()
}

fn assert_problem(answer: &Response<Bytes>, status: u16) {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
}
