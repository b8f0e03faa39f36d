//! What is not HTTP, or not quite, gets an answer that every origin may read, and nothing else.

use crate::balancer::Balancer;
use crate::client::{Connection, chunked, head, request};
use crate::host::Host;

#[test]
fn what_is_not_http_is_refused_with_a_readable_answer() {
    let balancer = Balancer::before(&[Host::mirror().address], "");
    let refused = [
        "\x00\x01\x02\r\n\r\n".to_owned(),
        "hello\r\n\r\n".to_owned(),
        "GET  HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/3.7\r\nHost: a\r\n\r\n".to_owned(),
        head("POST", "/held", &["Content-Length: 3", "Content-Length: 4"]) + "abcd",
        head("POST", "/held", &["Content-Length: 3, 4"]) + "abcd",
        head("POST", "/held", &["Content-Length: -3"]) + "abc",
        head("POST", "/held", &["Content-Length: +3"]) + "abc",
        head("POST", "/held", &["Content-Length: 99999999999999999999999"]) + "abc",
        head("POST", "/held", &["Content-Length: 3 3"]) + "abc",
        head("POST", "/held", &["Transfer-Encoding: gzip"]) + "abc",
        head("POST", "/held", &["Transfer-Encoding: chunked, gzip"]) + "abc",
        head("GET", "/held", &["No-Colon"]),
        head("GET", "/held", &["Sp ace: a"]),
        head("GET", "/held", &["Nul: a\x00b"]),
        "POST /held HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
    ];
    for bytes in refused {
        let mut connection = Connection::open(balancer.address);
        connection.send(&bytes);
        let shown = &bytes[..bytes.len().min(100)];
        let answer = connection.response("GET");
        assert_eq!(answer.status, 400, "{shown:?}");
        answer.assert_problem(400, Some("head"));
        assert!(connection.ends(), "{shown:?}");
    }
}

#[test]
fn heads_that_are_too_long_are_told_so() {
    let balancer = Balancer::before(&[Host::mirror().address], "");
    let many = "X-Another: a\r\n".repeat(300);
    let long = format!("X-Long: {}", "a".repeat(2 << 20));
    for headers in [many, long] {
        let mut connection = Connection::open(balancer.address);
        // Fails where it is refused before its end.
        let _cut_off = connection.try_send(head("GET", "/held", &[&headers]).as_bytes());
        connection.response("GET").assert_problem(431, Some("head"));
        assert!(connection.ends());
    }
}

#[test]
fn chunks_that_cannot_be_read_are_refused_and_end_the_connection() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let smuggled = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    for target in ["/held", "/stream"] {
        for chunks in ["zz\r\nabc\r\n0\r\n\r\n", "ffffffffffffffffff\r\nabc", "-1\r\nabc\r\n"] {
            let mut connection = Connection::open(balancer.address);
            let head = head("POST", target, &["Transfer-Encoding: chunked"]);
            connection.send(head + chunks + smuggled);
            connection.response("POST").assert_problem(400, Some("body"));
            assert!(connection.ends(), "{target} {chunks:?}");
        }
    }
    assert!(host.heard().is_empty(), "nothing was smuggled");
}

#[test]
fn two_framings_of_one_body_smuggle_nothing() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let smuggled = String::from_utf8(request("GET", "/held/smuggled", &[], b"")).expect("ASCII");
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        let framings = ["Content-Length: 4", "Transfer-Encoding: chunked"];
        let chunks = String::from_utf8(chunked(b"abc", 3)).expect("ASCII");
        connection.send(head("POST", target, &framings) + &chunks + &smuggled);
        assert_eq!(connection.response("POST").body, b"abc", "{target}");
        assert!(connection.ends(), "{target}");
        let seen = host.last();
        assert_eq!(
            seen.headers("content-length").len() + seen.headers("transfer-encoding").len(),
            1
        );
    }
    assert!(host.heard().iter().all(|heard| !heard.line.contains("smuggled")));
}

#[test]
fn equal_lengths_are_one_length() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        for headers in
            [["Content-Length: 3", "Content-Length: 3"], ["Content-Length: 3, 3", "A: b"]]
        {
            let mut connection = Connection::open(balancer.address);
            connection.send(head("POST", target, &headers) + "abc");
            assert_eq!(connection.response("POST").body, b"abc", "{target} {headers:?}");
            assert_eq!(host.last().headers("content-length"), ["3"]);
        }
    }
}

#[test]
fn targets_that_are_no_paths_are_refused() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for (method, target, status, field) in [
        ("CONNECT", "weighbridge", 405, "method"),
        ("CONNECT", "/held", 405, "method"),
        ("GET", "held", 400, "path"),
        ("GET", "*", 400, "path"),
    ] {
        let mut connection = Connection::open(balancer.address);
        connection.send(head(method, target, &[]));
        let answer = connection.response(method);
        assert_eq!(answer.status, status, "{method} {target}");
        answer.assert_problem(status, Some(field));
        assert!(connection.ends());
    }
    assert!(host.heard().is_empty());
}
