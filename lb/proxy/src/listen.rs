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
use tokio::sync::watch;

use crate::front::{Current, Proxy};
use crate::places::Places;

use connection::ConnectionLimits;

/// The pause after a failed accept (no file descriptors left, say).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Accepts connections, as many at once as there is room for, until it is `closing`; those that are
/// there go on until their `shutdown`.
pub(crate) async fn serve(
    (listener, room): (TcpListener, Places),
    proxy: Arc<HttpProxy<Proxy>>,
    front: Current,
    (mut closing, shutdown): (watch::Receiver<bool>, watch::Receiver<bool>),
) {
    loop {
        // Over the limit, connections wait in the listener's backlog.
        let Some(permit) = room.wait().await else { return };
        let accepted = tokio::select! {
            biased;
            _ = closing.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, _)) => {
                let proxy = proxy.clone();
                let front = front.load_full();
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    let metrics = front.ledger.metrics.clone();
                    let limits = ConnectionLimits::by(&front.config);
                    // A connection outlives configurations.
                    drop(front);
                    metrics.connections.inc();
                    connection::carry(connection, &proxy, limits, &shutdown).await;
                    metrics.connections.dec();
                });
            }
            Err(error) => {
                front.load().ledger.metrics.loop_failed("accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}
