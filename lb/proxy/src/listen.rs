//! Accepts the clients' connections, up to their limit, and hands them to pingora.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::ServerApp;
use pingora::protocols::GetSocketDigest;
use pingora::protocols::SocketDigest;
use pingora::protocols::l4::stream::Stream;
use pingora::proxy::HttpProxy;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::gateway::Gateway;
use crate::stream::Proxy;

/// The pause after a failed accept (no file descriptors left, say).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Accepts connections until the balancer drains.
pub(crate) async fn serve(
    listener: TcpListener,
    proxy: Arc<HttpProxy<Proxy>>,
    gateway: Arc<Gateway>,
    mut shutdown: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(gateway.config.limits.connections_max));
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
                let gateway = gateway.clone();
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    gateway.metrics.connections.inc();
                    carry(connection, &proxy, &shutdown).await;
                    gateway.metrics.connections.dec();
                });
            }
            Err(error) => {
                gateway.metrics.loop_failed("accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
        shutdown.mark_unchanged();
    }
}

async fn carry(
    connection: TcpStream,
    proxy: &Arc<HttpProxy<Proxy>>,
    shutdown: &watch::Receiver<bool>,
) {
    let digest = SocketDigest::from_raw_fd(connection.as_raw_fd());
    // Without effect, answers are only slower.
    let _ = connection.set_nodelay(true);
    let peer = connection.peer_addr();
    let mut stream: Stream = connection.into();
    if let Ok(peer) = peer {
        // Set once: the digest is new.
        let _ = digest.peer_addr.set(Some(peer.into()));
    }
    stream.set_socket_digest(digest);
    proxy.process_new(Box::new(stream), shutdown).await;
}
