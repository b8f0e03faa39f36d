//! The clients of others: curl, openssl and h2load; and one by rustls, of which a test can see all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{DEADLINE, Response};
use crate::pki::Pki;

/// Runs `program` to its end, with `input`.
pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut process = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| unreachable!("`.ci/install` installs {program}: {error}"));
    // Fails where it reads nothing.
    let _ = process.stdin.take().expect("it is piped").write_all(input);
    process.wait_with_output().expect("it ends")
}

/// Asks for `https://NAME/TARGET` at `address` by curl, which believes `pki` alone.
pub(crate) fn curl(
    pki: &Pki,
    (name, address): (&str, SocketAddr),
    target: &str,
    more: &[&str],
) -> Output {
    let port = address.port();
    let ca = pki.ca().display().to_string();
    let resolve = format!("{name}:{port}:{}", address.ip());
    let url = format!("https://{name}:{port}{target}");
    let own = ["-sS", "--max-time", "30", "--cacert", &ca, "--resolve", &resolve];
    run("curl", &[&own, more, &[&url]].concat(), b"")
}

/// What `openssl s_client` says of `address`, having asked it for nothing.
pub(crate) fn s_client(address: SocketAddr, more: &[&str]) -> (bool, String) {
    let address = address.to_string();
    let arguments = [&["s_client", "-connect", &address], more].concat();
    let output = run("openssl", &arguments, b"");
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// Text that a program has written.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts that `answer` is a problem as RFC 9457 has it.
#[track_caller]
pub(crate) fn assert_problem(answer: &Response, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{}", text(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((&problem["status"], &problem["field"]), (&status.into(), &field.into()));
}

/// A connection by rustls.
pub(crate) type Secure = StreamOwned<ClientConnection, TcpStream>;

/// A client that believes the authority in the file `ca`.
pub(crate) fn believing(ca: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).expect("a PEM file") {
        roots.add(certificate.expect("a certificate")).expect("an authority");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("they fit")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Connects to `name` at `address`; believes the authority in the file `ca`.
pub(crate) fn connect(ca: &Path, (name, address): (&str, SocketAddr)) -> Secure {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let session = ClientConnection::new(believing(ca), name).expect("it can be made");
    let stream = TcpStream::connect(address).expect("the balancer listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    StreamOwned::new(session, stream)
}

/// Asks for `/held` on a connection that stays open, and returns the status line.
pub(crate) fn ask(connection: &mut Secure) -> std::io::Result<String> {
    connection.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(text(&head).lines().next().unwrap_or_default().to_owned())
}

/// The certificate that the other side has shown.
pub(crate) fn shown(connection: &Secure) -> CertificateDer<'static> {
    let chain = connection.conn.peer_certificates().expect("the handshake is over");
    chain[0].clone().into_owned()
}
