//! What a listener shows its clients: the certificate for the name that they ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use super::files::{self, Certificate, FileError};
use crate::acme::challenges::{ALPN as CHALLENGE, Challenges};
use crate::config::{ClientCertificates, TlsConfig, TlsVersion};

/// The protocols that clients can have, the preferred one first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

static FROM_12: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static FROM_13: [&SupportedProtocolVersion; 1] = [&version::TLS13];

/// What `config` and its files say, as rustls has it, with the certificates.
pub(super) fn read(
    config: &TlsConfig,
    (tickets, challenges): (&Arc<dyn ProducesTickets>, &Arc<Challenges>),
) -> Result<(Arc<ServerConfig>, Vec<Certificate>), FileError> {
    let certificates: Result<Vec<_>, _> =
        config.certificates.iter().map(files::certificate).collect();
    let mut certificates = certificates?;
    // What is not there, or cannot be used, is got anew.
    certificates.extend(config.managed_files().filter_map(|file| files::certificate(&file).ok()));
    let builder = ServerConfig::builder_with_provider(super::provider())
        .with_protocol_versions(versions(config.version_min))
        .map_err(|error| FileError::Tls(Box::new(error)))?;
    let builder = match clients(config)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let by_name = ByName::new(&certificates, challenges.clone());
    let mut server = builder.with_cert_resolver(Arc::new(by_name));
    let spoken = if config.has_http2 { &ALPN[..] } else { &ALPN[1..] };
    let looked_at = (!config.managed.is_empty()).then_some(CHALLENGE);
    let spoken = spoken.iter().copied().chain(looked_at);
    server.alpn_protocols = spoken.map(<[u8]>::to_vec).collect();
    server.ticketer = tickets.clone();
    Ok((Arc::new(server), certificates))
}

/// What looks at clients' certificates; `None` where they are not asked for any.
fn clients(config: &TlsConfig) -> Result<Option<Arc<dyn ClientCertVerifier>>, FileError> {
    let Some(path) = &config.client_ca else { return Ok(None) };
    let roots = Arc::new(files::authorities(path)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, super::provider());
    let builder = match config.client_certificates {
        ClientCertificates::Off => return Ok(None),
        ClientCertificates::Optional => builder.allow_unauthenticated(),
        ClientCertificates::Required => builder,
    };
    builder.build().map(Some).map_err(|error| FileError::Tls(Box::new(error)))
}

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match least {
        TlsVersion::V12 => &FROM_12,
        TlsVersion::V13 => &FROM_13,
    }
}

/// The certificates by the names that they are for.
#[derive(Debug)]
struct ByName {
    /// By a whole name, or what follows the `*.` of one.
    exact: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
    below: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
    /// Those of the first one's names, for clients that name no host.
    first: Vec<Arc<CertifiedKey>>,
    /// What an authority gets that looks whether a name leads here.
    challenges: Arc<Challenges>,
}

impl ByName {
    fn new(certificates: &[Certificate], challenges: Arc<Challenges>) -> ByName {
        let mut by_name = ByName {
            exact: BTreeMap::new(),
            below: BTreeMap::new(),
            first: Vec::new(),
            challenges,
        };
        for Certificate { key, said } in certificates {
            for name in &said.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(name) => (&mut by_name.below, name),
                    None => (&mut by_name.exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_default().push(key.clone());
            }
        }
        let first = certificates.first().map(|certificate| &certificate.said.names);
        let alike = certificates.iter().filter(|other| Some(&other.said.names) == first);
        by_name.first = alike.map(|certificate| certificate.key.clone()).collect();
        by_name
    }

    /// The certificates for `name`.
    fn of(&self, name: &str) -> &[Arc<CertifiedKey>] {
        let name = name.to_ascii_lowercase();
        let below = || self.below.get(name.split_once('.')?.1);
        self.exact.get(&name).or_else(below).map_or(&[], Vec::as_slice)
    }
}

impl ResolvesServerCert for ByName {
    /// Of several, the first one by which the client can verify signatures.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if hello.alpn().is_some_and(|mut offered| offered.any(|name| name == CHALLENGE)) {
            return self.challenges.certificate(hello.server_name()?);
        }
        let found = hello.server_name().map_or(self.first.as_slice(), |name| self.of(name));
        let fits =
            |one: &&Arc<CertifiedKey>| one.key.choose_scheme(hello.signature_schemes()).is_some();
        found.iter().find(fits).or(found.first()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Pki;

    #[test]
    fn a_name_gets_the_certificate_that_is_most_about_it() {
        let pki = Pki::new();
        let exact = files::certificate(&pki.server("exact", &["a.example.org"])).unwrap();
        let below =
            files::certificate(&pki.server("below", &["*.example.org", "B.example"])).unwrap();
        let by_name = ByName::new(&[exact.clone(), below.clone()], Arc::default());
        let found = |name: &str| by_name.of(name).first().map(|key| key.cert[0].clone());
        assert_eq!(found("A.example.org"), Some(exact.key.cert[0].clone()));
        assert_eq!(found("x.example.org"), Some(below.key.cert[0].clone()));
        assert_eq!(found("b.example"), Some(below.key.cert[0].clone()));
        for name in ["example.org", "x.y.example.org", "other.example", ""] {
            assert_eq!(found(name), None, "{name}");
        }
    }
}
