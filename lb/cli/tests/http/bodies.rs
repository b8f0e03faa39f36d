//! Bodies of every size and framing, both ways.

use crate::balancer::Balancer;
use crate::client::{Connection, chunked, head, pattern, request};
use crate::host::Host;

#[test]
fn bodies_come_through_whole_in_every_framing() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 1 << 20, 20_000_000] {
            let body = pattern(size);
            for method in ["POST", "PUT", "DELETE"] {
                connection.send(request(method, target, &[], &body));
                let answer = connection.response(method);
                assert_eq!(answer.status, 200, "{method} {target} {size}");
                assert!(answer.body == body, "{method} {target} {size}");
            }
            connection.send(head("POST", target, &["Transfer-Encoding: chunked"]));
            connection.send(chunked(&body, 50_000));
            let answer = connection.response("POST");
            assert_eq!(answer.status, 200, "{target} {size} in chunks");
            assert!(answer.body == body, "{target} {size} in chunks");
        }
    }
}

#[test]
fn tiny_chunks_with_extensions_and_trailers_make_a_body() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let body = pattern(700);
    for target in ["/held", "/stream"] {
        let mut connection = Connection::open(balancer.address);
        connection.send(head("POST", target, &["Transfer-Encoding: chunked"]));
        for chunk in chunked(&body, 1).chunks(100) {
            connection.send(chunk);
        }
        assert!(connection.response("POST").body == body, "{target}");
        connection.send(head("POST", target, &["Transfer-Encoding: chunked", "Trailer: x-end"]));
        connection.send("3;name=value\r\nabc\r\n0\r\nx-end: 1\r\n\r\n");
        assert_eq!(connection.response("POST").body, b"abc", "{target}");
        assert_eq!(connection.ask("POST", target, b"again").body, b"again", "{target}");
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_early_while_the_client_goes_on() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "limits.body_bytes = \"1MiB\"\n");
    let body = vec![b'a'; 8 << 20];
    for target in ["/held", "/stream"] {
        let mut announced = Connection::open(balancer.address);
        announced.send(request("POST", target, &[], &body));
        announced.response("POST").assert_problem(413, Some("body"));
        assert!(announced.ends());

        let mut in_chunks = Connection::open(balancer.address);
        in_chunks.send(head("POST", target, &["Transfer-Encoding: chunked"]));
        in_chunks.send(chunked(&body, 1 << 16));
        in_chunks.response("POST").assert_problem(413, Some("body"));

        let mut asking = Connection::open(balancer.address);
        asking.send(head("POST", target, &["Content-Length: 1048577", "Expect: 100-continue"]));
        asking.response("POST").assert_problem(413, Some("body"));
        assert!(asking.ends());
    }
    let mut largest = Connection::open(balancer.address);
    assert_eq!(largest.ask("POST", "/held", &vec![b'a'; 1 << 20]).status, 200);
}

#[test]
fn a_long_body_that_nobody_wants_does_not_cost_its_answer() {
    let balancer = Balancer::before(&[Host::mirror().address], "");
    let body = vec![b'a'; 8 << 20];
    for (target, status) in [("/", 200), ("/nowhere", 404)] {
        let mut connection = Connection::open(balancer.address);
        connection.send(request("POST", target, &[], &body));
        assert_eq!(connection.response("POST").status, status);
    }
}

#[test]
fn a_client_that_pauses_for_too_long_is_told() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "timeouts.body_read = \"200ms\"\n");
    for target in ["/held", "/stream"] {
        for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
            let mut connection = Connection::open(balancer.address);
            connection.send(head("POST", target, &[framing]) + "2\r\n");
            connection.response("POST").assert_problem(408, Some("body"));
            assert!(connection.ends());
        }
    }
    assert!(host.heard().is_empty(), "the host has no whole request");
}

#[test]
fn a_body_that_breaks_off_reaches_no_host() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    for target in ["/held", "/stream"] {
        for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
            let mut connection = Connection::open(balancer.address);
            connection.send(head("POST", target, &[framing]) + "2\r\nab");
            connection.close_half();
            connection.response("POST").assert_problem(400, Some("body"));
            assert!(connection.ends());
        }
    }
    assert!(host.heard().is_empty(), "the host has no whole request");
}
