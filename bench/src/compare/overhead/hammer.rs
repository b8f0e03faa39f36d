//! A closed loop: every connection sends its next request when the last one was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::Direction;
use super::wire::Wire;

/// What every request of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) direction: Direction,
    pub(super) body_bytes: usize,
    pub(super) connections: u32,
}

/// What a closed loop brought.
#[derive(Debug, Clone)]
pub(super) struct Hammered {
    pub(super) answered: u64,
    /// Requests without a right answer; each ends its connection, and another is made.
    pub(super) failed: u64,
    /// How long requests were counted.
    pub(super) time: Duration,
    /// In seconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// CPU seconds of what was measured in that time.
    pub(super) cpu: f64,
}

/// What the connections of a run share.
#[derive(Debug)]
struct Shared {
    is_counting: AtomicBool,
    is_over: AtomicBool,
    failed: AtomicU64,
    /// Nanoseconds from a request to the end of its answer.
    latency: Mutex<Histogram<u64>>,
}

/// Requests before the first one that counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// After a failure.
const PAUSE: Duration = Duration::from_millis(10);

/// A connection that has not ended by then is given up.
const END_MAX: Duration = Duration::from_secs(10);

/// Sends requests of `shape` to `address` for `length`; `cpu` tells the CPU seconds until now of
/// what is measured.
pub(super) async fn hammer(
    address: SocketAddr,
    shape: Shape,
    length: Duration,
    cpu: impl Fn() -> f64,
) -> Hammered {
    let shared = Arc::new(Shared {
        is_counting: AtomicBool::new(false),
        is_over: AtomicBool::new(false),
        failed: AtomicU64::new(0),
        latency: Mutex::new(histogram()),
    });
    let request = Arc::new(Outgoing::new(shape));
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..shape.connections {
        connections.spawn(keep_on(address, Arc::clone(&request), Arc::clone(&shared)));
    }
    tokio::time::sleep(WARM_UP).await;
    let (start, cpu_before) = (Instant::now(), cpu());
    shared.is_counting.store(true, Ordering::Relaxed);
    tokio::time::sleep(length).await;
    shared.is_counting.store(false, Ordering::Relaxed);
    let (time, cpu) = (start.elapsed(), cpu() - cpu_before);
    shared.is_over.store(true, Ordering::Relaxed);
    // What hangs is cut off when the set is dropped.
    let _ =
        tokio::time::timeout(END_MAX, async { while connections.join_next().await.is_some() {} })
            .await;
    let latency = shared.latency.lock();
    let seconds = |quantile| latency.value_at_quantile(quantile) as f64 / 1e9;
    Hammered {
        answered: latency.len(),
        failed: shared.failed.load(Ordering::Relaxed),
        time,
        p50: seconds(0.5),
        p99: seconds(0.99),
        cpu,
    }
}

/// Whether `address` gives a right answer to one request.
pub(super) async fn answers(address: SocketAddr, shape: Shape) -> bool {
    let request = Outgoing::new(shape);
    let asked = async {
        let mut wire = Wire::new(TcpStream::connect(address).await?)?;
        request.exchange(&mut wire).await
    };
    asked.await.is_ok()
}

/// One connection after the other, until the run is over.
async fn keep_on(address: SocketAddr, request: Arc<Outgoing>, shared: Arc<Shared>) {
    while !shared.is_over.load(Ordering::Relaxed) {
        if one_connection(address, &request, &shared).await.is_err() {
            shared.failed.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn one_connection(
    address: SocketAddr,
    request: &Outgoing,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut wire = Wire::new(TcpStream::connect(address).await?)?;
    while !shared.is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        request.exchange(&mut wire).await?;
        if shared.is_counting.load(Ordering::Relaxed) {
            let nanos = start.elapsed().as_nanos() as u64;
            let mut latency = shared.latency.lock();
            latency.saturating_record(nanos);
        }
    }
    Ok(())
}

/// Three digits are right, up to a minute in nanoseconds.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

/// A request and what its answer has to be.
#[derive(Debug)]
struct Outgoing {
    head: String,
    body: Bytes,
    answer_bytes: usize,
}

impl Outgoing {
    fn new(shape: Shape) -> Outgoing {
        let host = "host: static\r\n";
        match shape.direction {
            Direction::Answer => Outgoing {
                head: format!("GET /{} HTTP/1.1\r\n{host}\r\n", shape.body_bytes),
                body: Bytes::new(),
                answer_bytes: shape.body_bytes,
            },
            Direction::Request => Outgoing {
                head: format!(
                    "POST /0 HTTP/1.1\r\n{host}content-length: {}\r\n\r\n",
                    shape.body_bytes
                ),
                body: Bytes::from(vec![b'.'; shape.body_bytes]),
                answer_bytes: 0,
            },
        }
    }

    /// Sends it and reads the answer; an error unless that is right.
    async fn exchange(&self, wire: &mut Wire) -> std::io::Result<()> {
        wire.write(self.head.as_bytes(), &self.body).await?;
        let answer = wire.answer().await?;
        if answer.status != 200 || answer.body_bytes != self.answer_bytes {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        wire.skip(answer.body_bytes).await
    }
}
