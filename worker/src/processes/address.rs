//! Where a process listens.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// On loopback: any user of the machine may connect.
    Port(SocketAddr),
    /// A socket in a folder that only the worker's user may open.
    Socket(PathBuf),
}

/// A connection to a process.
pub(super) type Stream = Box<dyn Connected>;

/// Bytes both ways.
pub(super) trait Connected: AsyncRead + AsyncWrite + Send + Unpin {}

impl Connected for TcpStream {}
impl Connected for UnixStream {}

impl Address {
    /// Connects. Fails where nobody listens.
    pub(super) async fn connect(&self) -> io::Result<Stream> {
        match self {
            Address::Port(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Address::Socket(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }

    /// `command` with it in place of `{address}`, `{port}` and `{socket}`.
    pub(super) fn told_in(&self, command: &str) -> String {
        match self {
            Address::Port(address) => command
                .replace("{address}", &address.to_string())
                .replace("{port}", &address.port().to_string()),
            Address::Socket(path) => command.replace("{socket}", &path.display().to_string()),
        }
    }

    /// How the environment of the process has it.
    pub(super) fn variable(&self) -> (String, String) {
        match self {
            Address::Port(address) => ("PORT".to_owned(), address.port().to_string()),
            Address::Socket(path) => ("SOCKET".to_owned(), path.display().to_string()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Port(address) => address.fmt(f),
            Address::Socket(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_where_to_listen() {
        let port = Address::Port(SocketAddr::from(([127, 0, 0, 1], 81)));
        assert_eq!(port.told_in("a {address} b {port} {socket}"), "a 127.0.0.1:81 b 81 {socket}");
        let socket = Address::Socket("/run/0.sock".into());
        assert_eq!(socket.told_in("a unix:{socket}"), "a unix:/run/0.sock");
    }
}
