//! Connections through a proxy that speaks the PROXY protocol.

use std::net::SocketAddr;

use crate::balancer::{Balancer, listener};
use crate::client::Connection;
use crate::host::Host;
use crate::pki::Pki;
use crate::tools::{curl, text};

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2 for a connection from 192.0.2.7.
fn v2() -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];
    [V2, &[0x21, 0x11, 0, 12], &addresses].concat()
}

/// What a connection that begins with `header` gets for a request.
fn ask(address: SocketAddr, header: &[u8]) -> Vec<u8> {
    let mut connection = Connection::open(address);
    let request = b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    // Fails where it has been closed.
    let _closed = connection.try_send(&[header, request].concat());
    connection.rest()
}

#[test]
fn hosts_are_told_of_the_client_and_not_of_the_proxy() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let more = "listener_defaults.proxy_protocol_from = [\"127.0.0.0/8\"]\n".to_owned();
    let more = more + &listener(&[&pki.server("a", &["a.example"])], "");
    let balancer = Balancer::before(host.address, &more);
    for (header, client) in [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 4660 80\r\n".to_vec(), "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (v2(), "192.0.2.7"),
        // The proxy's own: it asks whether we are here.
        ([V2, &[0x20, 0, 0, 0]].concat(), "127.0.0.1"),
    ] {
        let answer = text(&ask(balancer.listeners[0], &header));
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{header:?}: {answer}");
        assert_eq!(host.last().headers("x-forwarded-for"), [client], "{header:?}");
    }
    // Before TLS, too; curl writes version 1.
    let at = ("a.example", balancer.listeners[1]);
    let more = ["--haproxy-protocol", "-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(text(&curl(&pki, at, "/held", &more).stdout), "200");
    assert_eq!(host.last().headers("x-forwarded-for"), ["127.0.0.1"]);
}

#[test]
fn who_should_say_it_and_does_not_is_refused() {
    let host = Host::mirror();
    let more = "listener_defaults.proxy_protocol_from = [\"127.0.0.0/8\"]\n\
                timeouts.head_read = \"200ms\"\n";
    let balancer = Balancer::before(host.address, more);
    for header in [
        &b""[..],
        b"PROXY TCP4 nowhere 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7",
        b"PRO",
        &[V2, &[0x21, 0x11, 0xff, 0xff]].concat(),
    ] {
        assert_eq!(ask(balancer.listeners[0], header), b"", "{header:?}");
    }
    let series = "weighbridge_connections_refused_total{reason=\"proxy_header\"}";
    balancer.wait("each is counted", || balancer.metric(series) == 5.0);
    assert!(host.heard().is_empty());
}

#[test]
fn what_strangers_say_is_not_believed() {
    let host = Host::mirror();
    let more = "listener_defaults.proxy_protocol_from = [\"192.0.2.1\"]\n";
    let balancer = Balancer::before(host.address, more);
    for header in [b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(), v2()] {
        let answer = text(&ask(balancer.listeners[0], &header));
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    assert!(host.heard().is_empty());
    assert!(text(&ask(balancer.listeners[0], b"")).starts_with("HTTP/1.1 200"));
    assert_eq!(host.last().headers("x-forwarded-for"), ["127.0.0.1"]);
}

#[test]
fn lists_of_addresses_say_who_may_connect_and_ask() {
    let host = Host::mirror();
    let more = "listener_defaults.proxy_protocol_from = [\"127.0.0.0/8\"]\n\
                listener_defaults.allow = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n\
                [[routes]]\nname = \"few\"\npath = \"/few\"\nallow = [\"2001:db8::7\"]\n";
    let balancer = Balancer::before(host.address, more);
    let ask = |client: &str, target: &str| {
        let family = if client.contains(':') { "6 " } else { "4 " };
        let other = if client.contains(':') { "::1" } else { "10.0.0.1" };
        let mut connection = Connection::open(balancer.listeners[0]);
        let header = format!("PROXY TCP{family}{client} {other} 1 2\r\n");
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let _closed = connection.try_send((header + &request).as_bytes());
        text(&connection.rest()).lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(ask("192.0.2.7", "/held"), "HTTP/1.1 200 OK");
    assert_eq!(ask("192.0.2.7", "/few"), "HTTP/1.1 403 Forbidden");
    assert_eq!(ask("2001:db8::7", "/few"), "HTTP/1.1 200 OK");
    assert_eq!(ask("2001:db8::8", "/few"), "HTTP/1.1 403 Forbidden");
    assert_eq!(ask("198.51.100.1", "/held"), "");
    let series = "weighbridge_connections_refused_total{reason=\"not_allowed\"}";
    balancer.wait("it is counted", || balancer.metric(series) == 1.0);
    assert_eq!(host.heard().len(), 2);
}
