//! A browser as a client: Chromium, which believes what is in its user's store of certificates.

use std::path::Path;
use std::process::Command;

use crate::balancer::{Balancer, listener};
use crate::client::DEADLINE;
use crate::host::{Host, Then, answer};
use crate::pki::Pki;
use crate::tools::{run, text};

/// What the host's page says once its script has run.
const SAID: &str = "loaded by the browser";

const PAGE: &str = "<!doctype html><title>x</title><p id=p></p><script src=/held/script></script>";

/// What the browser shows of `url` to the user whose home `home` is.
fn shown(home: &Path, url: &str) -> String {
    let deadline = DEADLINE.as_secs().to_string();
    let output = Command::new("timeout")
        .args([&deadline, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--host-resolver-rules=MAP a.example 127.0.0.1"])
        .args(["--virtual-time-budget=5000", "--dump-dom", url])
        .env("HOME", home)
        .output()
        .expect("`.ci/install` installs chromium");
    text(&output.stdout)
}

/// Has the user whose home `home` is believe what `ca` signs.
fn believe(home: &Path, ca: &Path) {
    let store = home.join(".pki/nssdb");
    std::fs::create_dir_all(&store).expect("a folder");
    let (store, ca) = (format!("sql:{}", store.display()), ca.display().to_string());
    for arguments in [
        &["-N", "--empty-password", "-d", &store][..],
        &["-A", "-d", &store, "-n", "ca", "-t", "C,,", "-i", &ca],
    ] {
        let done = run("certutil", arguments, b"");
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
    }
}

#[test]
fn a_browser_loads_a_page_from_whom_it_believes_and_from_nobody_else() {
    let host = Host::start(|heard, client| {
        let (kind, body) = if heard.is_for("/held/script") {
            ("text/javascript", format!("p.textContent = 'loaded by ' + '{}'", &SAID[10..]))
        } else {
            ("text/html", PAGE.to_owned())
        };
        answer(client, "200 OK", &[&format!("Content-Type: {kind}")], body.as_bytes());
        Then::Keep
    });
    let (pki, home) = (Pki::new(), tempfile::tempdir().expect("a folder"));
    let tls = listener(&[&pki.server("a", &["a.example"])], "");
    let balancer = Balancer::before(host.address, &tls);
    let url = format!("https://a.example:{}/held/page", balancer.listeners[1].port());

    let refused = shown(home.path(), &url);
    assert!(!refused.contains(SAID), "{refused}");
    assert_eq!(host.heard().len(), 0, "nothing is asked of a stranger");
    believe(home.path(), &pki.ca());
    let page = shown(home.path(), &url);
    assert!(page.contains(SAID), "{page}");
    let heard = host.heard();
    assert!(heard.iter().all(|one| one.headers("x-forwarded-proto") == ["https"]));
    assert!(heard.iter().all(|one| one.headers("user-agent")[0].contains("Chrome/")));
}
