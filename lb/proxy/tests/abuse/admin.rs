//! The admin API.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::balancer::Balancer;
use crate::host::Host;
use crate::ordinary::{assert_served, measure};

#[test]
fn idle_connections_keep_nobody_from_the_admin_api() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "");
    let before = measure(&balancer);
    let mut idle: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(balancer.admin).expect("it listens")).collect();
    // Some have begun to ask.
    idle.iter_mut().skip(100).for_each(|idle| {
        // Fails where it has been replaced.
        let _replaced = idle.write_all(b"GET /healthz HT");
    });
    for _ in 0..20 {
        assert!(balancer.look("/healthz").starts_with("HTTP/1.1 200"));
    }
    assert_served(&balancer, before);
}

#[test]
fn names_of_others_are_not_answered() {
    let host = Host::mirror();
    let balancer = Balancer::before(&[host.address], "admin_hosts = [\"balancer\"]\n");
    for (name, status) in [
        ("localhost", "200"),
        ("127.0.0.1:1", "200"),
        ("balancer:9090", "200"),
        ("evil.example", "421"),
    ] {
        let mut stream = TcpStream::connect(balancer.admin).expect("it listens");
        let request = format!("GET /fleet HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
    }
}
