//! Where a balancer's admin API is: TCP, with TLS or without, or a Unix socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hyper::http::uri::Authority;
use tokio::net::{TcpStream, UnixStream};
use weighbridge_proxy::tls::{self, Io};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// Host and port.
    Plain(Authority),
    /// Host and port, by TLS.
    Tls(Authority),
    /// The file of a socket.
    Socket(PathBuf),
}

/// Why a text is no address. Whoever wrote it has to change it.
#[derive(Debug, thiserror::Error)]
#[error("expected HOST:PORT, https://HOST:PORT or unix:PATH")]
pub(crate) struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Address, NoAddress> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Address::Socket(path.into()));
        }
        match text.split_once("://") {
            None => authority(text).map(Address::Plain),
            Some(("http", rest)) => authority(rest).map(Address::Plain),
            Some(("https", rest)) => authority(rest).map(Address::Tls),
            Some(_) => Err(NoAddress),
        }
    }
}

/// `text` as a host and a port.
fn authority(text: &str) -> Result<Authority, NoAddress> {
    let authority: Authority = text.trim_end_matches('/').parse().map_err(|_| NoAddress)?;
    let is_whole = authority.port_u16().is_some() && !authority.as_str().contains('@');
    if is_whole && !authority.host().is_empty() { Ok(authority) } else { Err(NoAddress) }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Plain(authority) => write!(f, "{authority}"),
            Address::Tls(authority) => write!(f, "https://{authority}"),
            Address::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// What the balancer is called there.
    pub(super) fn host(&self) -> &str {
        match self {
            Address::Plain(authority) | Address::Tls(authority) => authority.as_str(),
            Address::Socket(_) => "localhost",
        }
    }

    /// Connects; by TLS, believes the authorities in the file `ca`, or else those that the system
    /// knows.
    pub(super) async fn connect(&self, ca: Option<&Path>) -> io::Result<Box<dyn Io>> {
        match self {
            Address::Plain(authority) => {
                Ok(Box::new(TcpStream::connect(authority.as_str()).await?))
            }
            Address::Tls(authority) => {
                let name = tls::unbracketed(authority.host());
                let connection = TcpStream::connect(authority.as_str()).await?;
                tls::connect(connection, name, ca).await
            }
            Address::Socket(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tcp_or_tls_or_a_socket() {
        for (text, shown) in [
            ("127.0.0.1:9090", "127.0.0.1:9090"),
            ("[::1]:9090", "[::1]:9090"),
            ("http://localhost:1/", "localhost:1"),
            ("https://balancer.example:9090", "https://balancer.example:9090"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in ["", "localhost", "https://a", "unix:", "ftp://a:1", "a:b:1", "u@a:1", ":9090"]
        {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
