//! Connections to hosts, by TCP or a Unix socket, with what they need beside: TLS, and who the
//! client is ahead of all else.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr as AnyAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{ErrorType, OrErr as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::announce;
use crate::config::HostAddress;
use crate::fleet::Target;
use crate::tls::Io;
use crate::tls::hosts::HostTls;

/// See the module.
#[derive(Debug)]
pub(crate) struct Dial {
    /// How the host speaks TLS, if it does.
    tls: Option<HostTls>,
    /// What it is told ahead of TLS.
    ahead: Vec<u8>,
}

impl Dial {
    /// How `target` is dialled on behalf of the connection `between` a client and us, or of nobody.
    pub(crate) fn of(target: &Target, between: Option<(SocketAddr, SocketAddr)>) -> Dial {
        let ahead = target.proxy_protocol.map(|version| announce::header(version, between));
        Dial { tls: target.tls.clone(), ahead: ahead.unwrap_or_default() }
    }

    /// Whether a connection is all that it takes.
    pub(crate) fn is_plain(&self) -> bool {
        self.tls.is_none() && self.ahead.is_empty()
    }

    /// A connection to `address`, for one that pingora has no part in.
    pub(crate) async fn open(&self, address: &HostAddress) -> io::Result<Box<dyn Io>> {
        let address = match address {
            HostAddress::Tcp(address) => *address,
            HostAddress::Unix(path) => {
                return Ok(Box::new(self.by_socket(Path::new(&**path)).await?));
            }
        };
        let connection = self.by_tcp(address).await?;
        match &self.tls {
            Some(tls) => Ok(Box::new(tls.connect(connection).await?)),
            None => Ok(Box::new(connection)),
        }
    }

    /// The TCP connection to `address`, on which everything that goes ahead has been sent.
    async fn by_tcp(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let mut connection = TcpStream::connect(address).await?;
        // Without effect, requests are only slower.
        let _ = connection.set_nodelay(true);
        connection.write_all(&self.ahead).await?;
        Ok(connection)
    }

    /// The same by the Unix socket at `path`, where no TLS is spoken.
    async fn by_socket(&self, path: &Path) -> io::Result<UnixStream> {
        if self.tls.is_some() {
            return Err(io::Error::other("no TLS is spoken at a Unix socket"));
        }
        let mut connection = UnixStream::connect(path).await?;
        connection.write_all(&self.ahead).await?;
        Ok(connection)
    }
}

#[async_trait]
impl L4Connect for Dial {
    async fn connect(&self, address: &AnyAddr) -> pingora::Result<Stream> {
        let address = match address {
            AnyAddr::Inet(address) => *address,
            AnyAddr::Unix(address) => {
                let path = address.as_pathname().unwrap_or(Path::new(""));
                let connection = self.by_socket(path).await;
                return Ok(connection.or_err(ErrorType::ConnectError, "by a socket")?.into());
            }
        };
        let connection = self.by_tcp(address).await.or_err(ErrorType::ConnectError, "by TCP")?;
        let Some(tls) = &self.tls else { return Ok(connection.into()) };
        let stream = tls.connect(connection).await;
        let stream = stream.or_err(ErrorType::TLSHandshakeFailure, "with the host")?;
        Ok(Stream::from(VirtualSocketStream::new(Box::new(Encrypted(stream)))))
    }
}

/// A connection by TLS, as pingora takes it.
#[derive(Debug)]
struct Encrypted(TlsStream<TcpStream>);

impl VirtualSocket for Encrypted {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.0.get_ref().0.set_nodelay(true),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
