//! Where clients connect: addresses, certificates, and who may.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::HeaderValue;
use ipnet::IpNet;

use super::acme;
use super::reader::Section;
use crate::admin::guard;
use crate::tls::files;

/// The most listeners beside the first one, and the most certificates of one.
const LISTED_MAX: usize = 256;

/// What a place is where certificates or keys are.
const PEM: &str = "the path of a PEM file";

/// Where clients connect, and what goes for their connections there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// How it speaks TLS; `None` where it does not.
    pub tls: Option<TlsConfig>,
    /// Requests that come without TLS are sent to this port of the same name, by HTTPS.
    pub https_redirect: Option<u16>,
    /// `Strict-Transport-Security` of answers that go by TLS.
    pub hsts: Option<HeaderValue>,
    /// Proxies whose connections begin with a header of the PROXY protocol.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Whose connections are taken; anybody's where it is empty.
    pub allow: Vec<IpNet>,
}

/// How a listener speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificates. Clients that name no host get the first one.
    pub certificates: Vec<CertificateFiles>,
    /// Names whose certificates are got by ACME; at least one where there are no `certificates`.
    pub names: BTreeSet<String>,
    /// Where those are, in the order of `names`.
    pub managed: Vec<PathBuf>,
    /// The least version.
    pub version_min: TlsVersion,
    /// Whether clients show certificates.
    pub client_certificates: ClientCertificates,
    /// Who signs clients' certificates; there where clients may show some.
    pub client_ca: Option<PathBuf>,
    /// Whether HTTP/2 is spoken, besides HTTP/1.1.
    pub has_http2: bool,
}

/// Where a certificate is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateFiles {
    /// The certificate, then those that sign it, as PEM.
    pub chain: PathBuf,
    /// Its private key, as PEM; may be the same file.
    pub key: PathBuf,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V12,
    /// TLS 1.3 (RFC 8446).
    V13,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for any.
    Off,
    /// They may. What they show has to be good.
    Optional,
    /// They have to.
    Required,
}

/// Reads `[listener_defaults]` and `[[listeners]]`. `listen` is where the first one is, which has
/// what stands in the defaults; `admin` is nobody's.
pub(super) fn read(root: &mut Section<'_>, listen: SocketAddr, admin: SocketAddr) -> Vec<Listener> {
    let mut defaults = root.table("listener_defaults");
    let mut listeners = vec![listener(&mut defaults, listen)];
    let items = root.tables("listeners", &defaults);
    defaults.finish();
    root.check(items.len() <= LISTED_MAX, &["listeners"], || {
        format!("there are {} listeners: expected at most {LISTED_MAX}", items.len())
    });
    let mut taken = BTreeSet::from([listen, admin]);
    for mut item in items {
        let address = address(&mut item, "address");
        item.check(address.port() == 0 || taken.insert(address), &["address"], || {
            format!("{} is `{address}`, which is taken: expected another", item.name("address"))
        });
        listeners.push(listener(&mut item, address));
        item.finish();
    }
    listeners
}

/// How TLS is spoken to operators, if it is.
pub(super) fn admin_tls(root: &mut Section<'_>) -> Option<TlsConfig> {
    let tls = TlsConfig {
        certificates: certificates(root, "admin_certificates"),
        names: BTreeSet::new(),
        managed: Vec::new(),
        version_min: TlsVersion::V12,
        client_certificates: ClientCertificates::Off,
        client_ca: None,
        has_http2: false,
    };
    Some(tls).filter(|tls| !tls.certificates.is_empty())
}

/// The file of the token for operators' changes, which is looked at.
pub(super) fn admin_token(root: &mut Section<'_>) -> Option<PathBuf> {
    let file = optional_path(root, "admin_token_file", "the path of a file, or \"\" for none")?;
    if let Err(error) = guard::token(&file) {
        root.check(false, &["admin_token_file"], || format!("admin_token_file: {error}"));
    }
    Some(file)
}

/// The Unix socket for operators.
pub(super) fn admin_socket(root: &mut Section<'_>) -> Option<PathBuf> {
    optional_path(root, "admin_socket", "the path of a Unix socket, or \"\" for none")
}

/// A path; `None` where the text is empty.
pub(super) fn optional_path(
    section: &mut Section<'_>,
    key: &'static str,
    expected: &str,
) -> Option<PathBuf> {
    let path = |text: &str| Some((!text.is_empty()).then(|| PathBuf::from(text)));
    section.text(key, expected, path).flatten()
}

/// An address to listen at; one that means nothing where it is wrong.
pub(super) fn address(section: &mut Section<'_>, key: &'static str) -> SocketAddr {
    let expected = "an IP address and a port, such as \"127.0.0.1:8000\"";
    let parsed = section.text(key, expected, |text| text.parse().ok());
    parsed.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
}

/// Where the balancer itself is, and which key says so.
pub(super) fn own_addresses(
    listeners: &[Listener],
    admin: SocketAddr,
) -> Vec<(&'static str, SocketAddr)> {
    let clients = listeners
        .iter()
        .enumerate()
        .map(|(nth, listener)| (if nth == 0 { "listen" } else { "listeners" }, listener.address));
    clients.chain([("admin", admin)]).collect()
}

/// A list of addresses and networks.
pub(super) fn networks(section: &mut Section<'_>, key: &'static str) -> Vec<IpNet> {
    let expected = "a list of addresses or networks, such as [\"10.0.0.0/8\"]";
    let mut networks = Vec::new();
    for text in section.texts(key, expected) {
        let read = super::proxy::network(&text);
        section.check(read.is_some(), &[key], || {
            let name = section.name(key);
            format!("{name} has `{text}`: expected an address or a network, such as \"10.0.0.0/8\"")
        });
        networks.extend(read);
    }
    networks
}

/// What a listener and the listeners' defaults have in common.
fn listener(section: &mut Section<'_>, address: SocketAddr) -> Listener {
    let certificates = certificates(section, "certificates");
    let (names, managed) = (acme::names(section), Vec::new());
    let versions = [("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];
    let version_min = section.word("tls_min", &versions);
    let (client_certificates, client_ca) = clients(section);
    let https_redirect = section.whole_or("https_redirect", "off", 1..=65535);
    let hsts = hsts(section);
    let has_http2 = true;
    let tls = TlsConfig {
        certificates,
        names,
        managed,
        version_min,
        client_certificates,
        client_ca,
        has_http2,
    };
    let has_tls = !tls.certificates.is_empty() || !tls.names.is_empty();
    let tls = has_tls.then_some(tls);
    let proxy_protocol_from = networks(section, "proxy_protocol_from");
    let allow = networks(section, "allow");
    Listener { address, tls, https_redirect, hsts, proxy_protocol_from, allow }
}

/// The certificates of a table, whose files are looked at.
fn certificates(section: &mut Section<'_>, key: &'static str) -> Vec<CertificateFiles> {
    // A list of its own takes the place of the defaults', whose entries it does not fall back on.
    let nothing = section.nothing();
    let mut certificates = Vec::new();
    for mut item in section.tables(key, &nothing) {
        let chain = item.path("chain", PEM);
        let key = if item.wrote("key") { item.path("key", PEM) } else { chain.clone() };
        let key_name = if item.wrote("key") { "key" } else { "chain" };
        let files = CertificateFiles { chain, key };
        if !item.is_wrong("chain") && !item.is_wrong("key") {
            if let Err(error) = files::certificate(&files) {
                let at = if error.is_of_key() { key_name } else { "chain" };
                item.check(false, &[at], || format!("{}: {}", item.name(at), error.in_full()));
            }
            certificates.push(files);
        }
        item.finish();
    }
    section.check(certificates.len() <= LISTED_MAX, &[key], || {
        let (name, most) = (section.name(key), LISTED_MAX);
        format!("{name} has {} entries: expected at most {most}", certificates.len())
    });
    certificates
}

/// Whether clients show certificates, and who signs them.
fn clients(section: &mut Section<'_>) -> (ClientCertificates, Option<PathBuf>) {
    let words = [
        ("off", ClientCertificates::Off),
        ("optional", ClientCertificates::Optional),
        ("required", ClientCertificates::Required),
    ];
    let shown = section.word("client_certificates", &words);
    let ca = optional_path(section, "client_ca", "the path of a PEM file, or \"\"");
    section.check(
        shown == ClientCertificates::Off || ca.is_some(),
        &["client_certificates", "client_ca"],
        || {
            let name = section.name("client_ca");
            format!("{name} is empty: expected the file of who signs clients' certificates")
        },
    );
    if let Some(Err(error)) = ca.as_deref().map(files::authorities) {
        section.check(false, &["client_ca"], || {
            format!("{}: {}", section.name("client_ca"), error.in_full())
        });
    }
    (shown, ca.filter(|_| shown != ClientCertificates::Off))
}

/// The value of `Strict-Transport-Security` (RFC 6797, section 6.1), where there is to be one.
fn hsts(section: &mut Section<'_>) -> Option<HeaderValue> {
    let is_value = |text: &str| {
        let age = text.strip_prefix("max-age=")?.split(';').next()?.trim();
        (!age.is_empty() && age.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
    };
    let read = |text: &str| {
        let is_good = text.is_empty() || is_value(text).is_some();
        HeaderValue::from_str(text).ok().filter(|_| is_good)
    };
    let value = section.text("hsts", "\"max-age=SECONDS\", or \"\" for none", read);
    value.filter(|value| !value.is_empty())
}
