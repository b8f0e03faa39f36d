//! Accepts the clients' connections, up to their limit, and hands them to pingora.

mod absolute;
mod connection;
pub(crate) mod goodbye;
mod handshake;
mod heard;
mod proxied;
mod transport;
mod unread;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use pingora::proxy::HttpProxy;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::front::{Current, Proxy};
use crate::places::Places;
use crate::tls::keeper::Keeper;

/// The pause after a failed accept (no file descriptors left, say).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What the connections of one listener go through.
pub(crate) struct Gate {
    /// What serves their requests.
    pub(crate) proxy: Arc<HttpProxy<Proxy>>,
    /// What they speak TLS by; `None` where they do not.
    pub(crate) tls: Option<Arc<Keeper>>,
    /// Where requests meet all others.
    pub(crate) current: Current,
    /// Which listener, an index into [`Config::listeners`](crate::config::Config::listeners).
    pub(crate) listener: usize,
}

/// Accepts connections, as many at once as there is room for, until it is `closing`; those that are
/// there go on until their `shutdown`.
pub(crate) async fn serve(
    (listener, room): (TcpListener, Places),
    gate: Arc<Gate>,
    (mut closing, shutdown): (watch::Receiver<bool>, watch::Receiver<bool>),
) {
    loop {
        // Over the limit, connections wait in the listener's backlog.
        let permit = tokio::select! {
            biased;
            _ = closing.changed() => return,
            permit = room.wait() => permit,
        };
        let Some(permit) = permit else { return };
        let accepted = tokio::select! {
            biased;
            _ = closing.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((connection, peer)) => {
                let gate = gate.clone();
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    let metrics = gate.current.load().ledger.metrics.clone();
                    metrics.connections.inc();
                    connection::carry((connection, peer), &gate, &shutdown).await;
                    metrics.connections.dec();
                });
            }
            Err(error) => {
                gate.current.load().ledger.metrics.loop_failed("accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}
