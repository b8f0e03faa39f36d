//! Clients that show certificates.

use std::net::SocketAddr;

use crate::balancer::{Balancer, listener};
use crate::config::CertificateFiles;
use crate::host::Host;
use crate::pki::Pki;
use crate::tools::{curl, text};

/// What curl is told when it asks with a certificate, and with headers that it had better not send.
fn ask(pki: &Pki, address: SocketAddr, own: Option<&CertificateFiles>) -> String {
    let (cert, key);
    let mut more = vec!["-o", "/dev/null", "-w", "%{http_code}"];
    more.extend(["-H", "x-client-subject: CN=root", "-H", "x_client_subject: CN=root"]);
    if let Some(own) = own {
        (cert, key) = (own.chain.display().to_string(), own.key.display().to_string());
        more.extend(["--cert", &cert, "--key", &key]);
    }
    text(&curl(pki, ("a.example", address), "/held", &more).stdout)
}

#[test]
fn clients_show_certificates_and_hosts_are_told_whose() {
    let (pki, strangers, host) = (Pki::new(), Pki::new(), Host::mirror());
    let server = pki.server("a", &["a.example"]);
    let ca = pki.ca().display().to_string();
    let by = |how: &str| {
        listener(&[&server], &format!("client_certificates = \"{how}\"\nclient_ca = \"{ca}\""))
    };
    let more = "forwarded.client_subject = \"x-client-subject\"\n".to_owned();
    let more = more + &by("required") + &by("optional") + &listener(&[&server], "");
    let balancer = Balancer::before(host.address, &more);
    let [_, required, optional, off] = balancer.listeners[..] else { unreachable!("four") };
    let (alice, mallory) = (pki.server("alice", &[]), strangers.server("alice", &[]));
    let subject = || host.last().headers("x-client-subject").join(" and ");

    assert_eq!(ask(&pki, required, Some(&alice)), "200");
    assert_eq!(subject(), "CN=alice");
    assert_eq!(ask(&pki, optional, Some(&alice)), "200");
    assert_eq!(subject(), "CN=alice");
    for address in [optional, off] {
        assert_eq!(ask(&pki, address, None), "200");
        assert_eq!(subject(), "");
        assert!(host.last().headers("x_client_subject").is_empty());
    }
    assert_eq!(host.heard().len(), 4);
    // Whoever shows nothing, or what a stranger has signed, is refused.
    assert_eq!(ask(&pki, required, None), "000");
    assert_eq!(ask(&pki, required, Some(&mallory)), "000");
    assert_eq!(ask(&pki, optional, Some(&mallory)), "000");
    assert_eq!(host.heard().len(), 4);
    let series = "weighbridge_tls_handshakes_failed_total{reason=\"client_certificate\"}";
    balancer.wait("they are counted", || balancer.metric(series) == 3.0);
}
