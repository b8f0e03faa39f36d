//! A closed loop by TLS: every connection does the next thing when the last one is done.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::HandshakeKind;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::compare::overhead::wire::Wire;
use crate::edge::certificate::{self, Believer};

/// What is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A handshake that goes on from nothing, and a request for nothing.
    Whole,
    /// One that goes on from another, and a request for nothing.
    Resumed,
    /// A request for so many bytes, on a connection that stays.
    Bytes(usize),
}

/// What a closed loop brought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Driven {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) time: Duration,
    /// CPU seconds of what was measured in that time.
    pub(super) cpu: f64,
}

/// What the connections of a run share.
struct Shared {
    address: SocketAddr,
    work: Work,
    is_over: AtomicBool,
    done: AtomicU64,
    failed: AtomicU64,
}

/// What is done before it counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// After a failure.
const PAUSE: Duration = Duration::from_millis(10);

impl Work {
    /// Everything that is measured.
    pub(super) const ALL: [Work; 4] =
        [Work::Whole, Work::Resumed, Work::Bytes(10_000), Work::Bytes(1_000_000)];

    /// As rows have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Work::Whole => "TLS, whole handshakes",
            Work::Resumed => "TLS, resumed handshakes",
            Work::Bytes(10_000) => "TLS, answers of 10 kB",
            Work::Bytes(_) => "TLS, answers of 1 MB",
        }
    }
}

/// Does `work` at `address` for `length`, on so many connections at once; `cpu` tells the CPU
/// seconds until now of what is measured.
pub(super) async fn drive(
    (address, believer): (SocketAddr, &Believer),
    (work, connections, length): (Work, u32, Duration),
    cpu: impl Fn() -> f64,
) -> Driven {
    let shared = Arc::new(Shared {
        address,
        work,
        is_over: AtomicBool::new(false),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        // Each has tickets of its own.
        let believer = if work == Work::Resumed { believer.resuming() } else { believer.clone() };
        tasks.spawn(Arc::clone(&shared).go_on(believer.connector(&[b"http/1.1"])));
    }
    tokio::time::sleep(WARM_UP).await;
    let before = (Instant::now(), cpu(), shared.counts());
    tokio::time::sleep(length).await;
    let (time, cpu, counts) = (before.0.elapsed(), cpu() - before.1, shared.counts());
    shared.is_over.store(true, Ordering::Relaxed);
    tasks.shutdown().await;
    Driven { done: counts.0 - before.2.0, failed: counts.1 - before.2.1, time, cpu }
}

impl Shared {
    fn counts(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    async fn go_on(self: Arc<Self>, connector: TlsConnector) {
        let mut is_first = true;
        while !self.is_over.load(Ordering::Relaxed) {
            if self.one_connection(&connector, is_first).await.is_err() {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            is_first = false;
        }
    }

    async fn one_connection(&self, connector: &TlsConnector, is_first: bool) -> io::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = certificate::shake(connector, stream).await?;
        let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        let mut wire = Wire::over(stream);
        let Work::Bytes(bytes) = self.work else {
            ask(&mut wire, 0).await?;
            // The first of each has no ticket.
            if is_resumed != (self.work == Work::Resumed) && !is_first {
                return Err(io::Error::other("a handshake of the other kind"));
            }
            self.done.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        while !self.is_over.load(Ordering::Relaxed) {
            ask(&mut wire, bytes).await?;
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Asks for so many bytes, and reads them.
async fn ask(wire: &mut Wire<TlsStream<TcpStream>>, bytes: usize) -> io::Result<()> {
    let request = format!("GET /{bytes} HTTP/1.1\r\nhost: static\r\n\r\n");
    wire.write(request.as_bytes(), b"").await?;
    let answer = wire.answer().await?;
    if answer.status != 200 || answer.body_bytes != bytes {
        return Err(io::ErrorKind::InvalidData.into());
    }
    wire.skip(bytes).await
}
