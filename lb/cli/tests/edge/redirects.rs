//! From HTTP to HTTPS.

use crate::balancer::{Balancer, listener};
use crate::client::{Connection, Response};
use crate::host::{self, Host, Then};
use crate::pki::Pki;
use crate::tools::{curl, text};

fn ask(connection: &mut Connection, lines: &str) -> Response {
    connection.send(format!("{lines}\r\nContent-Length: 0\r\n\r\n"));
    connection.response(lines.split(' ').next().unwrap_or_default())
}

#[test]
fn requests_without_tls_are_sent_to_https() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let more = "listener_defaults.https_redirect = 8443\n\
                forwarded.trusted_proxies = [\"127.0.0.1\"]\n"
        .to_owned();
    let more = more + &listener(&[&pki.server("a", &["a.example"])], "");
    let balancer = Balancer::before(host.address, &more);
    let mut connection = Connection::open(balancer.listeners[0]);
    for (head, location) in [
        ("GET /held?a=1 HTTP/1.1\r\nHost: a.example", "https://a.example:8443/held?a=1"),
        ("POST /nowhere HTTP/1.1\r\nHost: a.example:80", "https://a.example:8443/nowhere"),
        ("GET / HTTP/1.1\r\nHost: [::1]:80", "https://[::1]:8443/"),
    ] {
        let answer = ask(&mut connection, head);
        assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{head}");
        // It is not for HTTP without TLS (RFC 6797, section 7.2).
        assert_eq!(answer.header("strict-transport-security"), None);
    }
    assert!(host.heard().is_empty());
    // A proxy that is believed had it by HTTPS; one that had not is sent on even by TLS.
    let https = "GET /held HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https";
    assert_eq!(ask(&mut connection, https).status, 200);
    let at = ("a.example", balancer.listeners[1]);
    let status = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(text(&curl(&pki, at, "/held", &status).stdout), "200");
    let told = [&status[..], &["-H", "x-forwarded-proto: http"]].concat();
    assert_eq!(text(&curl(&pki, at, "/held", &told).stdout), "308");
}

#[test]
fn answers_by_tls_insist_on_it() {
    let pki = Pki::new();
    let host = Host::start(|heard, client| {
        let own: &[&str] = if heard.line.contains("own") {
            &["Strict-Transport-Security: max-age=5"]
        } else {
            &[]
        };
        host::answer(client, "200 OK", own, b"");
        Then::Keep
    });
    let hsts = "hsts = \"max-age=31536000; includeSubDomains\"";
    let balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], hsts));
    let at = ("a.example", balancer.listeners[1]);
    for (target, age) in [
        ("/held", "max-age=31536000; includeSubDomains"),
        ("/stream", "max-age=31536000; includeSubDomains"),
        ("/nowhere", "max-age=31536000; includeSubDomains"),
        ("/held/own", "max-age=5"),
        ("/stream/own", "max-age=5"),
    ] {
        let asked = curl(&pki, at, target, &["-D", "-", "-o", "/dev/null", "--http1.1"]);
        let head = text(&asked.stdout).to_lowercase();
        let told: Vec<&str> = head
            .lines()
            .filter_map(|line| line.strip_prefix("strict-transport-security: "))
            .collect();
        assert_eq!(told, [age.to_lowercase()], "{target}");
    }
    let plain = crate::client::ask(balancer.listeners[0], "GET", "/held", b"");
    assert_eq!(plain.header("strict-transport-security"), None);
}
