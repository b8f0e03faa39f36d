//! Connections to hosts: those that no request uses now are kept, to be used again.
//!
//! pingora's own pool waits for the end of each of them in a task that is made for every request,
//! and asks the system whom a connection leads to before it is used again. Here they lie in a map;
//! whether the host has closed one is looked at when it is taken, and now and then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use parking_lot::Mutex;
use pingora::connectors::{L4Connect, TransportConnector};
use pingora::protocols::Stream;
use tokio::io::AsyncReadExt;

use super::TryLimits;
use super::connection::Connection;

/// How connections are made, where not by TCP.
type Transport = Arc<dyn L4Connect + Send + Sync>;

/// Connections to hosts.
pub(crate) struct Connections {
    connector: TransportConnector,
    transport: Option<Transport>,
    idle: Mutex<IdleConnections>,
    idle_max: usize,
}

#[derive(Default)]
struct IdleConnections {
    /// By host, the one last used at the end.
    by_host: BTreeMap<SocketAddr, Vec<Idle>>,
    n_idle: usize,
}

/// A connection that waits for its next request.
struct Idle {
    stream: Stream,
    until: Instant,
}

// === impl Connections ===

impl Connections {
    /// Keeps `idle_max` connections that no request uses; no more, whatever comes.
    pub(crate) fn new(idle_max: usize) -> Connections {
        let connector = TransportConnector::new(None);
        Connections { connector, transport: None, idle: Mutex::default(), idle_max }
    }

    /// The same, over `transport` instead of TCP.
    #[cfg(test)]
    pub(crate) fn over(transport: Transport) -> Connections {
        Connections { transport: Some(transport), ..Connections::new(16) }
    }

    /// A connection to the host at `address`.
    pub(super) async fn get(
        &self,
        address: SocketAddr,
        limits: TryLimits,
    ) -> pingora::Result<Connection> {
        if let Some(stream) = self.take(address) {
            return Ok(Connection::new(stream, address, true, limits));
        }
        let mut peer = super::peer(address, limits);
        peer.options.custom_l4.clone_from(&self.transport);
        // Boxed, for it is rare: a future is as long as its longest part.
        let stream = Box::pin(self.connector.new_stream(&peer)).await?;
        Ok(Connection::new(stream, address, false, limits))
    }

    /// Takes back the connection of an answer that was read to its end; closes it where one side
    /// wants that. It is kept for the time `idle`.
    pub(super) async fn give_back(&self, connection: Connection, idle: Duration) {
        let address = connection.address();
        if let Some(stream) = connection.into_stream().await {
            self.keep(address, stream, idle);
        }
    }

    fn keep(&self, address: SocketAddr, stream: Stream, idle: Duration) {
        let mut state = self.idle.lock();
        if state.n_idle < self.idle_max {
            state.n_idle += 1;
            let of_host = state.by_host.entry(address).or_default();
            of_host.push(Idle { stream, until: Instant::now() + idle });
        }
    }

    /// Closes those that have been idle for too long, or that their host has closed.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let mut closed = Vec::new();
        let mut state = self.idle.lock();
        for of_host in state.by_host.values_mut() {
            let goes = |idle: &mut Idle| idle.until <= now || !is_quiet(&mut idle.stream);
            closed.extend(of_host.extract_if(.., goes));
        }
        state.by_host.retain(|_, of_host| !of_host.is_empty());
        state.n_idle -= closed.len();
        // They are closed when the lock is free.
        drop(state);
    }

    /// The connection to `address` that was used last, of those that its host has left open.
    fn take(&self, address: SocketAddr) -> Option<Stream> {
        loop {
            let mut idle = self.pop(address)?;
            if is_quiet(&mut idle.stream) {
                return Some(idle.stream);
            }
        }
    }

    fn pop(&self, address: SocketAddr) -> Option<Idle> {
        let mut state = self.idle.lock();
        let idle = state.by_host.get_mut(&address)?.pop()?;
        state.n_idle -= 1;
        Some(idle)
    }
}

/// Whether the host has neither closed an idle connection nor sent anything on it.
fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0];
    tokio::task::unconstrained(stream.read(&mut byte)).now_or_never().is_none()
}

#[cfg(test)]
mod tests;
