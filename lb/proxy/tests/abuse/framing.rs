//! What is not quite HTTP reaches no host, and is answered.

use crate::balancer::Balancer;
use crate::client::{Connection, head, request};
use crate::host::Host;
use crate::http2::Http2;
use crate::ordinary::{assert_served, measure};

const ROUTES: [&str; 2] = ["/held", "/stream"];

#[test]
fn chunks_that_are_none_smuggle_nothing_and_are_refused() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let before = measure(&balancer);
    let smuggled = "GET /held/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for target in ROUTES {
        for chunks in [
            "\r\n37\r\n\r\n",
            ";a\r\n\r\n",
            "3\r\nabc\r\n\r\n\r\n",
            "3\r\nabc\r\n;a\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "3\nabc\r\n0\r\n\r\n",
            "0\r\nno colon\r\n\r\n",
            "0\r\n: nothing\r\n\r\n",
            "0\r\na b: c\r\n\r\n",
            "3\r\nabc\r\n0\r\nX: \x01\r\n\r\n",
        ] {
            for in_pieces in [false, true] {
                let mut connection = Connection::open(balancer.address);
                let head = head("POST", target, &["Transfer-Encoding: chunked"]);
                if in_pieces {
                    connection.send(head);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    // Fails where it is refused before its end.
                    let _cut_off = connection.try_send((chunks.to_owned() + smuggled).as_bytes());
                } else {
                    connection.send(head + chunks + smuggled);
                }
                connection.response("POST").assert_problem(400, Some("body"));
                assert!(connection.ends(), "{target} {chunks:?}");
            }
        }
    }
    assert!(host.heard().iter().all(|heard| !heard.line.contains("smuggled")));
    assert_served(&balancer, before);
}

#[test]
fn trailers_that_are_fields_are_taken() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        let chunks = "3;x=y\r\nabc\r\n0\r\nX-Checksum: 1\r\nY:\r\n\r\n";
        for _ in 0..2 {
            connection.send(head("POST", target, &["Transfer-Encoding: chunked"]) + chunks);
            assert_eq!(connection.response("POST").body, b"abc", "{target}");
        }
    }
}

#[test]
fn a_connection_header_that_names_too_much_is_answered() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let many = format!("Connection: {}", vec!["a"; 20].join(", "));
    for named in ["Connection: host", "Connection: x-forwarded-for", &many, "Connection: a\"b"] {
        let mut connection = Connection::open(balancer.address);
        connection.send(request("GET", "/stream", &[named], b""));
        connection.response("GET").assert_problem(400, Some("connection"));
    }
    assert!(host.heard().is_empty());
}

#[test]
fn chunked_comes_once() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ROUTES {
        for coding in
            [&["Transfer-Encoding: chunked, chunked"][..], &["Transfer-Encoding: chunked"; 2]]
        {
            let mut connection = Connection::open(balancer.address);
            connection.send(head("POST", target, coding) + "3\r\nabc\r\n0\r\n\r\n");
            connection.response("POST").assert_problem(400, Some("transfer-encoding"));
            assert!(connection.ends());
        }
    }
    assert!(host.heard().is_empty());
}

#[test]
fn what_looks_like_a_header_of_ours_reaches_no_host() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        let headers = [
            "Transfer_Encoding: chunked",
            "Content_Length: 5",
            "X_Forwarded_For: 192.0.2.1",
            "Weighbridge_Estimate: 1",
            "Endpoint-Load-Metrics: TEXT cpu_utilization=0.1",
            "X_Kept: 1",
        ];
        connection.send(request("POST", target, &headers, b"abc"));
        assert_eq!(connection.response("POST").body, b"abc");
        let heard = host.last();
        for name in [
            "transfer_encoding",
            "content_length",
            "x_forwarded_for",
            "weighbridge_estimate",
            "endpoint-load-metrics",
        ] {
            assert!(heard.headers(name).is_empty(), "{name} {target}");
        }
        assert_eq!(heard.headers("x_kept"), ["1"]);
    }
}

#[test]
fn a_length_reaches_hosts_in_one_way() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        connection.send(head("POST", target, &["Content-Length: 05"]) + "abcde");
        assert_eq!(connection.response("POST").body, b"abcde", "{target}");
        assert_eq!(host.last().headers("content-length"), ["5"], "{target}");
    }
}

#[test]
fn cookies_that_http2_splits_are_one() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let mut client = Http2::open(balancer.address, 65_535);
    for target in ROUTES {
        let stream = client.ask(target, &[("cookie", "a=1"), ("cookie", "b=2")]);
        assert!(client.is_answered(stream));
        assert_eq!(host.last().headers("cookie"), ["a=1; b=2"], "{target}");
    }
}
