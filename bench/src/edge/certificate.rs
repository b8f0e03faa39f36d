//! A certificate for tests: signed by itself, and believed by the clients here.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name that it is for.
pub(crate) const NAME: &str = "localhost";

/// Whom to believe, and how to speak to them.
#[derive(Clone)]
pub(crate) struct Believer(ClientConfig);

/// Writes a certificate (ECDSA, P-256) with its key into `file`.
pub(crate) fn write(file: &Path) -> io::Result<()> {
    let made = || -> Result<String, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([NAME.to_owned()])?.self_signed(&key)?;
        Ok(certificate.pem() + &key.serialize_pem())
    };
    std::fs::write(file, made().map_err(io::Error::other)?)
}

impl Believer {
    /// Believes the certificate in `file` alone. Every handshake is a whole one.
    pub(crate) fn of(file: &Path) -> io::Result<Believer> {
        use rustls::pki_types::pem::PemObject as _;

        let certificate = CertificateDer::from_pem_file(file).map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Believer(config))
    }

    /// The same, and goes on where it was.
    pub(crate) fn resuming(&self) -> Believer {
        let mut config = self.0.clone();
        config.resumption = Resumption::in_memory_sessions(16);
        Believer(config)
    }

    /// What connects, and offers `protocols`.
    pub(crate) fn connector(&self, protocols: &[&[u8]]) -> TlsConnector {
        let mut config = self.0.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

/// Shakes hands with what is at the other end of `stream`.
pub(crate) async fn shake(
    connector: &TlsConnector,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    connector.connect(name, stream).await
}
