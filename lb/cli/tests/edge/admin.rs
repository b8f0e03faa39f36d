//! Who may ask, and who may change something.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::balancer::{Balancer, config};
use crate::host::Host;
use crate::pki::Pki;
use crate::tools::{run, text};

const TOKEN: &str = "0123456789abcdef-of-a-test";

/// What `address` answers to a request for a change that there is not, with `more` headers.
fn change(address: SocketAddr, more: &[&str]) -> (String, String) {
    let url = format!("http://{address}/no-such-change");
    let headers = more.iter().flat_map(|header| ["-H", header]);
    let arguments: Vec<&str> = ["-sS", "-i", "-X", "POST"].into_iter().chain(headers).collect();
    let said = text(&run("curl", &[&arguments[..], &[&url]].concat(), b"").stdout);
    let status = said.split(' ').nth(1).unwrap_or_default().to_owned();
    (status, said)
}

/// The same by the socket at `path`.
fn by_socket(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("the balancer listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("it answers");
    said.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A request for a change that there is not is not allowed by its method, once it is let through.
const LET_THROUGH: &str = "405";

#[test]
fn whoever_has_the_token_may_change_something() {
    let (host, folder) = (Host::mirror(), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    let more = format!("admin_token_file = \"{}\"\n", file.display());
    let balancer = Balancer::before(host.address, &more);
    let admin = balancer.admin;
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let (status, said) = change(admin, &[]);
    assert_eq!(status, "401");
    let said = said.to_lowercase();
    assert!(said.contains("www-authenticate: bearer"), "{said}");
    assert!(said.contains("application/problem+json"), "{said}");
    for wrong in [
        "Authorization: Bearer",
        "Authorization: Bearer 0123456789abcdef",
        "Authorization: Basic x",
    ] {
        assert_eq!(change(admin, &[wrong]).0, "401", "{wrong}");
    }
    assert_eq!(change(admin, &[&bearer]).0, LET_THROUGH);
    // A page in a browser cannot, whatever it has found out.
    assert_eq!(change(admin, &[&bearer, "Origin: http://127.0.0.1"]).0, "403");
    // Nobody needs it to ask.
    assert_eq!(balancer.look("/fleet").status, 200);
    // A new token counts at once, and the old one no more.
    std::fs::write(&file, "another-token-of-this-test").expect("a file");
    assert_eq!(change(admin, &[&bearer]).0, "401");
    assert_eq!(change(admin, &["Authorization: bearer another-token-of-this-test"]).0, LET_THROUGH);
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(change(admin, &["Authorization: bearer another-token-of-this-test"]).0, "503");
}

#[test]
fn whoever_may_connect_to_the_socket_may_change_something() {
    let (host, folder) = (Host::mirror(), tempfile::tempdir().expect("a folder"));
    let socket = folder.path().join("admin.sock");
    let more = format!("admin_socket = \"{}\"\n", socket.display());
    let balancer = Balancer::before(host.address, &more);
    let post = "POST /no-such-change HTTP/1.1\r\nHost: weighbridge\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(by_socket(&socket, post), LET_THROUGH);
    let get = "GET /fleet HTTP/1.1\r\nHost: weighbridge\r\nConnection: close\r\n\r\n";
    assert_eq!(by_socket(&socket, get), "200");
    // By TCP there is no token that would do.
    assert_eq!(change(balancer.admin, &[]).0, "403");
    assert_eq!(balancer.look("/fleet").status, 200);
    let curl = ["-sS", "--unix-socket", &socket.display().to_string(), "http://a/healthz"];
    assert_eq!(text(&run("curl", &curl, b"").stdout), "ok\n");
}

#[test]
fn without_either_this_machine_may_and_pages_of_its_browsers_may_not() {
    let host = Host::mirror();
    let balancer = Balancer::before(host.address, "");
    assert_eq!(change(balancer.admin, &[]).0, LET_THROUGH);
    assert_eq!(change(balancer.admin, &["Origin: http://evil.example"]).0, "403");
    assert_eq!(change(balancer.admin, &["Host: evil.example"]).0, "421");
}

#[test]
fn operators_are_served_by_tls() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let files = pki.server("a", &["localhost"]);
    let (chain, key) = (files.chain.display(), files.key.display());
    let more = format!("admin_certificates = [{{ chain = \"{chain}\", key = \"{key}\" }}]\n");
    let balancer = Balancer::before_unready(host.address, &more);
    let port = balancer.admin.port();
    let url = format!("https://localhost:{port}/healthz");
    let ca = pki.ca().display().to_string();
    let resolve = format!("localhost:{port}:127.0.0.1");
    let asked = run("curl", &["-sS", "--cacert", &ca, "--resolve", &resolve, &url], b"");
    assert_eq!(text(&asked.stdout), "ok\n", "{}", text(&asked.stderr));
    let plain = run("curl", &["-sS", &format!("http://127.0.0.1:{port}/healthz")], b"");
    assert!(!plain.status.success());
}

#[test]
fn mistakes_in_what_lets_operators_in_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "short").expect("a file");
    let text = format!("admin_token_file = \"{}\"\n", file.display())
        + &config("127.0.0.1:9".parse().expect("an address"), "");
    let (is_good, said) = crate::checks::check_text(&text);
    assert!(!is_good, "{said}");
    assert!(said.contains("line 1: admin_token_file: `"), "{said}");
    assert!(said.contains("has no token: expected one line of at least 16"), "{said}");
}

#[test]
fn commands_show_the_token_by_every_door() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let file = pki.path("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    let (file, socket) = (file.display().to_string(), pki.path("admin.sock").display().to_string());
    let files = pki.server("a", &["localhost"]);
    let (chain, key) = (files.chain.display(), files.key.display());
    let more = format!(
        "admin_token_file = \"{file}\"\nadmin_socket = \"{socket}\"\n\
         admin_certificates = [{{ chain = \"{chain}\", key = \"{key}\" }}]\n"
    );
    let balancer = Balancer::before_unready(host.address, &more);
    let ca = pki.ca().display().to_string();
    let https = format!("https://localhost:{}", balancer.admin.port());
    let by_tls = ["--admin", &https, "--admin-ca", &ca];
    let by_socket = ["--admin", &format!("unix:{socket}")];
    let with_token = [&by_tls[..], &["--token-file", &file]].concat();
    let ran = |arguments: &[&[&str]]| {
        let output = run(env!("CARGO_BIN_EXE_weighbridge"), &arguments.concat(), b"");
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let drain = ["fleet", "drain", "192.0.2.1:1"];
    for (arguments, is_good, said) in [
        ([&["reload"][..], &with_token], true, "generation 2 is in use"),
        ([&["reload"], &by_socket], true, "generation 3 is in use"),
        ([&["reload"], &by_tls], false, "401 Unauthorized: a change needs `Authorization: Bearer`"),
        ([&drain, &by_tls], false, "401 Unauthorized"),
        ([&drain, &with_token], false, "no listed host is at"),
        ([&["explain", "/held"], &by_tls], true, "verdict"),
        ([&["explain", "/held"], &by_socket], true, "verdict"),
        ([&["upgrade"], &["--admin", &https]], false, "UnknownIssuer"),
        ([&["upgrade"], &["--admin", "nowhere"]], false, "expected HOST:PORT, https://HOST:PORT"),
        ([&["reload"], &["--token-file", "/none", "--admin", &https]], false, "cannot be read"),
    ] {
        let (was_good, told) = ran(&arguments);
        assert_eq!(was_good, is_good, "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    // The token itself can be in the environment.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weighbridge"))
        .arg("reload")
        .args(by_tls)
        .env("WEIGHBRIDGE_TOKEN", TOKEN)
        .output()
        .expect("the program runs");
    assert_eq!(text(&output.stdout), "generation 4 is in use\n", "{}", text(&output.stderr));
}
