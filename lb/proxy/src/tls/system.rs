//! TLS to servers elsewhere, by the certificates that the system trusts.

use std::io;
use std::sync::{Arc, LazyLock};

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;

use super::hosts::of_system;
use super::provider;

/// What connections are made by; an error where the system trusts nobody.
static CONNECTOR: LazyLock<Result<TlsConnector, String>> = LazyLock::new(connector);

/// Makes a connection to the host `name` of `stream`.
pub(crate) async fn connect(
    name: ServerName<'static>,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let connector = CONNECTOR.as_ref().map_err(|why| io::Error::other(why.clone()))?;
    connector.connect(name, stream).await
}

fn connector() -> Result<TlsConnector, String> {
    let roots = of_system().map_err(|error| error.in_full())?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
