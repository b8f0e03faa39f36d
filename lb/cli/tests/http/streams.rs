//! Answers of hosts: every kind, streamed and held, whole and broken.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use crate::balancer::Balancer;
use crate::client::{Connection, chunked, head, pattern, request};
use crate::host::{self, Host, Then};

const ROUTES: [&str; 2] = ["/held", "/stream"];

#[test]
fn answers_without_a_body_and_redirects_pass_unchanged() {
    let host = Host::start(|heard, client| {
        match heard.line.split(' ').next() {
            Some("HEAD") => host::raw(client, "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"),
            Some("PUT") => host::raw(client, "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
            Some("GET") => host::raw(
                client,
                "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 77\r\n\r\n",
            ),
            _ => host::answer(client, "302 Found", &["Location: /elsewhere"], b""),
        }
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        for _ in 0..2 {
            let answer = connection.ask("HEAD", target, b"");
            assert_eq!(answer.header("content-length"), Some("5000000"));
            let answer = connection.ask("PUT", target, b"");
            assert_eq!((answer.status, answer.header("x-a")), (204, Some("b")));
            let answer = connection.ask("GET", target, b"");
            assert_eq!((answer.status, answer.header("etag")), (304, Some("\"a\"")));
            let answer = connection.ask("POST", target, b"");
            assert_eq!((answer.status, answer.header("location")), (302, Some("/elsewhere")));
        }
    }
}

#[test]
fn pieces_of_a_streamed_answer_arrive_as_they_are_sent() {
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let host = Host::start(move |_, client| {
        host::raw(client, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        host::raw(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            host::raw(client, "4\r\ntick\r\n");
            gone.lock().expect("one at a time").recv().expect("the test goes on");
        }
        host::raw(client, "0\r\n\r\n");
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "");
    let mut connection = Connection::open(balancer.address);
    connection.send(request("GET", "/stream", &[], b""));
    assert_eq!(connection.head().status, 103);
    assert_eq!(connection.head().status, 200);
    for _ in 0..3 {
        // The host sends nothing more until this piece has arrived.
        assert_eq!(connection.chunk(), Ok(Some(b"tick".to_vec())));
        go.send(()).expect("the host waits");
    }
    assert_eq!(connection.chunk(), Ok(None));
}

#[test]
fn an_answer_beyond_the_buffer_is_relayed_and_the_connection_kept() {
    let body = Arc::new(pattern(5_000_000));
    let sent = body.clone();
    let host = Host::start(move |heard, client| {
        if heard.line.contains("chunked") {
            host::raw(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            host::raw(client, chunked(&sent, 100_000));
            return Then::Keep;
        }
        if heard.line.contains("until-close") {
            host::raw(client, "HTTP/1.1 200 OK\r\n\r\n");
            host::raw(client, sent.as_slice());
            return Then::Close;
        }
        host::answer(client, "200 OK", &[], &sent);
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "limits.response_buffer_bytes = \"64KiB\"\n");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        for kind in ["length", "chunked", "until-close", "length"] {
            let answer = connection.ask("GET", &format!("{target}/{kind}"), b"");
            assert_eq!(answer.status, 200, "{target} {kind}");
            assert!(answer.body == *body, "{target} {kind}");
        }
    }
}

#[test]
fn an_early_answer_to_a_long_body_is_passed_on() {
    let host = Host::hasty(|_, client| {
        host::answer(client, "403 Forbidden", &["Connection: close"], b"no");
        // The rest is taken, or the answer might be lost on its way to the balancer.
        let _ = std::io::copy(client, &mut std::io::sink());
        Then::Close
    });
    let balancer = Balancer::before(&[host.address], "");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        // Fails where the balancer closes the connection before the body's end, as it may.
        let _ = connection.try_send(&request("POST", target, &[], &vec![b'a'; 4 << 20]));
        let answer = connection.response("POST");
        assert_eq!((answer.status, answer.body.as_slice()), (403, b"no".as_slice()), "{target}");
    }
}

#[test]
fn a_broken_answer_looks_broken() {
    let host = Host::start(|heard, client| {
        if heard.line.contains("chunked") {
            host::raw(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunks = chunked(&vec![b'a'; 300_000], 100_000);
            host::raw(client, &chunks[..chunks.len() - b"0\r\n\r\n".len()]);
        } else {
            host::raw(client, "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n");
            host::raw(client, vec![b'a'; 300_000]);
        }
        Then::Close
    });
    let balancer = Balancer::before(&[host.address], "limits.response_buffer_bytes = \"64KiB\"\n");
    for target in ROUTES {
        let mut connection = Connection::open(balancer.address);
        connection.send(request("GET", target, &[], b""));
        let head = connection.head();
        assert_eq!(head.header("content-length"), Some("400000"));
        assert_eq!(connection.rest().len(), 300_000, "{target}");

        let mut connection = Connection::open(balancer.address);
        connection.send(request("GET", &format!("{target}/chunked"), &[], b""));
        assert_eq!(connection.head().status, 200);
        let mut length = 0;
        let end = loop {
            match connection.chunk() {
                Ok(Some(piece)) => length += piece.len(),
                end => break end,
            }
        };
        assert_eq!((end, length), (Err(()), 300_000), "it looks broken: {target}");
    }
}

#[test]
fn a_host_that_is_not_there_costs_nobody_anything() {
    let nobody = closed_port();
    let host = Host::mirror();
    let balancer = Balancer::before(&[nobody, host.address], "");
    for target in ["/held", "/stream", "/once/held", "/once/stream"] {
        for size in [10, 1_000_000] {
            let mut connection = Connection::open(balancer.address);
            let body = pattern(size);
            connection.send(request("POST", target, &[], &body));
            assert!(connection.response("POST").body == body, "{target} {size}");
        }
    }
}

#[test]
fn what_must_not_happen_twice_is_sent_once() {
    let (first, second) = (dropping(), dropping());
    let balancer = Balancer::before(&[first.address, second.address], "");
    for target in ["/once/held", "/once/stream"] {
        let before = first.heard().len() + second.heard().len();
        let mut connection = Connection::open(balancer.address);
        connection.send(head("POST", target, &["Content-Length: 4"]) + "body");
        connection.response("POST").assert_problem(502, None);
        assert_eq!(first.heard().len() + second.heard().len(), before + 1, "{target}");
    }
}

#[test]
fn what_may_happen_twice_is_sent_to_the_other_host() {
    let (broken, good) = (dropping(), Host::mirror());
    let balancer = Balancer::before(&[broken.address, good.address], "");
    for i in 0..10 {
        let mut connection = Connection::open(balancer.address);
        let target = ROUTES[i % 2];
        connection.send(request("POST", target, &[], b"body"));
        assert_eq!(connection.response("POST").body, b"body", "{target}");
    }
}

/// Reads requests and hangs up.
fn dropping() -> Host {
    Host::start(|_, _| Then::Close)
}

fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}
