//! TLS, by rustls and ring: the certificates of listeners, and how hosts are believed.
//!
//! Versions are 1.2 and 1.3; ciphers are those that rustls has: forward secret and authenticated.

pub(crate) mod files;
pub(crate) mod hosts;
pub(crate) mod keeper;
mod server;
pub(crate) mod system;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use hosts::{HostTls, TlsClient};

/// What can be read and written, with TLS or without.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The cryptography that everything here uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The host of an authority without the brackets that an address of IPv6 has in a URL.
pub fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Speaks TLS with who is called `name` at the other end of `connection`; believes the authorities
/// in the file `ca`, or else those that the system knows.
///
/// # Errors
///
/// The file cannot be used, or they do not come to terms.
pub async fn connect(
    connection: TcpStream,
    name: &str,
    ca: Option<&Path>,
) -> io::Result<Box<dyn Io>> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let client = TlsClient::new(ca, true).map_err(io::Error::other)?;
    let shaken = HostTls::new(Some(name), Arc::new(client)).connect(connection).await?;
    Ok(Box::new(shaken))
}

#[cfg(test)]
pub(crate) mod testing;
