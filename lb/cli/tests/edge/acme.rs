//! Certificates by ACME, from pebble.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::balancer::Balancer;
use crate::client::ask;
use crate::host::Host;
use crate::pebble::{self, Pebble};
use crate::pki::Pki;
use crate::tools::{connect, s_client, shown};

const ISSUED: &str = "weighbridge_acme_orders_total{outcome=\"issued\"}";
const FAILED: &str = "weighbridge_acme_orders_total{outcome=\"failed\"}";

/// A listener at `port` whose certificates are got for `names`.
fn listener(port: u16, names: &str) -> String {
    format!("[[listeners]]\naddress = \"127.0.0.1:{port}\"\nacme = [{names}]\n")
}

/// A balancer that keeps what it has in `data`.
fn before(host: &Host, data: &Path, more: &str) -> Balancer {
    Balancer::before(host.address, &format!("store.data_dir = \"{}\"\n{more}", data.display()))
}

/// The names of the certificate that is shown for `name` at `address`, believing `root` alone.
fn names_shown(root: &Path, (name, address): (&str, SocketAddr)) -> bool {
    let mut connection = connect(root, (name, address));
    crate::tools::ask(&mut connection).is_ok_and(|line| line == "HTTP/1.1 200 OK")
}

#[test]
fn certificates_are_got_and_renewed_by_a_handshake() {
    if !pebble::is_there() {
        return;
    }
    let (pki, host) = (Pki::new(), Host::mirror());
    let mut pebble = Pebble::new(&pki);
    let data = tempfile::tempdir().expect("a folder");
    let names = "\"a.example\", \"B.example\"";
    let more = pebble.acme(&pki, "contact = [\"mailto:ops@example.org\"]")
        + &listener(pebble.looks[0], names);
    let balancer = before(&host, data.path(), &more);
    let at = balancer.listeners[1];
    // The authority is not there: all that needs no certificate is served, and it is tried again.
    assert_eq!(ask(balancer.listeners[0], "GET", "/held", b"").status, 200);
    let (is_good, said) = s_client(at, &["-servername", "a.example"]);
    assert!(!is_good && said.contains("alert"), "{said}");
    balancer.wait("it has failed twice", || 2.0 <= balancer.metric(FAILED));

    pebble.start();
    balancer.wait("both are there", || 2.0 <= balancer.metric(ISSUED));
    let root = pki.path("root.pem");
    std::fs::write(&root, pebble.root()).expect("a file");
    for name in ["a.example", "b.example"] {
        assert!(names_shown(&root, (name, at)), "{name}: {}", pebble.log());
    }
    // A name that it has none for is refused, and so is whoever looks for a challenge in vain.
    assert!(!s_client(at, &["-servername", "c.example"]).0);
    assert!(!s_client(at, &["-servername", "a.example", "-alpn", "acme-tls/1"]).0);

    let mut kept = connect(&root, ("a.example", at));
    crate::tools::ask(&mut kept).expect("it answers");
    let before_renewal = shown(&kept);
    let issued = balancer.metric(ISSUED);
    balancer.wait("they are renewed", || issued + 2.0 <= balancer.metric(ISSUED));
    balancer.wait("the new one is shown", || {
        let mut fresh = connect(&root, ("a.example", at));
        crate::tools::ask(&mut fresh).is_ok() && shown(&fresh) != before_renewal
    });
    crate::tools::ask(&mut kept).expect("no connection is lost");
    let accounts = pebble.log().matches("POST /sign-me-up").count();
    assert_eq!(accounts, 1, "one account: {}", pebble.log());
    private_only(data.path());
}

/// Fails where anybody but the owner can read what is kept.
#[track_caller]
fn private_only(data: &Path) {
    let folders: Vec<_> = std::fs::read_dir(data.join("acme")).expect("it is there").collect();
    assert_eq!(folders.len(), 1);
    let folder = folders[0].as_ref().expect("it can be read").path();
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode();
    assert_eq!(mode(&folder) & 0o777, 0o700);
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("it is there") {
        let entry = entry.expect("it can be read");
        kept.push(entry.file_name().into_string().expect("text"));
        let is_lock = entry.file_name() == "lock";
        assert!(is_lock || mode(&entry.path()) & 0o777 == 0o600, "{kept:?}");
    }
    kept.sort();
    assert_eq!(kept, ["a.example.pem", "account.json", "b.example.pem", "lock"]);
}

#[test]
fn certificates_are_got_by_a_request_and_kept_over_a_restart() {
    if !pebble::is_there() {
        return;
    }
    let (pki, host) = (Pki::new(), Host::mirror());
    let mut pebble = Pebble::new(&pki);
    pebble.start();
    let data = tempfile::tempdir().expect("a folder");
    let [tls, http] = pebble.looks;
    // Where the authority looks, all else is sent to HTTPS.
    let plain = format!("[[listeners]]\naddress = \"127.0.0.1:{http}\"\nhttps_redirect = {tls}\n");
    let more =
        pebble.acme(&pki, "challenge = \"http-01\"") + &plain + &listener(tls, "\"a.example\"");
    let first = before(&host, data.path(), &more);
    first.wait("it is there", || 1.0 <= first.metric(ISSUED));
    let root = pki.path("root.pem");
    std::fs::write(&root, pebble.root()).expect("a file");
    assert!(names_shown(&root, ("a.example", first.listeners[2])), "{}", pebble.log());
    let elsewhere = "/.well-known/acme-challenge/none";
    assert_eq!(ask(first.listeners[1], "GET", elsewhere, b"").status, 308);
    drop(first);
    // Without an authority, what there is serves.
    drop(pebble);
    let second = before(&host, data.path(), &more);
    assert!(names_shown(&root, ("a.example", second.listeners[2])));
}

#[test]
fn a_name_that_does_not_lead_here_is_told_of() {
    if !pebble::is_there() {
        return;
    }
    let (pki, host) = (Pki::new(), Host::mirror());
    let mut pebble = Pebble::new(&pki);
    pebble.start();
    let data = tempfile::tempdir().expect("a folder");
    // The authority looks at a port where nobody listens.
    let more = pebble.acme(&pki, "") + &listener(0, "\"a.example\"");
    let balancer = before(&host, data.path(), &more);
    balancer.wait("it is told", || balancer.log().contains("the name does not lead here: "));
    assert!(1.0 <= balancer.metric(FAILED));
    assert_eq!(ask(balancer.listeners[0], "GET", "/held", b"").status, 200);
}

#[test]
fn mistakes_in_what_is_to_be_got_are_told() {
    let more = "[acme]\nca = \"/none\"\ndirectory = \"https://a.example/\"\n\
                [[listeners]]\naddress = \"127.0.0.1:1\"\nacme = [\"*.a.example\", \"a.example\"]\n";
    let (is_good, said) = crate::checks::check(more);
    assert!(!is_good, "{said}");
    for mistake in [
        "acme.ca: cannot read `/none`",
        "acme.terms_agreed is false: expected true",
        "listeners[0].acme has `*.a.example`: expected a name",
    ] {
        assert!(said.contains(mistake), "no `{mistake}` in {said}");
    }
    let more = "[[listeners]]\naddress = \"127.0.0.1:1\"\nacme = [\"a.example\"]\n";
    let (is_good, said) = crate::checks::check(more);
    assert!(!is_good && said.contains("acme.directory is empty"), "{said}");
}
