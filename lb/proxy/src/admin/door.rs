//! Where operators come in: by TCP, with TLS or without, and by a Unix socket.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::guard::Via;
use crate::tls::Io;
use crate::tls::keeper::Keeper;

/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Only the owner of the socket connects.
const SOCKET_MODE: u32 = 0o600;

/// See the module.
pub(crate) enum Door {
    /// By TCP; with TLS by the certificates that are kept.
    Tcp(TcpListener, Option<Arc<Keeper>>),
    /// By a Unix socket.
    Socket(Socket),
}

/// A Unix socket; its file goes with it.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// What tells its file from another balancer's at the same path.
    inode: u64,
}

/// Somebody who has come in, and has said nothing so far.
pub(super) enum Visitor {
    Plain(TcpStream),
    Tls(TcpStream, Arc<Keeper>),
    Socket(UnixStream),
}

impl Door {
    /// The next one who comes in.
    pub(super) async fn accept(&self) -> io::Result<(Visitor, Via)> {
        match self {
            Door::Tcp(listener, keeper) => {
                let (connection, peer) = listener.accept().await?;
                let visitor = match keeper {
                    Some(keeper) => Visitor::Tls(connection, keeper.clone()),
                    None => Visitor::Plain(connection),
                };
                Ok((visitor, Via::Tcp(peer)))
            }
            Door::Socket(socket) => {
                let (connection, _) = socket.listener.accept().await?;
                Ok((Visitor::Socket(connection), Via::Socket))
            }
        }
    }
}

impl Visitor {
    /// The stream of what is said, once a handshake is over.
    pub(super) async fn enter(self) -> io::Result<Box<dyn Io>> {
        match self {
            Visitor::Plain(connection) => Ok(Box::new(connection)),
            Visitor::Socket(connection) => Ok(Box::new(connection)),
            Visitor::Tls(connection, keeper) => {
                let shaken = keeper.acceptor().accept(connection);
                let shaken = tokio::time::timeout(HANDSHAKE, shaken).await;
                Ok(Box::new(shaken.map_err(|_| io::ErrorKind::TimedOut)??))
            }
        }
    }
}

impl Socket {
    /// Listens at `path`, in the place of a balancer that has gone without taking its file along;
    /// or of one that is followed, where this is its heir.
    pub(crate) fn bind(path: &Path, is_heir: bool) -> io::Result<Socket> {
        let is_in_the_way = |error: &io::Error| {
            let is_socket = std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket());
            let asked = std::os::unix::net::UnixStream::connect(path);
            let is_refused =
                asked.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            error.kind() == io::ErrorKind::AddrInUse && is_socket && (is_heir || is_refused)
        };
        let listener = match UnixListener::bind(path) {
            Err(error) if is_in_the_way(&error) => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
        let inode = std::fs::metadata(path)?.ino();
        Ok(Socket { listener, path: path.to_owned(), inode })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if std::fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            // Fails where somebody else has removed it.
            let _gone = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_takes_the_place_of_one_that_was_left_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        // A process that is killed leaves its file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = Socket::bind(&path, false).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        assert!(Socket::bind(&path, false).is_err(), "somebody listens there");
        let heir = Socket::bind(&path, true).unwrap();
        drop(first);
        assert!(path.exists(), "it is the heir's by now");
        drop(heir);
        assert!(!path.exists());
        std::fs::write(&path, "a file").unwrap();
        assert!(Socket::bind(&path, false).is_err(), "it is no socket");
        assert!(path.exists());
    }
}
