//! What becomes of headers on their way.

use crate::balancer::Balancer;
use crate::client::{Connection, head, request};
use crate::host::{self, Host, Then};

#[test]
fn what_belongs_to_the_clients_connection_stays_there() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        connection.send(request(
            "POST",
            target,
            &[
                "Connection: keep-alive, X-Private",
                "X-Private: 1",
                "Keep-Alive: timeout=5",
                "Proxy-Connection: keep-alive",
                "Proxy-Authorization: Basic YTpi",
                "TE: trailers",
                "Expect: 100-continue",
                "WEIGHBRIDGE-Estimate: 1",
                "X-Forwarded-For: 192.0.2.1",
                "X-Forwarded-For: 192.0.2.2, 192.0.2.3",
                "X-Kept: 1",
                "X-Kept: 2",
                "X-Latin: \u{fc}",
                "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ],
            b"body",
        ));
        assert_eq!(connection.response("POST").status, 100);
        assert_eq!(connection.response("POST").status, 200);
        let seen = host.last();
        for name in ["x-private", "keep-alive", "proxy-connection", "proxy-authorization", "te"] {
            assert!(seen.headers(name).is_empty(), "{name} {seen:?}");
        }
        assert!(seen.headers("weighbridge-estimate").is_empty(), "{seen:?}");
        assert_eq!(seen.headers("x-forwarded-for"), ["127.0.0.1"], "anybody can say such things");
        assert_eq!(seen.headers("x-forwarded-host"), ["weighbridge"]);
        assert_eq!(seen.headers("x-forwarded-proto"), ["http"]);
        assert_eq!(seen.headers("x-kept"), ["1", "2"]);
        assert_eq!(seen.headers("x-latin"), ["\u{fc}"]);
        assert_eq!(seen.headers("host"), ["weighbridge"]);
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(seen.headers("traceparent"), [traceparent]);
    }
}

#[test]
fn what_belongs_to_the_hosts_connection_stays_there() {
    let host = Host::start(|_, client| {
        let headers = [
            "CONNECTION: keep-alive, X-Private",
            "X-Private: 1",
            "Keep-Alive: timeout=5",
            "Proxy-Authenticate: Basic",
            "Upgrade: h2c",
            "Endpoint-Load-Metrics: TEXT cpu_utilization=0.1",
            "ENDPOINT-LOAD-METRICS-BIN: CQAAAAAAAOA/",
            "Server-Timing: db;dur=1",
            "Access-Control-Allow-Origin: http://example.org",
            "Set-Cookie: a=1",
            "Set-Cookie: b=2",
        ];
        host::answer(client, "200 OK", &headers, b"ok");
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        for _ in 0..2 {
            let answer = connection.ask("GET", target, b"");
            assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
            for name in ["x-private", "keep-alive", "proxy-authenticate", "upgrade"] {
                assert_eq!(answer.header(name), None, "{name} {target}");
            }
            for name in ["endpoint-load-metrics", "endpoint-load-metrics-bin"] {
                assert_eq!(answer.header(name), None, "{name} {target}");
            }
            let origins: Vec<&str> = answer.headers("access-control-allow-origin").collect();
            assert_eq!(origins, ["http://example.org"], "it is the host's to say");
            assert_eq!(answer.headers("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
            let timing: Vec<&str> = answer.headers("server-timing").collect();
            assert_eq!((timing.len(), timing[0]), (2, "db;dur=1"), "{timing:?}");
            assert!(timing[1].starts_with("wait;dur="), "{timing:?}");
        }
    }
}

#[test]
fn a_url_as_target_becomes_a_path_and_a_host() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        connection.send(head("GET", &format!("http://weighbridge{target}/a%20b?c=%2F"), &[]));
        assert_eq!(connection.response("GET").status, 200);
        let seen = host.last();
        assert_eq!(seen.line, format!("GET {target}/a%20b?c=%2F HTTP/1.1"));
        assert_eq!(seen.headers("host"), ["weighbridge"]);
    }
}

#[test]
fn the_host_is_that_of_the_url_whatever_the_header_says() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        for (url, said) in
            [("http://WEIGHBRIDGE:80", "WEIGHBRIDGE:80"), ("http://other.example", "other.example")]
        {
            let mut connection = Connection::open(balancer.address);
            // Twice: the second head comes on a connection that has carried one.
            for _ in 0..2 {
                connection.send(head("GET", &format!("{url}{target}"), &[]));
                assert_eq!(connection.response("GET").status, 200);
                assert_eq!(host.last().line, format!("GET {target} HTTP/1.1"));
                assert_eq!(host.last().headers("host"), [said]);
            }
        }
    }
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "limits.header_bytes = \"4KiB\"\n");
    for target in ["/held", "/stream", "/", "/nowhere"] {
        for header in
            [format!("X: {}", "a".repeat(5000)), "X: a\r\n".repeat(200) + &"b: c".repeat(1100)]
        {
            let mut connection = Connection::open(balancer.address);
            connection.send(head("GET", target, &[&header]));
            connection.response("GET").assert_problem(431, Some("head"));
        }
    }
    assert!(host.heard().is_empty());
    let mut connection = Connection::open(balancer.address);
    connection.send(head("GET", "/held", &[&format!("X: {}", "a".repeat(3900))]));
    assert_eq!(connection.response("GET").status, 200);
}
