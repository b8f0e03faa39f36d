//! TLS, by rustls and ring: the certificates of listeners, and how hosts are believed.
//!
//! Versions are 1.2 and 1.3; ciphers are those that rustls has: forward secret and authenticated.

pub(crate) mod files;
pub(crate) mod hosts;
pub(crate) mod keeper;
mod server;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use tokio::io::{AsyncRead, AsyncWrite};

/// What can be read and written, with TLS or without.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The cryptography that everything here uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
pub(crate) mod testing;
