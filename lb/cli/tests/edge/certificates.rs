//! Certificates whose files change while the balancer runs.

use std::path::Path;

use crate::balancer::{Balancer, listener};
use crate::host::Host;
use crate::pki::Pki;
use crate::tools::{ask, connect, shown};

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("it can be written");
}

#[test]
fn new_certificates_are_shown_and_no_connection_is_lost() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let files = pki.server("a", &["a.example"]);
    let balancer = Balancer::before(host.address, &listener(&[&files], ""));
    let at = ("a.example", balancer.listeners[1]);
    let mut kept = connect(&pki.ca(), at);
    assert_eq!(ask(&mut kept).expect("it answers"), "HTTP/1.1 200 OK");
    let old = shown(&kept);

    let new = pki.server("b", &["a.example"]);
    copy(&new.chain, &files.chain);
    copy(&new.key, &files.key);
    balancer.wait("it is shown", || {
        let mut fresh = connect(&pki.ca(), at);
        assert_eq!(ask(&mut fresh).expect("it answers"), "HTTP/1.1 200 OK");
        shown(&fresh) != old
    });
    assert_eq!(ask(&mut kept).expect("it is still there"), "HTTP/1.1 200 OK");
    assert_eq!(balancer.metric("weighbridge_certificates_read_total{outcome=\"used\"}"), 1.0);
}

#[test]
fn files_that_cannot_be_used_change_nothing_and_say_so() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let files = pki.server("a", &["a.example"]);
    let balancer = Balancer::before(host.address, &listener(&[&files], ""));
    let at = ("a.example", balancer.listeners[1]);
    let mut first = connect(&pki.ca(), at);
    ask(&mut first).expect("it answers");
    let (old, listener) = (shown(&first), balancer.listeners[1]);
    let stale = format!("weighbridge_certificates_stale{{listener=\"{listener}\"}}");
    let chain = std::fs::read(&files.chain).expect("it is there");

    let other = pki.server("other", &["a.example"]);
    let half = chain[..chain.len() / 2].to_vec();
    let others = std::fs::read(&other.chain).expect("it is there");
    for (broken, said) in [
        (Some(half), "is not PEM"),
        (Some(b"nothing".to_vec()), "has no certificate"),
        // Whoever renews certificates may write the chain first.
        (Some(others), "is not that of the certificate"),
        (None, "cannot read"),
    ] {
        match broken {
            Some(bytes) => std::fs::write(&files.chain, bytes).expect("it can be written"),
            None => std::fs::remove_file(&files.chain).expect("it is there"),
        }
        balancer.wait(said, || balancer.log().contains(said) && balancer.metric(&stale) == 1.0);
        let mut fresh = connect(&pki.ca(), at);
        ask(&mut fresh).expect("it answers");
        assert!(shown(&fresh) == old, "{said}");
    }
    assert!(4.0 <= balancer.metric("weighbridge_certificates_read_total{outcome=\"refused\"}"));

    std::fs::write(&files.chain, &chain).expect("it can be written");
    balancer.wait("all is well", || balancer.metric(&stale) == 0.0);
    copy(&other.chain, &files.chain);
    copy(&other.key, &files.key);
    balancer.wait("the new one is shown", || {
        let mut fresh = connect(&pki.ca(), at);
        ask(&mut fresh).is_ok() && shown(&fresh) != old
    });
    assert_eq!(balancer.metric(&stale), 0.0);
}

#[test]
fn metrics_say_when_certificates_expire() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let files = pki.sign("a", &["a.example"], |params| {
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    });
    let balancer = Balancer::before(host.address, &listener(&[&files], ""));
    let place = balancer.listeners[1];
    let name = "weighbridge_certificate_expiry_timestamp_seconds";
    let series = format!("{name}{{listener=\"{place}\",name=\"a.example\"}}");
    assert_eq!(balancer.metric(&series), 2_208_988_800.0);
}
