//! What is served by TLS.

use std::fmt::Write as _;

use crate::balancer::{Balancer, listener};
use crate::client::pattern;
use crate::host::Host;
use crate::pki::Pki;
use crate::tools::{curl, run, s_client, text};

#[test]
fn requests_are_served_by_http_1_and_http_2() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], ""));
    let body = pattern(3_000_000);
    let sent = pki.path("body");
    std::fs::write(&sent, &body).expect("a file");
    let data = format!("@{}", sent.display());
    for (version, told) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for target in ["/held", "/stream"] {
            let more = [
                version,
                "--data-binary",
                &data,
                "-o",
                "/dev/null",
                "-w",
                "%{http_code} %{http_version} %{size_download}",
            ];
            let asked = curl(&pki, ("a.example", balancer.listeners[1]), target, &more);
            let expected = format!("200 {told} {}", body.len());
            assert_eq!(text(&asked.stdout), expected, "{target}: {}", text(&asked.stderr));
            let heard = host.last();
            assert!(heard.body == body, "{version} {target}");
            assert_eq!(heard.headers("x-forwarded-proto"), ["https"], "{version} {target}");
        }
    }
    // The first listener is what it was.
    let plain = crate::client::ask(balancer.listeners[0], "POST", "/held", b"plain");
    assert_eq!((plain.status, plain.body.as_slice()), (200, b"plain".as_slice()));
    assert_eq!(host.last().headers("x-forwarded-proto"), ["http"]);
    assert!(3.0 < balancer.metric("weighbridge_tls_handshakes_total{version=\"1.3\"}"));
}

#[test]
fn the_protocol_is_agreed_on_in_the_handshake() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], ""));
    let address = balancer.listeners[1];
    for (offered, agreed) in [
        (&["-alpn", "h2,http/1.1"] as &[&str], "ALPN protocol: h2"),
        (&["-alpn", "http/1.1"], "ALPN protocol: http/1.1"),
        (&[], "No ALPN negotiated"),
    ] {
        let (_, said) = s_client(address, offered);
        assert!(said.contains(agreed), "{offered:?}: {said}");
    }
    let (is_good, said) = s_client(address, &["-alpn", "spdy/3"]);
    assert!(!is_good && said.contains("no application protocol"), "{said}");
    let series = "weighbridge_tls_handshakes_failed_total{reason=\"incompatible\"}";
    balancer.wait("it is counted", || balancer.metric(series) == 1.0);
}

#[test]
fn a_load_of_h2load_is_served_whole() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], ""));
    let url = format!("https://{}/held", balancer.listeners[1]);
    let loaded = run("h2load", &["-n", "2000", "-c", "20", "-m", "10", &url], b"");
    let said = text(&loaded.stdout) + &text(&loaded.stderr);
    assert!(said.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
    assert!(said.contains("Application protocol: h2"), "{said}");
}

#[test]
fn clients_go_on_where_they_were() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], ""));
    let session = pki.path("session").display().to_string();
    let address = balancer.listeners[1];
    // A ticket of TLS 1.2 comes within the handshake.
    let (_, said) = s_client(address, &["-tls1_2", "-sess_out", &session]);
    assert!(said.contains("New, TLSv1.2"), "{said}");
    let (_, said) = s_client(address, &["-tls1_2", "-sess_in", &session]);
    assert!(said.contains("Reused, TLSv1.2"), "{said}");
}

#[test]
fn requests_are_pipelined_and_connections_kept() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], ""));
    let address = balancer.listeners[1].to_string();
    let mut requests = String::new();
    for i in 0..10 {
        let (target, body) = (["/held", "/stream"][i % 2], format!("body {i}"));
        let end = if i == 9 { "Connection: close\r\n" } else { "" };
        write!(
            requests,
            "POST {target} HTTP/1.1\r\nHost: a\r\n{end}Content-Length: 6\r\n\r\n{body}"
        )
        .expect("it is text");
    }
    // It waits for the end of the connection, not of its input.
    let asked = run(
        "openssl",
        &["s_client", "-quiet", "-ign_eof", "-connect", &address],
        requests.as_bytes(),
    );
    let said = text(&asked.stdout);
    let bodies: Vec<_> = (0..10).map(|i| said.find(&format!("body {i}"))).collect();
    assert!(bodies.iter().all(Option::is_some) && bodies.is_sorted(), "{said}");
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 10, "{said}");
}
