//! What existing clients rely on, through a balancer with its default configuration.

use std::net::SocketAddr;

use base64::Engine as _;

use crate::balancer::Balancer;
use crate::client::{Connection, ask, chunked, head, request};

#[test]
fn everything_small_is_as_the_contract_says() {
    let balancer = Balancer::local();
    health_checks_are_answered(balancer.address);
    options_are_answered_anywhere(balancer.address);
    unknown_paths_are_problems(balancer.address);
    paths_match_by_their_beginning(balancer.address);
    an_empty_post_is_refused_at_once(balancer.address);
    any_method_and_content_type_will_do(balancer.address);
    connections_outlive_errors(balancer.address);
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let balancer = Balancer::local();
    for (rounds, at_once) in [(1, 74), (2, 100)] {
        for _ in 0..rounds {
            at_once_all_are_answered(balancer.address, at_once);
        }
    }
}

#[test]
fn a_body_of_10_mb_is_asked_for() {
    let balancer = Balancer::local();
    let body = vec![b'!'; 10_000_000];
    for target in ["/blurimage", "/enhanceimage"] {
        let mut connection = Connection::open(balancer.address);
        let length = format!("Content-Length: {}", body.len());
        connection.send(head("POST", target, &["Expect: 100-continue", &length]));
        assert_eq!(connection.response("POST").status, 100);
        connection.send(&body);
        connection.response("POST").assert_problem(400, Some("body"));
    }
}

fn health_checks_are_answered(address: SocketAddr) {
    for target in ["/", "/test", "/?x=1", "http://weighbridge/test", "http://weighbridge"] {
        let answer = ask(address, "GET", target, b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{target}");
        assert_eq!(answer.header("content-length"), Some("0"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    let mut connection = Connection::open(address);
    for body in [b"a body that nobody wants".as_slice(), b""] {
        assert_eq!(connection.ask("POST", "/test", body).status, 200);
    }
    connection.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(connection.response("GET").status, 200);
    assert!(connection.ends());
    connection = Connection::open(address);
    connection.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(connection.response("GET").status, 200, "18 bytes are a request");
}

fn options_are_answered_anywhere(address: SocketAddr) {
    let mut connection = Connection::open(address);
    for target in ["/", "/blurimage", "/raytracer?scols=1", "/nowhere", "*"] {
        let answer = connection.ask("OPTIONS", target, b"");
        assert_eq!(answer.status, 204, "{target}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, OPTIONS"));
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, Some("Content-Type,Authorization"));
    }
}

fn unknown_paths_are_problems(address: SocketAddr) {
    let mut connection = Connection::open(address);
    for target in ["/nowhere", "//", "/%62lurimage", "/load", "/metrics", "/tests", "/BLURIMAGE"] {
        connection.ask("GET", target, b"").assert_problem(404, Some("path"));
        connection.ask("POST", target, b"a body").assert_problem(404, Some("path"));
    }
}

fn paths_match_by_their_beginning(address: SocketAddr) {
    for target in ["/blurimage", "/blurimage/", "/blurimages", "/enhanceimage/x", "/raytracer/?a=b"]
    {
        let status = ask(address, "POST", target, b"nonsense").status;
        assert_eq!(status, 400, "{target}");
    }
}

fn an_empty_post_is_refused_at_once(address: SocketAddr) {
    let query = "?scols=1&srows=1&wcols=1&wrows=1&coff=0&roff=0";
    for target in ["/blurimage", "/enhanceimage", &format!("/raytracer{query}")] {
        // A body that is waited for is a 408 in the end.
        ask(address, "POST", target, b"").assert_problem(400, Some("body"));
        let mut connection = Connection::open(address);
        connection.send(head("POST", target, &[]));
        connection.response("POST").assert_problem(400, Some("body"));
        connection.send(head("POST", target, &["Transfer-Encoding: chunked"]));
        connection.send(chunked(b"", 1));
        connection.response("POST").assert_problem(400, Some("body"));
    }
}

fn any_method_and_content_type_will_do(address: SocketAddr) {
    let form = data_url();
    let mut connection = Connection::open(address);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "FOO"] {
        connection.send(request(method, "/blurimage", &[], form.as_bytes()));
        let answer = connection.response(method);
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(answer.body.is_empty(), method == "HEAD");
    }
    for content_type in ["application/json", "application/x-www-form-urlencoded", "\u{fc}", ""] {
        let header = format!("Content-Type: {content_type}");
        connection.send(request("POST", "/enhanceimage", &[&header], form.as_bytes()));
        let answer = connection.response("POST");
        assert_eq!(answer.status, 200, "{content_type}");
        assert!(answer.body.starts_with(b"data:image/png;base64,"));
        let timing: Vec<&str> = answer.headers("server-timing").collect();
        assert!(timing.iter().any(|timing| timing.contains("estimate;dur=")), "{timing:?}");
        assert!(answer.header("endpoint-load-metrics").is_none());
        assert!(answer.header("endpoint-load-metrics-bin").is_none());
    }
}

fn connections_outlive_errors(address: SocketAddr) {
    let mut connection = Connection::open(address);
    for _ in 0..2 {
        assert_eq!(connection.ask("POST", "/blurimage", data_url().as_bytes()).status, 200);
        assert_eq!(connection.ask("POST", "/blurimage", b"nonsense").status, 400);
        assert_eq!(connection.ask("POST", "/nowhere", b"nonsense").status, 404);
        assert_eq!(connection.ask("HEAD", "/nowhere", b"").status, 404);
        assert_eq!(connection.ask("HEAD", "/blurimage", b"").status, 400);
        assert_eq!(connection.ask("OPTIONS", "/", b"nonsense").status, 204);
    }
}

fn at_once_all_are_answered(address: SocketAddr, at_once: usize) {
    let form = data_url();
    std::thread::scope(|scope| {
        let one = || ask(address, "POST", "/blurimage", form.as_bytes()).status;
        let all: Vec<_> = (0..at_once).map(|_| scope.spawn(one)).collect();
        for status in all {
            assert_eq!(status.join().expect("it is answered"), 200);
        }
    });
}

/// A picture of 3x2 pixels, a BMP whose result is to be a PNG.
fn data_url() -> String {
    const BMP_HEAD: [u32; 13] = [78, 0, 54, 40, 3, 2, 1 | 24 << 16, 0, 24, 2835, 2835, 0, 0];
    let mut bmp = b"BM".to_vec();
    bmp.extend(BMP_HEAD.iter().flat_map(|field| field.to_le_bytes()));
    bmp.extend([[10, 20, 30, 40, 50, 60, 70, 80, 90, 0, 0, 0]; 2].concat());
    let base64 = base64::engine::general_purpose::STANDARD.encode(bmp);
    format!("data:image/png;base64,{base64}")
}
