//! How hosts are spoken to by TLS, and which of them are believed.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::files::{self, FileError};

/// The protocol that is offered to hosts.
const ALPN: &[u8] = b"http/1.1";

/// How one host is spoken to by TLS. A clone is the same.
#[derive(Clone)]
pub struct HostTls(Arc<Inner>);

struct Inner {
    /// Whose certificate it has to show, and what it is asked for by (SNI) where that is a name;
    /// `None` until it is known which host it is.
    name: Option<ServerName<'static>>,
    client: Arc<TlsClient>,
    /// The last handshake failed.
    is_failing: AtomicBool,
}

/// What the hosts that are believed alike have in common.
#[derive(Debug)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    /// What it was made from, for comparison.
    from: Belief,
}

/// Which hosts are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Belief {
    /// The certificates of the authorities, as they were read.
    authorities: Vec<u8>,
    is_verified: bool,
}

impl TlsClient {
    /// Believes hosts whose certificates are signed by the authorities in the file `ca`, or else by
    /// those that the system knows; any, unless `is_verified`.
    pub(crate) fn new(ca: Option<&Path>, is_verified: bool) -> Result<TlsClient, FileError> {
        let provider = super::provider();
        let wrong = |error: rustls::Error| FileError::Tls(Box::new(error));
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?;
        let mut authorities = Vec::new();
        let builder = if is_verified {
            let roots = match ca {
                Some(path) => files::authorities(path)?,
                None => of_system()?,
            };
            authorities
                .extend(roots.roots.iter().flat_map(|root| root.subject_public_key_info.to_vec()));
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| FileError::Tls(Box::new(error)))?;
            builder.with_webpki_verifier(verifier)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsClient { config: Arc::new(config), from: Belief { authorities, is_verified } })
    }
}

impl HostTls {
    /// The host called `name`, if that is known, which `client` may believe.
    pub(crate) fn new(name: Option<ServerName<'static>>, client: Arc<TlsClient>) -> HostTls {
        HostTls(Arc::new(Inner { name, client, is_failing: AtomicBool::new(false) }))
    }

    /// The same for a host called `name`, unless it has a name already.
    pub(crate) fn of(&self, name: ServerName<'static>) -> HostTls {
        let name = self.0.name.clone().unwrap_or(name);
        HostTls::new(Some(name), self.0.client.clone())
    }

    /// Whether it has to show a certificate that is believed.
    pub fn is_verified(&self) -> bool {
        self.0.client.from.is_verified
    }

    /// Shakes hands with the host at the other end of `connection`.
    pub(crate) async fn connect(&self, connection: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let Some(name) = self.0.name.clone() else {
            return Err(io::Error::other("the host has no name to be believed by"));
        };
        let connector = TlsConnector::from(self.0.client.config.clone());
        let shaken = connector.connect(name, connection).await;
        let was_failing = self.0.is_failing.swap(shaken.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (&shaken, was_failing) {
            let name = self.name();
            tracing::warn!(name, %error, "a host does not come to terms by TLS");
        }
        shaken
    }

    /// The name that its certificate has to have.
    fn name(&self) -> String {
        match &self.0.name {
            Some(ServerName::DnsName(name)) => name.as_ref().to_owned(),
            Some(ServerName::IpAddress(address)) => std::net::IpAddr::from(*address).to_string(),
            _ => "unknown".to_owned(),
        }
    }
}

/// The authorities that the system knows.
pub(crate) fn of_system() -> Result<RootCertStore, FileError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some systems have authorities that nobody can read.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or("none was found".to_owned(), ToString::to_string);
        return Err(FileError::NoAuthorities(why));
    }
    Ok(roots)
}

impl PartialEq for HostTls {
    fn eq(&self, other: &HostTls) -> bool {
        self.0.name == other.0.name && self.0.client.from == other.0.client.from
    }
}

impl Eq for HostTls {}

impl fmt::Debug for HostTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_verified = self.is_verified();
        f.debug_struct("HostTls")
            .field("name", &self.name())
            .field("verified", &is_verified)
            .finish()
    }
}

/// Believes anybody, as the operator wants it: it is private, and not known to be the host.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
