//! Accepts connections, within their limit, and speaks HTTP on them.

use std::convert::Infallible;
use std::future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::front::Front;
use crate::serve::FrontLimits;

/// How long to wait after a failed accept: file descriptors may be free again by then.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// A peer that acknowledges nothing for so long is gone, and so is one that reads nothing.
const PEER_TIMEOUT: Duration = Duration::from_mins(1);
/// HTTP/2: how often a silent peer is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// HTTP/2: requests at once on one connection.
const STREAMS_MAX: u32 = 512;
/// HTTP/1: what is read of a body at once, at most.
const BUFFER_BYTES: usize = 256 << 10;

/// All connections of a worker.
#[derive(Debug)]
pub(super) struct Connections {
    http: auto::Builder<TokioExecutor>,
    header_read: Duration,
    free: Arc<Semaphore>,
    graceful: GracefulShutdown,
}

/// One connection: counted while it lives.
struct Connection {
    stream: TcpStream,
    front: Arc<Front>,
    watcher: Watcher,
    header_read: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// None yet.
    pub(super) fn new(limits: &FrontLimits) -> Connections {
        Connections {
            http: http(limits),
            header_read: limits.header_read,
            free: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            graceful: GracefulShutdown::new(),
        }
    }

    /// Accepts forever.
    pub(super) async fn accept(&self, listener: &TcpListener, front: &Arc<Front>) {
        loop {
            let Ok(permit) = Arc::clone(&self.free).acquire_owned().await else {
                return future::pending().await; // never closed
            };
            match accept_one(listener).await {
                Ok(stream) => {
                    let connection = Connection {
                        stream,
                        front: Arc::clone(front),
                        watcher: self.graceful.watcher(),
                        header_read: self.header_read,
                        _permit: permit,
                    };
                    tokio::spawn(connection.serve(self.http.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    /// Ends idle connections at once, others after their response. Whether all ended in `time`.
    pub(super) async fn finish(self, time: Duration) -> bool {
        timeout(time, self.graceful.shutdown()).await.is_ok()
    }
}

impl Connection {
    async fn serve(self, http: auto::Builder<TokioExecutor>) {
        let gauge = self.front.metrics.connections().clone();
        gauge.inc();
        self.speak(http).await;
        gauge.dec();
    }

    /// Until a first request is read, hyper may still wait for what tells the protocol's version,
    /// without a limit: this is the limit.
    async fn speak(self, http: auto::Builder<TokioExecutor>) {
        let Connection { stream, front, watcher, header_read, _permit } = self;
        let has_asked = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&has_asked);
        let service = service_fn(move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let answer = Arc::clone(&front).answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = connection.into_owned();
        let mut connection = pin!(watcher.watch(connection));
        let ended = match timeout(header_read, connection.as_mut()).await {
            Ok(ended) => ended,
            Err(_) if has_asked.load(Ordering::Relaxed) => connection.await,
            Err(_) => return,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

fn http(limits: &FrontLimits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_buf_size(BUFFER_BYTES.max(limits.header_bytes));
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    http
}

async fn accept_one(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(PEER_TIMEOUT))?;
    Ok(stream)
}
