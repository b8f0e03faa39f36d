//! Hosts at Unix sockets.

mod relay;

use std::convert::Infallible;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Place, run, spawn, worker};
use crate::harness::client::{Client, get};
use crate::harness::requests::{Request, blur, jobs};
use crate::harness::{eventually, until};
use relay::Socket;

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn config(fleet: &str) -> String {
    format!(
        "[[routes]]\nname = \"all\"\npath = \"/\"\n[[routes]]\nname = \"streamed\"\n\
         path = \"/streamed\"\nbody = \"stream\"\n[fleet]\nkind = \"static\"\n[fleet.static]\n\
         {fleet}\n[timeouts]\nreport_interval = \"50ms\"\n"
    )
}

/// What the balancer says of its only host.
fn host(balancer: &Balancer) -> serde_json::Value {
    balancer.has_active(1).remove(0).0
}

#[test]
fn a_worker_at_a_socket_is_asked_for_its_load_and_answers() {
    let (_worker, at) = worker(ANY);
    let socket = Socket::to(at);
    let place = Place::new(&config(&format!("hosts = [{{ address = \"{}\" }}]", socket.address())));
    let balancer = place.serve();
    assert_eq!(host(&balancer)["address"], socket.address());
    // It says so itself: any other host is believed to share its time.
    until("its load report is read", || host(&balancer)["discipline"] == "srpt");
    let jobs = jobs(&mut Client::new(balancer.listen), vec![blur(60, 40)]);
    for _ in 0..3 {
        let answer = Client::new(balancer.listen).ask(&jobs[0].request).expect("an answer");
        jobs[0].check(&answer).expect("the right one");
    }
    let line = eventually("the log", || place.log().pop());
    assert_eq!((&line["host"], &line["status"]), (&socket.address().into(), &200.into()));
    balancer.assert_idle();
}

#[test]
fn sockets_are_checked_streamed_to_and_told_whom_a_request_is_from() {
    let backend = Backend::start(&[], "by a socket");
    let socket = Socket::to(backend.address);
    let fleet = format!(
        "hosts = [{{ address = \"{}\" }}]\n[fleet.static.health]\npath = \"/health\"\n\
         interval = \"20ms\"\nunhealthy = 2\n",
        socket.address()
    );
    let place = Place::new(&config(&fleet));
    let balancer = place.serve();
    balancer.has_active(1);
    let checked = |head: &String| head.starts_with("get /health ") && head.contains("localhost");
    assert!(backend.asked().iter().any(checked), "{:?}", backend.asked());
    for path in ["/x", "/streamed"] {
        assert_eq!(get(balancer.listen, path).text(), "by a socket", "{path}");
    }
    let asked = backend.asked();
    let x = asked.iter().find(|head| head.starts_with("get /x ")).expect("it came");
    assert!(x.contains("x-forwarded-for: 127.0.0.1"), "{x}");
    // Nobody listens any more.
    fs::remove_file(socket.path()).expect("it is there");
    until("it is out", || balancer.hosts()[0].is_ejected());
}

/// A server that people run, at a socket of its own.
#[test]
fn gunicorn_at_a_socket_is_found_by_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = "def app(environ, start):\n    start('200 OK', [('Content-Length', '8')])\n    return [b'gunicorn']\n";
    fs::write(folder.path().join("app.py"), app).expect("it is writable");
    let at = format!("unix:{}", folder.path().join("app.sock").display());
    let mut command = Command::new("gunicorn");
    command.args(["app:app", "--workers", "1", "--bind", &at]).current_dir(folder.path());
    let _gunicorn = spawn(command);
    let file = folder.path().join("hosts.json");
    fs::write(&file, format!("[{{\"targets\": [\"{at}\"]}}]")).expect("it is writable");
    let place = Place::new(&config(&format!("file = \"{}\"", file.display())));
    let balancer = place.serve();
    assert_eq!(host(&balancer)["address"], at);
    assert_eq!(get(balancer.listen, "/x").text(), "gunicorn");
}

/// Answers every request, by HTTP/2 and its own knowledge of that alone, with its version.
async fn serve_h2c(listener: tokio::net::UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = service_fn(|request: http::Request<Incoming>| async move {
            let version = format!("{:?}", request.version());
            Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from(version)))
        });
        let connection = http2::Builder::new(TokioExecutor::new());
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

#[test]
fn h2c_is_spoken_at_a_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("h2c.sock");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(async { tokio::net::UnixListener::bind(&path) });
    runtime.spawn(serve_h2c(listener.expect("a socket")));
    let place = Place::new(&format!(
        "[[routes]]\nname = \"all\"\npath = \"/\"\nbody = \"stream\"\n[fleet]\n\
         kind = \"static\"\n[fleet.static]\nprotocol = \"h2c\"\nhealth.path = \"/health\"\n\
         hosts = [{{ address = \"unix:{}\" }}]\n",
        path.display()
    ));
    let balancer = place.serve();
    balancer.has_active(1);
    for _ in 0..2 {
        assert_eq!(get(balancer.listen, "/x").text(), "HTTP/2.0");
    }
}

#[test]
fn an_operator_lets_a_socket_join_and_says_how_much_a_host_is_preferred() {
    let (one, other) = (Backend::start(&[], "one"), Backend::start(&[], "other"));
    let socket = Socket::to(other.address);
    let fleet = format!("hosts = [{{ address = \"{}\", discipline = \"ps\" }}]", one.address);
    let place = Place::new(&config(&fleet));
    let balancer = place.serve();
    let admin = balancer.admin.to_string();
    let fleet = |arguments: &[&str]| {
        run(["fleet"].iter().chain(arguments).copied().chain(["--admin", &admin]))
    };
    assert!(fleet(&["join", &socket.address()]).status.success());
    balancer.has_active(2);
    let texts = || {
        let mut texts: Vec<_> = (0..8).map(|_| get(balancer.listen, "/x").text()).collect();
        texts.dedup();
        texts
    };
    for (preferred, text) in [(socket.address(), "other"), (one.address.to_string(), "one")] {
        for host in [socket.address(), one.address.to_string()] {
            let weight = if host == preferred { "100" } else { "0.01" };
            let output = fleet(&["weight", &host, weight]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let weights = balancer.hosts();
        let weight = weights.iter().find(|host| host.address() == preferred).expect("it is there");
        assert_eq!(weight.0["weight"], 100.0);
        assert_eq!(texts(), [text], "the preferred one has every request while it is idle");
    }
    for (arguments, why) in [
        (["weight", "127.0.0.9:9", "1"], "no listed host is at `127.0.0.9:9`"),
        (["weight", "127.0.0.9:9", "0"], "expected 0.01 to 100"),
    ] {
        let refused = fleet(&arguments);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains(why), "{told}");
    }
    let body = format!("{{\"address\": \"{}\", \"weight\": \"much\"}}", one.address);
    let request = Request::post("/fleet/weight", body.as_str());
    assert_eq!(Client::new(balancer.admin).ask(&request).expect("it answers").status, 422);
}
