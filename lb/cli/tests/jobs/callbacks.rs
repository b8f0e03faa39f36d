//! Callbacks: signed, to hosts that are listed, until they are delivered.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::harness::balancer::Place;
use crate::harness::{DEADLINE, until};
use crate::host::{Heard, Host, Then, answer};
use crate::service::{Service, ask, config, echo, json, text};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A secret in a file, and the configuration that uses it for callbacks to this machine.
fn callbacks(folder: &tempfile::TempDir, more: &str) -> String {
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).expect("the folder is writable");
    format!(
        "[jobs.callbacks]\nhosts = [\"127.0.0.1\"]\nnetworks = [\"127.0.0.0/8\"]\n\
         secret_file = \"{}\"\n{more}\n",
        file.display()
    )
}

/// A host that takes callbacks with these statuses, the last one from then on.
fn listener(statuses: &'static [&'static str]) -> Host {
    let count = Arc::new(AtomicUsize::new(0));
    Host::start(move |_, client| {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        answer(client, statuses[nth.min(statuses.len() - 1)], &["Location: /other"], b"");
        Then::Keep
    })
}

/// Verifies a callback by the standard's own library. What it says.
#[track_caller]
fn verified(heard: &Heard) -> Value {
    let mut headers = HeaderMap::new();
    for (name, value) in heard.all() {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    let standard = standardwebhooks::Webhook::new(SECRET).expect("a secret");
    standard.verify(&heard.body, &headers).expect("it is signed");
    serde_json::from_slice(&heard.body).expect("JSON")
}

#[test]
fn the_end_of_a_job_is_told_once_it_is_committed_and_signed() {
    let (folder, host, listener) =
        (tempfile::tempdir().expect("a folder"), echo(), listener(&["204 No Content"]));
    let service = Service::start(&[&host], "", &callbacks(&folder, ""));
    let callback = format!("weighbridge-callback: http://{}/told?x=1", listener.address);
    let location = service.accept("/a", &[&callback], b"body");
    until("it is told", || !listener.heard().is_empty());
    let heard = listener.last();
    assert_eq!(heard.line, "POST /told?x=1 HTTP/1.1");
    assert_eq!(heard.headers("content-type"), ["application/cloudevents+json"]);
    let told = verified(&heard);
    let id = location.trim_start_matches("/jobs/");
    for (name, expected) in [
        ("specversion", "1.0"),
        ("type", "weighbridge.job.succeeded"),
        ("subject", id),
        ("datacontenttype", "application/json"),
    ] {
        assert_eq!(told[name], expected, "{told}");
    }
    assert_eq!(
        (told["data"]["job"].as_str(), told["data"]["status"].as_u64()),
        (Some(id), Some(200))
    );
    assert_eq!(service.result(&location).status, 200);
    assert_eq!(host.last().headers("weighbridge-callback"), [""; 0], "it is not the host's");
    until("it is delivered", || {
        service.balancer.metric("weighbridge_job_callback_tries_total", "delivered") > 0.5
    });
    assert_eq!(listener.heard().len(), 1);
}

#[test]
fn a_callback_goes_nowhere_that_is_not_listed() {
    let (folder, host, listener) =
        (tempfile::tempdir().expect("a folder"), echo(), listener(&["200 OK"]));
    let service = Service::start(&[&host], "", &callbacks(&folder, ""));
    for bad in [
        "http://localhost:1/",
        "http://example.org/",
        "http://169.254.169.254/latest",
        "ftp://127.0.0.1/",
        "http://user@127.0.0.1/",
        "nonsense",
    ] {
        let callback = format!("weighbridge-callback: {bad}");
        let refused = service.ask("POST", "/a", &["Prefer: respond-async", &callback], b"");
        assert_eq!(refused.status, 400, "{bad}: {}", text(&refused));
        assert_eq!(json(&refused)["field"], "weighbridge-callback");
    }
    assert_eq!(host.heard().len(), 0, "nothing was accepted");
    // A listed name that leads to a private address, which is not listed.
    let private =
        callbacks(&folder, "").replace("networks = [\"127.0.0.0/8\"]", "try_for = \"0s\"");
    let service = Service::start(&[&host], "", &private);
    let callback = format!("weighbridge-callback: http://{}/", listener.address);
    let location = service.accept("/a", &[&callback], b"");
    assert_eq!(service.result(&location).status, 200);
    let admin = service.balancer.admin;
    until("it is given up", || {
        let dead = json(&ask(admin, "GET", "/jobs/callbacks", &[], b""));
        dead["dead"][0]["reason"].as_str().is_some_and(|reason| reason.contains("is not public"))
    });
    assert_eq!(listener.heard().len(), 0);
    // Without any hosts there are no callbacks.
    let none = Service::start(&[&host], "", "");
    let refused = none.ask("POST", "/a", &["Prefer: respond-async", &callback], b"");
    assert_eq!(refused.status, 400, "{}", text(&refused));
}

#[test]
fn webhook_target_away() {
    let (folder, host) = (tempfile::tempdir().expect("a folder"), echo());
    // It fails twice, then leads elsewhere, then takes it.
    let failing = listener(&["500 Oops", "302 Found", "200 OK"]);
    let more = "backoff_max = \"1s\"\n";
    let service = Service::start(&[&host], "", &callbacks(&folder, more));
    let callback = format!("weighbridge-callback: http://{}/a", failing.address);
    let location = service.accept("/a", &[&callback], b"");
    assert_eq!(service.result(&location).status, 200, "who polls does not wait for it");
    until("it is tried until it is taken", || failing.heard().len() == 3);
    let heard = failing.heard();
    assert!(heard.iter().all(|one| one.is_for("/a")), "no redirection is followed");
    assert!(heard.iter().all(|one| one.headers("webhook-id") == heard[0].headers("webhook-id")));
    for one in &heard {
        verified(one);
    }
    // Who says 410 wants no more of them.
    let gone = listener(&["410 Gone"]);
    let callback = format!("weighbridge-callback: http://{}/b", gone.address);
    service.accept("/a", &[&callback], b"");
    let admin = service.balancer.admin;
    until("it is dead", || {
        let dead = json(&ask(admin, "GET", "/jobs/callbacks", &[], b""));
        dead["dead"][0]["url"].as_str().is_some_and(|url| url.ends_with("/b"))
    });
    assert_eq!(gone.heard().len(), 1);
}

/// A host at `localhost` that speaks TLS and tells of what it is sent, and its certificate.
fn tls_listener() -> (SocketAddr, mpsc::Receiver<String>, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual ones")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.expect("a key"))
        .expect("they fit");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let settings = Arc::new(settings);
        for stream in listener.incoming().map_while(Result::ok) {
            let session = rustls::ServerConnection::new(Arc::clone(&settings)).expect("as above");
            let mut stream = rustls::StreamOwned::new(session, stream);
            // One that does not trust the certificate breaks off.
            if let Some(request) = read_request(&mut stream) {
                let _told = heard.send(request);
                let _taken = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    (address, hears, certified.cert.pem())
}

/// A request with a body of its announced length.
fn read_request(stream: &mut impl std::io::Read) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
            });
            if length.unwrap_or(0) <= body.len() {
                return Some(text);
            }
        }
        let mut bytes = [0; 4096];
        let n_read = stream.read(&mut bytes).ok().filter(|n_read| 0 < *n_read)?;
        read.extend_from_slice(&bytes[..n_read]);
    }
}

#[test]
fn a_callback_goes_by_tls_to_who_has_a_certificate_that_is_trusted() {
    let (folder, host) = (tempfile::tempdir().expect("a folder"), echo());
    let (address, hears, certificate) = tls_listener();
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, certificate).expect("the folder is writable");
    let jobs = callbacks(&folder, "try_for = \"0s\"\n")
        .replace("\"127.0.0.1\"", "\"localhost\"")
        .replace("\"127.0.0.0/8\"", "\"127.0.0.0/8\", \"::1/128\"");
    let text = config(&[host.address], "", &jobs);
    let callback = format!("weighbridge-callback: https://localhost:{}/tls", address.port());
    let headers = ["Prefer: respond-async", &callback];
    // Nobody vouches for it.
    let place = Place::new(&text);
    let balancer = place.serve();
    balancer.has_active(1);
    assert_eq!(ask(balancer.listen, "POST", "/a", &headers, b"").status, 202);
    until("it is given up", || {
        let dead = json(&ask(balancer.admin, "GET", "/jobs/callbacks", &[], b""));
        dead["dead"][0]["reason"].as_str().is_some_and(|reason| reason.contains("certificate"))
    });
    assert!(hears.try_recv().is_err());
    // The system trusts it.
    let trusted = trusted.to_str().expect("a path").to_owned();
    let place = Place::new(&text).with(&[("SSL_CERT_FILE", &trusted)]);
    let balancer = place.serve();
    balancer.has_active(1);
    assert_eq!(ask(balancer.listen, "POST", "/a", &headers, b"").status, 202);
    let heard = hears.recv_timeout(DEADLINE).expect("it is told");
    assert!(heard.starts_with("POST /tls HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("weighbridge.job.succeeded"), "{heard}");
}
