//! Certificates that are got by ACME: from whom, and how it is shown that names lead here.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::listeners::{self, CertificateFiles, Listener, TlsConfig};
use super::reader::Section;
use crate::acme::state::file_in;

/// The folder in the data folder.
const FOLDER: &str = "acme";

/// The longest name of a host (RFC 1035, section 2.3.4), and the longest part of one.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Certificates that are got by ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeConfig {
    /// The URL of the authority's directory; by HTTPS.
    pub directory: String,
    /// Whether the operator agrees to its terms of service.
    pub terms_agreed: bool,
    /// Whom it may write to, as URLs.
    pub contact: Vec<String>,
    /// How it finds out whether a name leads here.
    pub challenge: AcmeChallenge,
    /// Who signs its own certificate; `None`: whom the system trusts.
    pub ca: Option<PathBuf>,
    /// The wait after a first failure.
    pub retry_min: Duration,
    /// The names of all listeners, in lower case. Each has a certificate of its own.
    pub names: BTreeSet<String>,
}

/// How an authority finds out whether a name leads here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// By a handshake at port 443 (TLS-ALPN-01, RFC 8737).
    TlsAlpn,
    /// By a request at port 80 (HTTP-01, RFC 8555).
    Http,
}

impl AcmeConfig {
    /// The folder of all that is kept, where the balancer's data is in `data_dir`. Each authority
    /// has its own.
    pub(crate) fn folder_in(&self, data_dir: &Path) -> PathBuf {
        let name = self.directory.trim_start_matches("https://");
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
        data_dir.join(FOLDER).join(name.chars().map(plain).collect::<String>())
    }
}

impl TlsConfig {
    /// The files of certificates that are got by ACME. They need not be there.
    pub(crate) fn managed_files(&self) -> impl Iterator<Item = CertificateFiles> {
        let both = |file: &PathBuf| CertificateFiles { chain: file.clone(), key: file.clone() };
        self.managed.iter().map(both)
    }

    /// Puts the certificates of its names into `folder`.
    fn place(&mut self, folder: &Path) {
        self.managed = self.names.iter().map(|name| file_in(folder, name)).collect();
    }
}

/// Says where the certificates of all `listeners` are that are got by `acme`.
pub(super) fn place(listeners: &mut [Listener], acme: &AcmeConfig, data_dir: &Path) {
    let folder = acme.folder_in(data_dir);
    for tls in listeners.iter_mut().filter_map(|listener| listener.tls.as_mut()) {
        tls.place(&folder);
    }
}

/// Reads where clients connect, and from whom certificates are got. `listen` is where the first
/// listener is; `admin` is nobody's; the balancer's data is in `data_dir`.
pub(super) fn listeners(
    root: &mut Section<'_>,
    (listen, admin): (SocketAddr, SocketAddr),
    data_dir: &Path,
) -> (Vec<Listener>, AcmeConfig) {
    let mut listeners = listeners::read(root, listen, admin);
    let acme = read(root.table("acme"), &listeners);
    let is_known = acme.names.is_empty() || !acme.directory.is_empty();
    root.check(is_known, &["listeners", "listener_defaults"], || {
        "acme.directory is empty, and listeners have names in `acme`: expected the URL of an \
         authority's directory"
            .to_owned()
    });
    place(&mut listeners, &acme, data_dir);
    (listeners, acme)
}

/// Reads `[acme]`, for the names of `listeners`.
fn read(mut section: Section<'_>, listeners: &[Listener]) -> AcmeConfig {
    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_hours(24);
    let tls = listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let names: BTreeSet<String> = tls.flat_map(|tls| tls.names.iter().cloned()).collect();
    let is_url = |text: &str| text.is_empty() || text.starts_with("https://");
    let expected = "the https: URL of an authority's directory, or \"\" for none";
    let directory =
        section.text("directory", expected, |text| is_url(text).then(|| text.to_owned()));
    let words = [("tls-alpn-01", AcmeChallenge::TlsAlpn), ("http-01", AcmeChallenge::Http)];
    let acme = AcmeConfig {
        directory: directory.unwrap_or_default(),
        terms_agreed: section.flag("terms_agreed"),
        contact: section.texts("contact", "a list of URLs, such as [\"mailto:ops@example.org\"]"),
        challenge: section.word("challenge", &words),
        ca: listeners::optional_path(&mut section, "ca", "the path of a PEM file, or \"\""),
        retry_min: section.duration("retry_min", SECOND..=DAY),
        names,
    };
    let is_used = !acme.directory.is_empty();
    section.check(!is_used || acme.terms_agreed, &["terms_agreed", "directory"], || {
        "acme.terms_agreed is false: expected true, after the terms of service of the authority \
         have been read"
            .to_owned()
    });
    if let Some(Err(error)) = acme.ca.as_deref().map(crate::tls::files::authorities) {
        section.check(false, &["ca"], || format!("acme.ca: {}", error.in_full()));
    }
    section.finish();
    acme
}

/// The names in the list `acme` of a listener, in lower case.
pub(super) fn names(section: &mut Section<'_>) -> BTreeSet<String> {
    let names = section.texts("acme", "a list of names, such as [\"www.example.org\"]");
    for name in &names {
        section.check(is_name(name), &["acme"], || {
            let key = section.name("acme");
            format!("{key} has `{name}`: expected a name such as \"www.example.org\"")
        });
    }
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

/// Whether `name` is one that an authority can look at: no address, no `*`.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_inside = !label.starts_with('-') && !label.ends_with('-');
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && is_inside && label.bytes().all(plain)
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    name.len() <= NAME_BYTES_MAX && !is_address && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_of_hosts() {
        for name in ["a", "a.example", "A-1.example", "xn--bcher-kva.example"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "*.a.example", "a..b", "-a.b", "127.0.0.1", "a_b.c", "a/b", "../a"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
