//! Certificates and keys as they are in PEM files.

use std::error::Error as _;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::config::CertificateFiles;

/// The longest file of certificates that is read: bundles of all authorities have a quarter of it.
const BYTES_MAX: u64 = 1 << 20;

/// Why a file has no certificate that can be used. The operator has to change it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It is not there, or may not be read.
    #[error("cannot read `{0}`")]
    Read(PathBuf, #[source] std::io::Error),
    /// It is longer than any such file.
    #[error("`{0}` is longer than 1 MiB: expected a PEM file")]
    TooLong(PathBuf),
    /// It is not PEM.
    #[error("`{0}` is not PEM")]
    Pem(PathBuf, #[source] pem::Error),
    /// It has no certificate.
    #[error("`{0}` has no certificate: expected `-----BEGIN CERTIFICATE-----`")]
    NoCertificate(PathBuf),
    /// A certificate in it is none.
    #[error("`{0}` has a certificate that cannot be read: {1}")]
    Certificate(PathBuf, String),
    /// It has no private key.
    #[error("`{0}` has no private key: expected `-----BEGIN PRIVATE KEY-----`, not encrypted")]
    NoKey(PathBuf),
    /// A key that cannot be used, or that is not the certificate's.
    #[error("the key in `{key}` is not that of the certificate in `{chain}`, or cannot be used")]
    Key {
        /// The file of the certificate.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The system has no authorities.
    #[error("the system has no authorities that sign hosts' certificates: {0}")]
    NoAuthorities(String),
    /// What the files say does not go together.
    #[error("TLS cannot be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A certificate with its key, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// As TLS uses it.
    pub(crate) key: Arc<CertifiedKey>,
    /// What it says.
    pub(crate) said: Said,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The names and addresses that it is for, in lower case; at least one.
    pub(crate) names: Vec<String>,
    /// From when on it is good.
    pub(crate) not_before: SystemTime,
    /// Until when it is good.
    pub(crate) not_after: SystemTime,
}

/// The certificate in `files`, with its key.
pub(crate) fn certificate(files: &CertificateFiles) -> Result<Certificate, FileError> {
    let chain = certificates(&files.chain)?;
    let said = said(&files.chain, &chain[0])?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| match error {
        pem::Error::NoItemsFound => FileError::NoKey(files.key.clone()),
        error => FileError::Pem(files.key.clone(), error),
    })?;
    let key = CertifiedKey::from_der(chain, key, &super::provider()).map_err(|source| {
        FileError::Key { chain: files.chain.clone(), key: files.key.clone(), source }
    })?;
    Ok(Certificate { key: Arc::new(key), said })
}

/// The authorities in the file at `path`.
pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let wrong = |error: rustls::Error| FileError::Certificate(path.into(), error.to_string());
        roots.add(certificate).map_err(wrong)?;
    }
    Ok(roots)
}

/// All of the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::Read(path.into(), error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if BYTES_MAX < bytes.len() as u64 { Err(FileError::TooLong(path.into())) } else { Ok(bytes) }
}

/// The subject of a client's certificate, as text that can stand in a header, such as
/// `CN=alice, O=Example`.
pub(crate) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let text = certificate.subject().to_string();
    // As RFC 4514 has it for what is not printable.
    let plain = text.bytes().map(|byte| match byte {
        b' '..=b'~' => char::from(byte).to_string(),
        other => format!("\\{other:02X}"),
    });
    Some(plain.collect())
}

/// The certificates in the file at `path`, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| FileError::Pem(path.into(), error))?;
    if found.is_empty() { Err(FileError::NoCertificate(path.into())) } else { Ok(found) }
}

fn said(path: &Path, certificate: &CertificateDer<'_>) -> Result<Said, FileError> {
    let wrong = |why: String| FileError::Certificate(path.into(), why);
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|error| wrong(error.to_string()))?;
    let names = names(&certificate);
    if names.is_empty() {
        return Err(wrong("it names no host".to_owned()));
    }
    let at =
        |secs: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(secs).unwrap_or(0));
    let validity = certificate.validity();
    let [not_before, not_after] = [validity.not_before, validity.not_after];
    let (not_before, not_after) = (at(not_before.timestamp()), at(not_after.timestamp()));
    Ok(Said { names, not_before, not_after })
}

/// The names that it is for: the alternative ones, or else the common one.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let listed = alternative.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let mut names: Vec<String> = listed.iter().filter_map(name).collect();
    if names.is_empty() {
        let common = certificate.subject().iter_common_name();
        names.extend(common.filter_map(|name| Some(name.as_str().ok()?.to_ascii_lowercase())));
    }
    names
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*octets).map(IpAddr::from);
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

// === impl FileError ===

impl FileError {
    /// Whether the key is at fault, rather than the certificate.
    pub(crate) fn is_of_key(&self) -> bool {
        matches!(self, FileError::NoKey(_) | FileError::Key { .. })
    }

    /// What is wrong, with why.
    pub(crate) fn in_full(&self) -> String {
        match self.source() {
            Some(why) => format!("{self}: {why}"),
            None => self.to_string(),
        }
    }
}

// === impl Said ===

impl Said {
    /// Whether it is no longer good at `now`.
    pub(crate) fn has_expired(&self, now: SystemTime) -> bool {
        self.not_after <= now
    }

    /// When another one is to be asked for: when a third of its time is left.
    pub(crate) fn renew_at(&self) -> SystemTime {
        let time = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_after - time / 3
    }

    /// Seconds since 1970 until when it is good.
    pub(crate) fn not_after_secs(&self) -> i64 {
        let since = self.not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests;
