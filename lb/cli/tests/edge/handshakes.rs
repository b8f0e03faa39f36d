//! What is refused in a handshake, and how it is counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use crate::balancer::{Balancer, listener};
use crate::client::{Connection, DEADLINE};
use crate::host::Host;
use crate::pki::Pki;
use crate::tools::{curl, s_client, text};

/// The failures of handshakes for `reason`.
fn failed(balancer: &Balancer, reason: &str) -> f64 {
    balancer.metric(&format!("weighbridge_tls_handshakes_failed_total{{reason=\"{reason}\"}}"))
}

#[test]
fn old_versions_and_ciphers_are_refused() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let files = pki.server("a", &["a.example"]);
    let more = listener(&[&files], "") + &listener(&[&files], "tls_min = \"1.3\"");
    let balancer = Balancer::before(host.address, &more);
    let (usual, strict) = (balancer.listeners[1], balancer.listeners[2]);
    // At level 0, openssl itself offers what is old.
    let old = ["-cipher", "ALL:@SECLEVEL=0"];
    for (address, version, is_taken) in [
        (usual, "-tls1", false),
        (usual, "-tls1_1", false),
        (usual, "-tls1_2", true),
        (usual, "-tls1_3", true),
        (strict, "-tls1_2", false),
        (strict, "-tls1_3", true),
    ] {
        let (is_good, said) = s_client(address, &[&[version], &old[..]].concat());
        assert_eq!(is_good, is_taken, "{version}: {said}");
        // It is the balancer that refuses.
        assert!(is_taken || said.contains("alert"), "{version}: {said}");
    }
    for cipher in
        ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES256-GCM-SHA384", "NULL", "DES-CBC3-SHA"]
    {
        let cipher = format!("{cipher}:@SECLEVEL=0");
        let (is_good, said) = s_client(usual, &["-tls1_2", "-cipher", &cipher]);
        assert!(!is_good, "{cipher}: {said}");
    }
    balancer.wait("they are counted", || 5.0 < failed(&balancer, "incompatible"));
}

#[test]
fn a_name_gets_its_certificate_and_another_name_is_refused() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let first = pki.server("first", &["a.example"]);
    let second = pki.server("second", &["b.example", "*.c.example"]);
    let balancer = Balancer::before(host.address, &listener(&[&first, &second], ""));
    let address = balancer.listeners[1];
    for (name, certificate) in
        [("a.example", "first"), ("b.example", "second"), ("x.c.example", "second")]
    {
        let (_, said) = s_client(address, &["-servername", name]);
        assert!(said.contains(&format!("subject=CN = {certificate}")), "{name}: {said}");
        assert!(curl(&pki, (name, address), "/held", &["-f"]).status.success(), "{name}");
    }
    let (_, said) = s_client(address, &["-noservername"]);
    assert!(said.contains("subject=CN = first"), "{said}");
    let (is_good, said) = s_client(address, &["-servername", "other.example"]);
    assert!(!is_good && said.contains("alert"), "{said}");
    balancer.wait("it is counted", || failed(&balancer, "name") == 1.0);
    // Who does not believe the certificate says so.
    let stranger = curl(&Pki::new(), ("a.example", address), "/held", &[]);
    assert_eq!(stranger.status.code(), Some(60));
    balancer.wait("it is counted", || failed(&balancer, "refused") == 1.0);
}

#[test]
fn http_without_tls_is_told_what_is_spoken_here() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], ""));
    let mut connection = Connection::open(balancer.listeners[1]);
    connection.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.response("GET").assert_problem(400, Some("head"));
    let mut connection = Connection::open(balancer.listeners[1]);
    connection.send("\u{1}\u{2}\u{3}");
    assert!(connection.rest().is_empty());
    balancer.wait("both are counted", || {
        (failed(&balancer, "plain_http"), failed(&balancer, "not_tls")) == (1.0, 1.0)
    });
    assert!(host.heard().is_empty());
}

#[test]
fn a_handshake_that_does_not_end_gives_its_place_back() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let more = "timeouts.handshake = \"300ms\"\nlimits.connections_max = 4\n".to_owned();
    let balancer = Balancer::before(
        host.address,
        &(more + &listener(&[&pki.server("a", &["a.example"])], "")),
    );
    let address = balancer.listeners[1];
    let mut slow: Vec<TcpStream> = (0..8)
        .map(|nth| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
            // Half of them begin, and do not go on.
            if nth % 2 == 0 {
                stream.write_all(&[22, 3, 1, 2, 0, 1]).expect("it is there");
            }
            stream
        })
        .collect();
    assert!(curl(&pki, ("a.example", address), "/held", &["-f"]).status.success());
    for stream in &mut slow {
        let mut rest = Vec::new();
        // It may be reset: what it had sent was not all read.
        let _closed = stream.read_to_end(&mut rest);
    }
    balancer.wait("each is counted", || failed(&balancer, "timeout") == 8.0);
    balancer.wait("none is left", || balancer.metric("weighbridge_connections") == 0.0);
}

#[test]
fn nothing_weak_is_agreed_on() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let more = "timeouts.idle = \"500ms\"\n".to_owned()
        + &listener(&[&pki.server("a", &["a.example"])], "");
    let balancer = Balancer::before(host.address, &more);
    let address = balancer.listeners[1];
    for offered in [
        &["-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-sigalgs", "ECDSA+SHA1"] as &[&str],
        &["-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-groups", "sect283k1:secp224r1"],
        &["-tls1_2", "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0:!ECDHE"],
        &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256:TLS_AES_128_CCM_SHA256"],
    ] {
        let (is_good, said) = s_client(address, offered);
        assert!(!is_good && said.contains("alert"), "{offered:?}: {said}");
    }
    let (_, said) = s_client(address, &["-tls1_3"]);
    assert!(said.contains("Compression: NONE"), "{said}");
    // What curl is made to offer at the most.
    let old = curl(&pki, ("a.example", address), "/held", &["--tlsv1.0", "--tls-max", "1.1"]);
    assert_eq!(old.status.code(), Some(35));
    let (is_good, said) = renegotiate(address);
    assert!(said.contains("RENEGOTIATING") && !is_good, "{said}");
    assert!(host.heard().is_empty());
}

/// What becomes of a client that wants to begin anew within its connection: it gets no answer.
fn renegotiate(address: SocketAddr) -> (bool, String) {
    let mut process = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &address.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`.ci/install` installs it");
    let mut input = process.stdin.take().expect("it is piped");
    let said = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut said = said.lines().map(|line| line.expect("text"));
    assert!(said.any(|line| line.contains("Extended master secret")), "no handshake");
    input.write_all(b"R\n").expect("it reads");
    let ended = process.wait_with_output().expect("it ends");
    (ended.status.success(), text(&ended.stderr))
}
