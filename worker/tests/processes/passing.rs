//! Requests and answers pass as they are.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::client::{DEADLINE, get, request};
use crate::fixture::{BUSY, Running, problem};

#[test]
fn method_target_headers_and_body_reach_the_server() {
    let worker = Running::start(1);
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PURGE"] {
        let headers =
            ["X-Some: thing", "Connection: keep-alive, x-hop", "X-Hop: 1", "TE: trailers"];
        let answer = request(worker.address, method, "/test?a=b%20c&d", &headers, b"a body");
        assert_eq!(answer.status, 200);
        let seen = answer.json();
        assert_eq!(seen["method"], method);
        assert_eq!(seen["target"], "/test?a=b%20c&d");
        assert_eq!(seen["body"], "a body");
        assert_eq!(seen["headers"]["x-some"], "thing");
        assert_eq!(seen["headers"]["host"], "worker");
        assert_eq!(seen["headers"]["connection"], "close");
        assert_eq!((seen["headers"].get("x-hop"), seen["headers"].get("te")), (None, None));
    }
}

#[test]
fn status_and_headers_come_back_but_for_a_report_of_its_own() {
    let worker = Running::start(1);
    for status in [200, 201, 204, 304, 404, 418, 500, 503] {
        let answer = get(worker.address, &format!("/burn?ms=0&status={status}"));
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-own"), Some("kept"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let report = answer.header("endpoint-load-metrics").expect("every answer has one");
        assert!(report.starts_with("JSON "), "{report}");
    }
}

/// Reads until `end`.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with(end) {
        stream.read_exact(&mut byte).expect("more comes");
        text.push(char::from(byte[0]));
    }
    text
}

#[test]
fn another_protocol_is_spoken_with_the_process() {
    let worker = Running::start(1);
    let mut stream = connect(&worker);
    let head =
        "GET /upgrade HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: capitals\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it reads");
    let answer = read_until(&mut stream, "\r\n\r\n").to_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("\r\nupgrade: capitals\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: upgrade\r\n"), "{answer}");
    for (said, heard) in [("one.", "ONE."), ("two.", "TWO.")] {
        stream.write_all(said.as_bytes()).expect("it reads");
        assert_eq!(read_until(&mut stream, "."), heard);
    }
    worker.wait_for(BUSY, 1.0);
    drop(stream);
    worker.wait_for(BUSY, 0.0);
    worker.get("/");
}

#[test]
fn a_protocol_that_nobody_asked_for_is_refused() {
    let worker = Running::start(1);
    let detail = problem(&get(worker.address, "/upgrade"), 502);
    assert_eq!(detail, "process 0 changed the protocol, which nobody had asked for");
}

/// What the worker sends until it closes the connection.
fn all_of(worker: &Running, method: &str, target: &str) -> String {
    let mut stream = connect(worker);
    let head = format!("{method} {target} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it is text");
    text
}

fn connect(worker: &Running) -> TcpStream {
    let stream = TcpStream::connect(worker.address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    stream
}

#[test]
fn the_answer_to_head_has_the_length_and_no_body() {
    let worker = Running::start(1);
    let answer = all_of(&worker, "HEAD", "/burn?ms=0");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let length = answer.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    assert!(length.is_some_and(|length| length != "0"), "{answer}");
}

#[test]
fn bodies_of_any_length_pass() {
    let worker = Running::start(1);
    for length in [1, 1 << 20, (1 << 20) + 1, 3 << 20] {
        let body = vec![b'x'; length];
        let answer = request(worker.address, "POST", "/anything", &[], &body);
        assert_eq!(answer.status, 200);
        let text = answer.text();
        assert!(length < text.len() && text.contains(&"x".repeat(length)), "{}", text.len());
    }
}

#[test]
fn a_body_in_chunks_passes_and_one_that_is_too_long_is_refused() {
    let worker = Running::start(1);
    let mut connection = worker.send("/", &[]);
    assert_eq!(connection.response().status, 200);
    connection.send(b"POST /x HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    let answer = connection.response();
    assert_eq!(answer.json()["body"], "abcde");

    connection.send(b"POST /x HTTP/1.1\r\nHost: w\r\nContent-Length: 99999999999\r\n\r\n");
    assert_eq!(connection.response().status, 413);
}

#[test]
fn what_streams_arrives_as_it_happens() {
    let worker = Running::start(1);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let target = format!("/stream?file={}", file.path().display());
    let mut stream = connect(&worker);
    let head = format!("GET {target} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut text = String::new();
    while !text.contains("first") {
        let mut buffer = [0; 1024];
        let length = stream.read(&mut buffer).expect("the first piece comes alone");
        assert!(0 < length, "{text}");
        text += std::str::from_utf8(&buffer[..length]).expect("it is text");
    }
    assert!(!text.contains("second"), "{text}");
    drop(file);
    stream.read_to_string(&mut text).expect("it is text");
    assert!(text.contains("second"), "{text}");
    // Its process is free again.
    worker.get("/");
}

#[test]
fn the_workers_own_addresses_are_its_own() {
    let worker = Running::start(1);
    for own in ["/healthz", "/readyz", "/load", "/metrics"] {
        assert_eq!(worker.get(own).header("x-own"), None, "{own}");
    }
    for others in ["/", "/test", "/blurimage", "/load/more"] {
        assert_eq!(worker.get(others).header("x-own"), Some("kept"), "{others}");
    }
}
