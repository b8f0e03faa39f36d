//! Any service: what passes is what was sent. The route is that of somebody who wrote nothing but
//! a name and a path.

use std::net::SocketAddr;

use crate::balancer::Balancer;
use crate::client::{Connection, ask, chunked, head, pattern, request};
use crate::host::{self, Heard, Host, Then};

/// In front of `host`, with routes for everything: `/streamed` streams, the rest is as it is where
/// nothing is said.
fn before(host: SocketAddr) -> Balancer {
    Balancer::configured(&format!(
        "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{host}\" }}]\n\
         hosts.eject_failures = 1000\ntimeouts.report_interval = \"20ms\"\n\
         [[routes]]\nname = \"all\"\npath = \"/\"\n\
         [[routes]]\nname = \"streamed\"\npath = \"/streamed\"\nbody = \"stream\"\n"
    ))
}

/// Beginnings of targets: one of each way that requests go.
const WAYS: [&str; 2] = ["", "/streamed"];

/// Headers that a proxy adds, takes, or frames the message by.
fn is_of_proxies(name: &str) -> bool {
    let names = ["host", "content-length", "transfer-encoding", "connection", "server-timing"];
    names.contains(&name) || name.starts_with("x-forwarded-") || name == "weighbridge-estimate"
}

/// The host answers with what it has heard: the request line, the headers, the body.
fn echo(heard: &Heard) -> String {
    let headers = heard.all().filter(|(name, _)| !is_of_proxies(name));
    let headers: String = headers.flat_map(|(name, value)| [name, ": ", value, "\n"]).collect();
    format!("{}\n{headers}\n{}", heard.line, String::from_utf8_lossy(&heard.body))
}

#[test]
fn every_method_and_path_comes_to_the_host_as_it_was_sent() {
    let host = Host::start(|heard, client| {
        host::answer(client, "200 OK", &[], echo(heard).as_bytes());
        Then::Keep
    });
    let balancer = before(host.address);
    let methods =
        ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE", "M-X"];
    let targets = [
        "/",
        "/test",
        "/?",
        "/?a=b&a=c",
        "//x//",
        "/a/../b/./c",
        "/%2F%2e%00?%zz",
        "/caf%C3%A9",
        "/healthz",
        "/metrics",
        "/*'();:@&=+$,",
        "/~.-_!",
    ];
    for way in WAYS {
        let mut connection = Connection::open(balancer.address);
        for method in methods {
            for target in targets {
                let target = format!("{way}{target}");
                let body = if matches!(method, "POST" | "PUT" | "PATCH") { "a body" } else { "" };
                let headers = ["X-Odd: a\tb \"c\"; d", "x_under: 1", "Cookie: a=b; c"];
                connection.send(request(method, &target, &headers, body.as_bytes()));
                let answer = connection.response(method);
                assert_eq!(answer.status, 200, "{method} {target}");
                let lines = "x-odd: a\tb \"c\"; d\nx_under: 1\ncookie: a=b; c\n";
                let sent = format!("{method} {target} HTTP/1.1\n{lines}\n{body}");
                assert_eq!(String::from_utf8_lossy(&answer.body), sent);
                assert_eq!(answer.header("access-control-allow-origin"), None);
            }
        }
    }
}

#[test]
fn every_status_and_header_comes_to_the_client_as_it_was_sent() {
    let host = Host::start(|heard, client| {
        let status = heard.line.split(['/', ' ']).rfind(|part| part.parse::<u16>().is_ok());
        let status = status.expect("a status");
        let headers = "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nETag: W/\"x\"\r\n\
                       Access-Control-Allow-Origin: https://a.example\r\nVary: Origin\r\n\
                       WWW-Authenticate: Basic realm=\"a, b\"\r\nServer: theirs\r\nX-Empty: \r\n";
        let body = if matches!(status, "204" | "304") { "" } else { "Content-Length: 4\r\n" };
        host::raw(client, format!("HTTP/1.1 {status} Word\r\n{headers}{body}\r\n"));
        if !body.is_empty() && !heard.line.starts_with("HEAD") {
            host::raw(client, "body");
        }
        Then::Keep
    });
    let balancer = before(host.address);
    for way in WAYS {
        let mut connection = Connection::open(balancer.address);
        for status in
            [200, 201, 204, 206, 226, 300, 301, 304, 400, 401, 404, 409, 418, 429, 451, 500]
        {
            for method in ["GET", "HEAD"] {
                let answer = connection.ask(method, &format!("{way}/{status}"), b"");
                assert_eq!(answer.status, status, "{way} {method}");
                let cookies: Vec<_> = answer.headers("set-cookie").collect();
                assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
                let origins: Vec<_> = answer.headers("access-control-allow-origin").collect();
                assert_eq!(origins, ["https://a.example"]);
                assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"a, b\""));
                assert_eq!(
                    (answer.header("etag"), answer.header("x-empty")),
                    (Some("W/\"x\""), Some(""))
                );
                assert_eq!(answer.header("server"), Some("theirs"));
                let has_body = method == "GET" && !matches!(status, 204 | 304);
                assert_eq!(answer.body, if has_body { b"body".as_slice() } else { b"" });
                let length = answer.header("content-length");
                assert_eq!(length.is_some(), !matches!(status, 204 | 304), "{status} {method}");
            }
        }
    }
}

#[test]
fn bodies_of_every_framing_come_whole() {
    let host = Host::start(|heard, client| {
        let body = &heard.body;
        if heard.line.contains("chunked") {
            host::raw(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            host::raw(client, chunked(body, 1000));
            return Then::Keep;
        }
        if heard.line.contains("close") {
            host::raw(client, "HTTP/1.1 200 OK\r\n\r\n");
            host::raw(client, body);
            return Then::Close;
        }
        host::answer(client, "200 OK", &[], body);
        Then::Keep
    });
    let balancer = before(host.address);
    for way in WAYS {
        for length in [0, 1, 70_000, 3_000_000] {
            let body = pattern(length);
            for answered in ["length", "chunked", "close"] {
                let target = format!("{way}/{answered}");
                let mut connection = Connection::open(balancer.address);
                connection.send(request("POST", &target, &[], &body));
                assert!(connection.response("POST").body == body, "{target} {length}");
                connection.send(head("POST", &target, &["Transfer-Encoding: chunked"]));
                connection.send(chunked(&body, 7777));
                assert!(connection.response("POST").body == body, "chunked {target} {length}");
            }
        }
    }
}

/// Whoever reads as it comes, waits for each piece before asking for the next.
#[test]
fn what_a_host_sends_in_pieces_comes_in_pieces() {
    for kind_of_answer in [
        "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n",
        "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n",
        // Its length is known, and it is a stream of events nevertheless.
        "Content-Type: text/event-stream; charset=utf-8\r\nContent-Length: 30\r\n",
    ] {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let gone = std::sync::Mutex::new(gone);
        let is_chunked = kind_of_answer.contains("chunked");
        let host = Host::start(move |_, client| {
            host::raw(client, format!("HTTP/1.1 200 OK\r\n{kind_of_answer}\r\n"));
            for nth in 0..3 {
                // Only once the client has the last one: held back, it would never come.
                gone.lock().expect("no test panics here").recv().expect("the client reads");
                let event = format!("data: {nth}\n\n!");
                host::raw(client, if is_chunked { format!("a\r\n{event}\r\n") } else { event });
            }
            if is_chunked {
                host::raw(client, "0\r\n\r\n");
            }
            Then::Keep
        });
        let balancer = before(host.address);
        for way in WAYS {
            let mut connection = Connection::open(balancer.address);
            connection.send(request("GET", &format!("{way}/events"), &[], b""));
            assert_eq!(connection.head().status, 200, "the head comes before any event");
            for nth in 0..3 {
                go.send(()).expect("the host sends");
                let event = format!("data: {nth}\n\n!").into_bytes();
                assert_eq!(connection.chunk(), Ok(Some(event)), "{way}");
            }
        }
    }
}

#[test]
fn interim_answers_come_before_the_final_one() {
    let host = Host::start(|_, client| {
        host::raw(client, "HTTP/1.1 102 Processing\r\n\r\n");
        host::raw(client, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
        host::answer(client, "200 OK", &[], b"late");
        Then::Keep
    });
    let balancer = before(host.address);
    for way in WAYS {
        let mut connection = Connection::open(balancer.address);
        for _ in 0..2 {
            connection.send(request("GET", &format!("{way}/hints"), &[], b""));
            assert_eq!(connection.response("GET").status, 102, "{way}");
            let hints = connection.response("GET");
            assert_eq!(hints.status, 103, "{way}");
            assert_eq!(hints.header("link"), Some("</a.css>; rel=preload"));
            let answer = connection.response("GET");
            assert_eq!((answer.status, answer.body.as_slice()), (200, b"late".as_slice()));
        }
        let mut old = Connection::open(balancer.address);
        old.send(format!("GET {way}/hints HTTP/1.0\r\n\r\n"));
        assert_eq!(old.response("GET").status, 200, "HTTP/1.0 has none");
    }
}

#[test]
fn connections_are_upgraded_on_every_route() {
    let host = Host::start(|heard, client| {
        assert_eq!(heard.headers("upgrade"), ["websocket"]);
        assert_eq!(heard.headers("sec-websocket-key"), ["dGhlIHNhbXBsZSBub25jZQ=="]);
        host::raw(client, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
        host::raw(client, "Upgrade: websocket\r\n\r\nhello");
        let mut heard = [0; 4];
        std::io::Read::read_exact(client, &mut heard).expect("the client speaks");
        host::raw(client, heard);
        Then::Close
    });
    let balancer = before(host.address);
    for way in WAYS {
        let mut connection = Connection::open(balancer.address);
        let headers = [
            "Connection: keep-alive, Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        connection.send(head("GET", &format!("{way}/socket"), &headers));
        let answer = connection.head();
        assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")), "{way}");
        assert_eq!(connection.exactly(5), b"hello");
        connection.send("ping");
        assert_eq!(connection.exactly(4), b"ping");
    }
}

#[test]
fn what_may_not_happen_twice_by_its_method_is_sent_once() {
    for (method, sent) in [("POST", 1), ("PATCH", 1), ("PUT", 2), ("DELETE", 2)] {
        for way in WAYS {
            let (first, second) =
                (Host::start(|_, _| Then::Close), Host::start(|_, _| Then::Close));
            let balancer = Balancer::configured(&format!(
                "fleet.kind = \"static\"\nfleet.static.hosts = [{{ address = \"{}\" }}, \
                 {{ address = \"{}\" }}]\nhosts.eject_failures = 1000\n\
                 [[routes]]\nname = \"all\"\npath = \"/\"\n\
                 [[routes]]\nname = \"streamed\"\npath = \"/streamed\"\nbody = \"stream\"\n",
                first.address, second.address
            ));
            let answer = ask(balancer.address, method, &format!("{way}/work"), b"body");
            assert_eq!(answer.status, 502, "{method}{way}");
            let n_heard = first.heard().len() + second.heard().len();
            assert_eq!(n_heard, sent, "{method}{way}");
        }
    }
}
