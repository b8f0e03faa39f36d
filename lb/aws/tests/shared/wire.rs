//! A proxy in front of an emulator that counts what passes, can be cut, and can lose answers.

// Every test program that includes this file uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;

/// What stands in front of the name of an operation, in the head of each request.
const MARK: &[u8] = b"x-amz-target: DynamoDB_20120810.";

/// See the module. Its threads end with the test.
pub(crate) struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Mutex<SocketAddr>,
    is_cut: AtomicBool,
    /// Answers that are to be lost, and that have been.
    to_lose: AtomicU64,
    lost: AtomicU64,
    counts: Mutex<BTreeMap<String, u64>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Wire {
    /// In front of `upstream`.
    pub(crate) fn before(upstream: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            is_cut: AtomicBool::new(false),
            to_lose: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            counts: Mutex::default(),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.carry(client);
            }
        });
        Wire { address, shared }
    }

    /// Its endpoint, as `AWS_ENDPOINT_URL` wants it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far of those operations whose names begin with one of `operations`.
    pub(crate) fn count(&self, operations: &[&str]) -> u64 {
        let counts = self.shared.counts.lock();
        let is_meant = |name: &str| operations.iter().any(|start| name.starts_with(start));
        counts.iter().filter(|(name, _)| is_meant(name)).map(|(_, count)| count).sum()
    }

    /// Breaks every connection and refuses further ones: an outage.
    pub(crate) fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::Release);
        for connection in self.shared.open.lock().drain(..) {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Loses the next `n` answers: the upstream has done what was asked, and the client's
    /// connection breaks.
    pub(crate) fn lose_answers(&self, n: u64) {
        self.shared.to_lose.store(n, Ordering::Release);
    }

    /// How many answers were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Acquire)
    }

    /// Stands in front of `upstream` from now on.
    pub(crate) fn point_at(&self, upstream: SocketAddr) {
        *self.shared.upstream.lock() = upstream;
    }

    /// Ends the outage.
    pub(crate) fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::Release);
    }
}

impl Shared {
    fn carry(self: &Arc<Self>, client: TcpStream) {
        if self.is_cut.load(Ordering::Acquire) {
            return;
        }
        let Ok(upstream) = TcpStream::connect(*self.upstream.lock()) else { return };
        let pair = [&client, &upstream].map(|end| {
            end.set_nodelay(true).expect("it is a socket");
            end.try_clone().expect("there are descriptors")
        });
        let [to_client, to_upstream] = pair;
        self.open.lock().extend([&client, &upstream].map(|end| end.try_clone().expect("as above")));
        let [counting, losing] = [(); 2].map(|()| Arc::clone(self));
        let mut seen = Vec::new();
        let count = move |piece: &[u8]| {
            seen.extend_from_slice(piece);
            seen = counting.count(std::mem::take(&mut seen));
            true
        };
        thread::spawn(move || pass(client, to_upstream, count));
        thread::spawn(move || pass(upstream, to_client, |_| !losing.loses()));
    }

    /// Whether this answer is one to lose.
    fn loses(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        let loses = self.to_lose.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
        self.lost.fetch_add(u64::from(loses.is_ok()), Ordering::AcqRel);
        loses.is_ok()
    }

    /// Counts the operations named in `seen`; gives back what may be the beginning of another name.
    fn count(&self, mut seen: Vec<u8>) -> Vec<u8> {
        while let Some(at) = seen.windows(MARK.len()).position(|window| window == MARK) {
            let rest = &seen[at + MARK.len()..];
            let Some(end) = rest.iter().position(|byte| *byte == b'\r') else {
                return seen.split_off(at);
            };
            let name = String::from_utf8_lossy(&rest[..end]).into_owned();
            *self.counts.lock().entry(name).or_default() += 1;
            seen = rest[end..].to_vec();
        }
        seen.split_off(seen.len().saturating_sub(MARK.len()))
    }
}

/// Passes on what comes, until something may not.
fn pass(mut from: TcpStream, mut to: TcpStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if !may_pass(&buffer[..n]) || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // Either may be closed already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
