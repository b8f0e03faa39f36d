//! Hosts that speak TLS, or are told whom a connection is from.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::balancer::{Balancer, config};
use crate::client::{Connection, ask};
use crate::config::CertificateFiles;
use crate::pki::Pki;

/// What a host that speaks TLS has met with.
#[derive(Debug, Default, Clone)]
struct Met {
    /// Names that it was asked for in handshakes, none as an empty text.
    names: Vec<String>,
    /// Paths that clients asked for.
    paths: Vec<String>,
    /// Connections on which a client's request came.
    connections: usize,
}

/// A host that speaks TLS by `files`.
fn host(files: &CertificateFiles) -> (SocketAddr, Arc<Mutex<Met>>) {
    let chain =
        CertificateDer::pem_file_iter(&files.chain).expect("PEM").map(|one| one.expect("one"));
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("they fit")
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .expect("they fit");
    let (server, met) = (Arc::new(server), Arc::<Mutex<Met>>::default());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it listens");
    let all = met.clone();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let session = ServerConnection::new(server.clone()).expect("it can be made");
            let met = all.clone();
            std::thread::spawn(move || serve(StreamOwned::new(session, stream), &met));
        }
    });
    (address, met)
}

/// Answers each request with its path, until the other side leaves.
fn serve(stream: StreamOwned<ServerConnection, std::net::TcpStream>, met: &Mutex<Met>) {
    let (mut reader, mut is_new) = (BufReader::new(stream), true);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match reader.read_until(b'\n', &mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let head = String::from_utf8(head).expect("ASCII").to_lowercase();
        let path = head.split(' ').nth(1).expect("a path").to_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        reader.read_exact(&mut body).expect("it is announced");
        if !matches!(path.as_str(), "/readyz" | "/load") {
            let mut met = met.lock().expect("no panic");
            let name = reader.get_ref().conn.server_name().unwrap_or_default().to_owned();
            met.names.push(name);
            met.paths.push(path.clone());
            met.connections += usize::from(std::mem::take(&mut is_new));
        }
        let status = if path == "/load" { "404 Not Found" } else { "200 OK" };
        let length = path.len() + body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{path}");
        let answer = [answer.as_bytes(), &body].concat();
        let client = reader.get_mut();
        if client.write_all(&answer).and_then(|()| client.flush()).is_err() {
            return;
        }
        if head.contains("connection: close") {
            return;
        }
    }
}

/// The keys of a fleet whose hosts speak TLS, of which `ca` signs the certificates.
fn https(ca: &std::path::Path, more: &str) -> String {
    format!(
        "fleet.static.protocol = \"https\"\nfleet.static.tls_ca = \"{}\"\n{more}\n",
        ca.display()
    )
}

#[test]
fn hosts_are_asked_by_tls_and_believed_by_their_certificates() {
    let pki = Pki::new();
    let (address, met) = host(&pki.server("h", &["host.example"]));
    let more = https(&pki.ca(), "fleet.static.tls_name = \"host.example\"");
    let balancer = Balancer::before(address, &more);
    let mut connection = Connection::open(balancer.listeners[0]);
    for _ in 0..5 {
        let answer = connection.ask("POST", "/held", b" and more");
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"/held and more"[..]));
    }
    assert_eq!(met.lock().expect("no panic").connections, 1, "it is used again");
    for _ in 0..3 {
        let answer = connection.ask("POST", "/stream", b" and more");
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"/stream and more"[..]));
    }
    let met = met.lock().expect("no panic");
    assert!(met.names.iter().all(|name| name == "host.example"), "{met:?}");
}

#[test]
fn without_a_name_the_certificate_is_for_the_address() {
    let pki = Pki::new();
    let (address, met) = host(&pki.server("h", &["127.0.0.1"]));
    let balancer = Balancer::before(address, &https(&pki.ca(), ""));
    assert_eq!(ask(balancer.listeners[0], "GET", "/held", b"").status, 200);
    assert_eq!(met.lock().expect("no panic").names, [""]);
}

#[test]
fn a_host_that_is_not_believed_gets_nothing() {
    let (pki, strangers) = (Pki::new(), Pki::new());
    let wrong_name = host(&pki.server("h", &["other.example"]));
    let wrong_authority = host(&strangers.server("h", &["host.example"]));
    let expired = host(&pki.sign("old", &["host.example"], |params| {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }));
    for (what, (address, met)) in
        [("name", wrong_name), ("authority", wrong_authority), ("time", expired)]
    {
        let more = https(&pki.ca(), "fleet.static.tls_name = \"host.example\"")
            + "queue.wait_max = \"300ms\"\n";
        let balancer = Balancer::before_unready(address, &more);
        balancer.wait("the log says why", || {
            balancer.log().contains("a host does not come to terms by TLS")
        });
        let answer = ask(balancer.listeners[0], "POST", "/held", b"secret");
        assert_eq!(answer.status, 503, "{what}");
        assert!(met.lock().expect("no panic").paths.is_empty(), "{what}");
        assert_eq!(balancer.look("/readyz").status, 503, "{what}");
    }
}

#[test]
fn who_does_not_want_to_know_is_told_so_loudly() {
    let (pki, strangers) = (Pki::new(), Pki::new());
    let (address, _) = host(&strangers.server("h", &["other.example"]));
    let more = https(&pki.ca(), "fleet.static.tls_verify = false");
    let balancer = Balancer::before(address, &more);
    assert_eq!(ask(balancer.listeners[0], "GET", "/held", b"").status, 200);
    let told = format!("`{address}` has tls_verify = false: whoever answers there is taken for");
    assert!(balancer.log().contains(&told), "{}", balancer.log());
}

/// What comes before a request, and the request.
type Heard = (Vec<u8>, String);

#[test]
fn hosts_are_told_whom_a_connection_is_from() {
    for (version, written) in
        [("v1", "PROXY TCP4 127.0.0.1 127.0.0.1 "), ("v2", "\r\n\r\n\0\r\nQUIT\n!")]
    {
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens");
        let all = heard.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let all = all.clone();
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    let mut header = Vec::new();
                    if reader.fill_buf().ok()?.starts_with(b"P") {
                        reader.read_until(b'\n', &mut header).ok()?;
                    } else {
                        header.resize(16, 0);
                        reader.read_exact(&mut header).ok()?;
                        header.resize(16 + usize::from(header[15]), 0);
                        reader.read_exact(&mut header[16..]).ok()?;
                    }
                    let mut line = String::new();
                    reader.read_line(&mut line).ok()?;
                    let path = line.split(' ').nth(1)?.to_owned();
                    let mut end = Vec::new();
                    while !end.ends_with(b"\r\n\r\n") {
                        reader.read_until(b'\n', &mut end).ok().filter(|length| 0 < *length)?;
                    }
                    let status = if path == "/load" { "404 Not Found" } else { "200 OK" };
                    all.lock().expect("no panic").push((header, path));
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    reader.get_mut().write_all(answer.as_bytes()).ok()
                });
            }
        });
        let balancer =
            Balancer::before(address, &format!("fleet.static.proxy_protocol = \"{version}\"\n"));
        for target in ["/held", "/stream", "/held", "/stream"] {
            assert_eq!(ask(balancer.listeners[0], "GET", target, b"").status, 200, "{version}");
        }
        let heard = heard.lock().expect("no panic");
        let of_clients =
            heard.iter().filter(|(_, path)| !matches!(path.as_str(), "/load" | "/readyz"));
        let headers: Vec<_> = of_clients.map(|(header, _)| header.clone()).collect();
        assert_eq!(headers.len(), 4, "each request has a connection of its own");
        assert!(headers.iter().all(|header| header.starts_with(written.as_bytes())), "{headers:?}");
        let own = heard.iter().find(|(_, path)| path == "/readyz").expect("it was asked").0.clone();
        let expected: &[u8] =
            if version == "v1" { b"PROXY UNKNOWN\r\n" } else { b"\r\n\r\n\0\r\nQUIT\n \0\0\0" };
        assert!(own.starts_with(expected), "{own:?}");
    }
}

#[test]
fn mistakes_in_how_hosts_are_spoken_to_are_told() {
    let (is_good, said) = crate::checks::check(
        "fleet.static.tls_name = \"no name\"\n\
         fleets.a.hosts = [{ address = \"127.0.0.1:7\", protocol = \"https\", tls_ca = \"/none.pem\" }]\n\
         fleets.b.hosts = [{ address = \"127.0.0.1:8\", protocol = \"h2c\", proxy_protocol = \"v1\" }]\n\
         [[routes]]\nname = \"a\"\npath = \"/a\"\nfleet = \"a\"\n\
         [[routes]]\nname = \"b\"\npath = \"/b\"\nfleet = \"b\"\nbody = \"stream\"\n",
    );
    assert!(!is_good, "{said}");
    for mistake in [
        "line 7: fleet.static.tls_name is `\"no name\"`: expected a name such as",
        "line 8: fleets.a.hosts[0].tls_ca: cannot read `/none.pem`",
        "line 9: fleets.b.hosts[0].proxy_protocol is for hosts that speak",
    ] {
        assert!(said.contains(mistake), "no `{mistake}` in {said}");
    }
    // What is listed twice is spoken to in one way.
    let text = config(
        "127.0.0.1:7".parse().expect("an address"),
        "fleets.a.hosts = [{ address = \"127.0.0.1:7\", proxy_protocol = \"v1\" }]\n\
         [[routes]]\nname = \"a\"\npath = \"/a\"\nfleet = \"a\"\n",
    );
    assert!(crate::checks::check_text(&text).1.contains("`127.0.0.1:7` is listed twice"), "{text}");
}
