//! Where a host listens: at an IP address and a port, or at a Unix socket of this machine.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What stands ahead of the path of a Unix socket.
const UNIX: &str = "unix:";

/// The longest path of a Unix socket in bytes, as Linux has it (`sun_path`).
const PATH_BYTES_MAX: usize = 107;

/// See the module. As text `10.0.0.7:8001`, `[2001:db8::1]:8001` or `unix:/run/app.sock`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket: absolute, of visible characters.
    Unix(Arc<str>),
}

/// A text is no address of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address of a host: expected an IP address and a port, such as \"10.0.0.7:8001\", \
     or a Unix socket, such as \"unix:/run/app.sock\""
)]
pub struct AddressError(String);

// === impl HostAddress ===

impl HostAddress {
    /// Reads one; `None` where `text` is none.
    pub fn parse(text: &str) -> Option<HostAddress> {
        if let Some(path) = text.strip_prefix(UNIX) {
            return is_path(path).then(|| HostAddress::Unix(path.into()));
        }
        let address: SocketAddr = text.parse().ok()?;
        (address.port() != 0).then_some(HostAddress::Tcp(address))
    }

    /// The IP address and the port, where it is at one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            HostAddress::Tcp(address) => Some(*address),
            HostAddress::Unix(_) => None,
        }
    }

    /// What a request to it names in `Host`.
    pub(crate) fn authority(&self) -> String {
        match self {
            HostAddress::Tcp(address) => address.to_string(),
            HostAddress::Unix(_) => "localhost".to_owned(),
        }
    }
}

/// Whether `text` is a path that a socket may have.
fn is_path(text: &str) -> bool {
    let is_long_enough = 1 < text.len() && text.len() <= PATH_BYTES_MAX;
    text.starts_with('/') && is_long_enough && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Display for HostAddress {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostAddress::Tcp(address) => address.fmt(to),
            HostAddress::Unix(path) => write!(to, "{UNIX}{path}"),
        }
    }
}

impl FromStr for HostAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<HostAddress, AddressError> {
        HostAddress::parse(text).ok_or_else(|| AddressError(text.to_owned()))
    }
}

impl TryFrom<String> for HostAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<HostAddress, AddressError> {
        text.parse()
    }
}

impl From<HostAddress> for String {
    fn from(address: HostAddress) -> String {
        address.to_string()
    }
}

impl From<SocketAddr> for HostAddress {
    fn from(address: SocketAddr) -> HostAddress {
        HostAddress::Tcp(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["10.0.0.7:8001", "[2001:db8::1]:8001", "unix:/run/app.sock"] {
            assert_eq!(HostAddress::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_no_socket_can_have_is_refused() {
        let long = format!("unix:/{}", "a".repeat(PATH_BYTES_MAX));
        for text in ["10.0.0.7:0", "10.0.0.7", "unix:", "unix:/", "unix:run/a", "unix:/a b", &long]
        {
            assert_eq!(HostAddress::parse(text), None, "{text}");
        }
        assert!(HostAddress::parse(&long[..long.len() - 1]).is_some());
    }
}
