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
use crate::config::HostAddress;
use crate::fleet::Target;

/// What a host has done with idle connections is remembered for this time.
const MEMORY: Duration = Duration::from_mins(1);

/// How connections are made, where not by TCP.
type Transport = Arc<dyn L4Connect + Send + Sync>;

/// Connections to hosts.
pub(crate) struct Connections {
    connector: TransportConnector,
    transport: Option<Transport>,
    idle: Mutex<IdleConnections>,
    idle_max: usize,
}

/// Which idle connections a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Whichever the host has left open.
    Any,
    /// Those that the host is not likely to be closing at this very moment.
    Safe,
    /// None: a new one is made.
    None,
}

#[derive(Default)]
struct IdleConnections {
    by_host: BTreeMap<HostAddress, OfHost>,
    n_idle: usize,
}

/// Idle connections of one host.
#[derive(Default)]
struct OfHost {
    /// The one last used at the end.
    idle: Vec<Idle>,
    /// A connection was found closed that had been idle for this time at most, and when that was.
    closes_after: Option<(Duration, Instant)>,
}

/// A connection that waits for its next request.
struct Idle {
    stream: Stream,
    since: Instant,
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

    /// A connection to `target`, on behalf of the one `between` a client and us.
    pub(super) async fn get(
        &self,
        (target, between): (&Target, Option<(SocketAddr, SocketAddr)>),
        reuse: Reuse,
        limits: TryLimits,
    ) -> pingora::Result<Connection> {
        let address = &target.address;
        // A connection that is a client's own is nobody else's.
        let reuse = if target.proxy_protocol.is_some() { Reuse::None } else { reuse };
        if let Some(idle) = self.take(address, reuse) {
            let was_idle = Some(idle.since.elapsed());
            return Ok(Connection::new(idle.stream, address.clone(), was_idle, limits));
        }
        let mut peer = super::peer(target, between, limits);
        if self.transport.is_some() {
            peer.options.custom_l4.clone_from(&self.transport);
        }
        // Boxed, for it is rare: a future is as long as its longest part.
        let stream = Box::pin(self.connector.new_stream(&peer)).await?;
        let mut connection = Connection::new(stream, address.clone(), None, limits);
        connection.may_be_kept = target.proxy_protocol.is_none();
        Ok(connection)
    }

    /// Takes back the connection of an answer that was read to its end; closes it where one side
    /// wants that. It is kept for the time `idle`.
    pub(super) async fn give_back(&self, connection: Connection, idle: Duration) {
        let address = connection.address().clone();
        if let Some(stream) = connection.into_stream().await {
            self.keep(address, stream, idle);
        }
    }

    /// A connection turned out to be closed when it was used again.
    pub(super) fn closed(&self, connection: &Connection) {
        if let Some(was_idle) = connection.was_idle() {
            let mut state = self.idle.lock();
            state.by_host.entry(connection.address().clone()).or_default().found_closed(was_idle);
        }
    }

    fn keep(&self, address: HostAddress, stream: Stream, idle: Duration) {
        let mut state = self.idle.lock();
        if state.n_idle < self.idle_max {
            state.n_idle += 1;
            let since = Instant::now();
            let idle = Idle { stream, since, until: since + idle };
            state.by_host.entry(address).or_default().idle.push(idle);
        }
    }

    /// Closes those that have been idle for too long, or that their host has closed.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let mut closed = Vec::new();
        let mut state = self.idle.lock();
        for of_host in state.by_host.values_mut() {
            let goes = |idle: &mut Idle| idle.until <= now || !is_quiet(&mut idle.stream);
            closed.extend(of_host.idle.extract_if(.., goes));
            of_host.forget(now);
        }
        state.by_host.retain(|_, of_host| !of_host.is_unknown());
        state.n_idle -= closed.len();
        // They are closed when the lock is free.
        drop(state);
    }

    /// The connection to `address` that was used last, of those that its host has left open.
    fn take(&self, address: &HostAddress, reuse: Reuse) -> Option<Idle> {
        loop {
            let mut idle = self.pop(address, reuse)?;
            if is_quiet(&mut idle.stream) {
                return Some(idle);
            }
            let mut state = self.idle.lock();
            state.by_host.entry(address.clone()).or_default().found_closed(idle.since.elapsed());
        }
    }

    fn pop(&self, address: &HostAddress, reuse: Reuse) -> Option<Idle> {
        let mut state = self.idle.lock();
        let of_host = state.by_host.get_mut(address)?;
        if !of_host.may_use_last(reuse) {
            return None;
        }
        let idle = of_host.idle.pop()?;
        state.n_idle -= 1;
        Some(idle)
    }
}

// === impl OfHost ===

impl OfHost {
    /// A connection that had been idle for the time `was_idle` was found closed: the host may close
    /// others as early.
    fn found_closed(&mut self, was_idle: Duration) {
        let earliest = self.closes_after.map_or(was_idle, |(earliest, _)| earliest.min(was_idle));
        self.closes_after = Some((earliest, Instant::now()));
    }

    /// Forgets what was found too long ago.
    fn forget(&mut self, now: Instant) {
        self.closes_after = self.closes_after.filter(|(_, at)| now < *at + MEMORY);
    }

    /// Whether the one last used may be used for a request. It is safe while it has been idle for
    /// less than half of the shortest time after which one was found closed.
    fn may_use_last(&self, reuse: Reuse) -> bool {
        let Some(last) = self.idle.last() else { return false };
        match reuse {
            Reuse::Any => true,
            Reuse::Safe => {
                let bound = self.closes_after.map(|(earliest, _)| earliest / 2);
                bound.is_none_or(|bound| last.since.elapsed() < bound)
            }
            Reuse::None => false,
        }
    }

    fn is_unknown(&self) -> bool {
        self.idle.is_empty() && self.closes_after.is_none()
    }
}

/// Whether the host has neither closed an idle connection nor sent anything on it.
fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0];
    tokio::task::unconstrained(stream.read(&mut byte)).now_or_never().is_none()
}

#[cfg(test)]
mod tests;
