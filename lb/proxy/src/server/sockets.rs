//! Sockets that somebody else has opened: systemd, or the balancer that this one follows.
//!
//! Both hand them over in the same way (`sd_listen_fds(3)`): descriptors from 3 on, how many in
//! `LISTEN_FDS`, for which process in `LISTEN_PID`, and their names in `LISTEN_FDNAMES`.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// The name of the socket for clients, and of the one for operators.
pub(super) const LISTEN: &str = "listen";
pub(super) const ADMIN: &str = "admin";

/// The name of the one for KEDA.
pub(super) const KEDA: &str = "keda";

/// The name of the socket of the listener with the number `nth`.
pub(super) fn name(nth: usize) -> String {
    if nth == 0 { LISTEN.to_owned() } else { format!("{LISTEN}-{nth}") }
}

/// The name of the socket at which the balancer that is followed waits for a word.
pub(super) const PREDECESSOR: &str = "predecessor";

/// What is said there once requests are taken.
pub(super) const READY: &[u8] = b"ready";

/// See the module.
#[derive(Debug, Default)]
pub struct Inherited {
    listeners: Vec<Listener>,
    predecessor: Option<UnixDatagram>,
}

#[derive(Debug)]
struct Listener {
    name: String,
    address: SocketAddr,
    socket: std::net::TcpListener,
}

impl Inherited {
    /// Those that the environment tells of. To be called once, at the start: the environment is
    /// not to tell of them again.
    ///
    /// # Errors
    ///
    /// One of them is not what it is said to be.
    pub fn from_env() -> io::Result<Inherited> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').map(str::to_owned);
        let mut found = ListenFd::from_env();
        let mut inherited = Inherited::default();
        for nth in 0..found.len() {
            let name = names.next().unwrap_or_default();
            if name == PREDECESSOR {
                inherited.predecessor = found.take_unix_datagram(nth)?;
            } else if let Some(socket) = found.take_tcp_listener(nth)? {
                let address = socket.local_addr()?;
                inherited.listeners.push(Listener { name, address, socket });
            }
        }
        Ok(inherited)
    }

    /// Whether another balancer hands over to this one.
    pub fn is_heir(&self) -> bool {
        self.predecessor.is_some()
    }

    /// The socket called `name`, or else the one at `address`; `None` where there is neither.
    pub(super) fn take(
        &mut self,
        name: &str,
        address: SocketAddr,
    ) -> io::Result<Option<TcpListener>> {
        let position = |is_it: &dyn Fn(&Listener) -> bool| self.listeners.iter().position(is_it);
        let nth = position(&|one| one.name == name).or(position(&|one| one.address == address));
        let Some(nth) = nth else { return Ok(None) };
        let socket = self.listeners.remove(nth).socket;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket).map(Some)
    }

    /// Tells of sockets that nothing wanted, and closes them.
    pub(super) fn close_others(&mut self) {
        for Listener { name, address, .. } in self.listeners.drain(..) {
            tracing::warn!(
                "a socket was handed over that nothing uses: `{name}` at {address}; expected the \
                 address of `listen` or `admin`, or one of these as its name"
            );
        }
    }

    /// Where to say that requests are taken.
    pub(super) fn predecessor(&mut self) -> Option<UnixDatagram> {
        self.predecessor.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_known_by_its_name_or_else_by_its_address() {
        let listener = |name: &str| {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            Listener { name: name.to_owned(), address: socket.local_addr().unwrap(), socket }
        };
        let listeners = vec![listener("weighbridge.socket"), listener(ADMIN), listener("other")];
        let [at, named, _] = [0, 1, 2].map(|nth: usize| listeners[nth].address);
        let mut inherited = Inherited { listeners, predecessor: None };
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let found = inherited.take(ADMIN, elsewhere).unwrap().unwrap();
        assert_eq!(found.local_addr().unwrap(), named);
        assert!(inherited.take(LISTEN, elsewhere).unwrap().is_none());
        let found = inherited.take(LISTEN, at).unwrap().unwrap();
        assert_eq!(found.local_addr().unwrap(), at);
        inherited.close_others();
        assert!(inherited.listeners.is_empty());
    }
}
