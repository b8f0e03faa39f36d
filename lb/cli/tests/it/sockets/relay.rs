//! A Unix socket in front of what listens by TCP: this machine's own servers are often so.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

/// See the module. Its threads end with the test.
pub(super) struct Socket {
    folder: tempfile::TempDir,
}

impl Socket {
    /// Whoever connects to it is connected to `address`.
    pub(super) fn to(address: SocketAddr) -> Socket {
        let socket = Socket { folder: tempfile::tempdir().expect("a folder") };
        let listener = UnixListener::bind(socket.path()).expect("a socket");
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Fails where the host is away: then the client is, too.
                let _refused = relay(client, address);
            }
        });
        socket
    }

    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        let folder: &Path = self.folder.path();
        folder.join("host.sock")
    }

    /// The same as an address of a host.
    pub(super) fn address(&self) -> String {
        format!("unix:{}", self.path().display())
    }
}

fn relay(client: UnixStream, address: SocketAddr) -> io::Result<()> {
    let host = TcpStream::connect(address)?;
    let (mut from_client, mut to_host) = (client.try_clone()?, host.try_clone()?);
    let (mut from_host, mut to_client) = (host, client);
    thread::spawn(move || {
        let _ended = io::copy(&mut from_client, &mut to_host);
        to_host.shutdown(Shutdown::Write)
    });
    thread::spawn(move || {
        let _ended = io::copy(&mut from_host, &mut to_client);
        to_client.shutdown(Shutdown::Both)
    });
    Ok(())
}
