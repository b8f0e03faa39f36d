//! Accepts the clients' connections, up to their limit, and hands them to pingora.

mod absolute;
mod connection;
mod heard;
mod unread;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use pingora::proxy::HttpProxy;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::front::{Front, Proxy};

use connection::ConnectionLimits;

/// The pause after a failed accept (no file descriptors left, say).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Accepts connections, `connections_max` at once, until the balancer drains.
pub(crate) async fn serve(
    (listener, connections_max): (TcpListener, usize),
    proxy: Arc<HttpProxy<Proxy>>,
    front: Arc<Front>,
    mut shutdown: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(connections_max));
    let mut draining = shutdown.clone();
    loop {
        // Over the limit, connections wait in the listener's backlog.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            _ = draining.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, _)) => {
                let proxy = proxy.clone();
                let front = front.clone();
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    front.ledger.metrics.connections.inc();
                    let limits = ConnectionLimits::by(&front.config);
                    connection::carry(connection, &proxy, limits, &shutdown).await;
                    front.ledger.metrics.connections.dec();
                });
            }
            Err(error) => {
                front.ledger.metrics.loop_failed("accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
        shutdown.mark_unchanged();
    }
}
