//! Load: clients that ask again and again, and check every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::Client;
use super::requests::Job;

/// Clients at once, where load comes at its own pace: more than any test needs at a time.
const CLIENTS_MAX: usize = 32;

/// Load that goes on until it is stopped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Right answers.
    pub(crate) right: usize,
    /// What was wrong with the others.
    pub(crate) failures: Vec<String>,
    /// The longest that a client waited for an answer.
    pub(crate) slowest: Duration,
}

struct Shared {
    address: SocketAddr,
    jobs: Arc<[Job]>,
    started: Instant,
    /// Between two requests; none where each client asks as soon as it has been answered.
    interval: Option<Duration>,
    next: AtomicUsize,
    answered: AtomicUsize,
    stopped: AtomicBool,
}

// === impl Load ===

impl Load {
    /// `n_clients` clients that each ask as soon as they have been answered.
    pub(crate) fn closed(address: SocketAddr, jobs: &Arc<[Job]>, n_clients: usize) -> Load {
        Load::start(address, jobs, None, n_clients)
    }

    /// `per_second` requests a second, whether or not earlier ones have been answered.
    pub(crate) fn open(address: SocketAddr, jobs: &Arc<[Job]>, per_second: f64) -> Load {
        Load::start(address, jobs, Some(Duration::from_secs_f64(1.0 / per_second)), CLIENTS_MAX)
    }

    fn start(
        address: SocketAddr,
        jobs: &Arc<[Job]>,
        interval: Option<Duration>,
        n_clients: usize,
    ) -> Load {
        let shared = Arc::new(Shared {
            address,
            jobs: Arc::clone(jobs),
            started: Instant::now(),
            interval,
            next: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let client = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.ask())
        };
        Load { clients: (0..n_clients).map(client).collect(), shared }
    }

    /// Right answers by now.
    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Acquire)
    }

    /// Ends it when all that was asked is answered.
    pub(crate) fn stop(self) -> Tally {
        self.shared.stopped.store(true, Ordering::Release);
        let mut sum = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("no client panics");
            sum.right += tally.right;
            sum.failures.extend(tally.failures);
            sum.slowest = sum.slowest.max(tally.slowest);
        }
        sum
    }
}

// === impl Tally ===

impl Tally {
    /// Fails unless every answer was right, and there were some.
    #[track_caller]
    pub(crate) fn assert_faultless(&self) {
        assert!(self.failures.is_empty(), "{} right, but {:#?}", self.right, self.failures);
        assert!(0 < self.right, "nothing was asked");
    }
}

// === impl Shared ===

impl Shared {
    fn ask(&self) -> Tally {
        let mut client = Client::new(self.address);
        let mut tally = Tally::default();
        while let Some(nth) = self.turn() {
            let job = &self.jobs[nth % self.jobs.len()];
            let asked = Instant::now();
            let answer = client.ask(&job.request).map_err(|error| error.to_string());
            match answer.and_then(|answer| job.check(&answer)) {
                Ok(()) => {
                    tally.right += 1;
                    self.answered.fetch_add(1, Ordering::AcqRel);
                }
                Err(why) => {
                    tally.failures.push(format!("request {nth} of {asked:?}: {why}"));
                    client = Client::new(self.address);
                }
            }
            tally.slowest = tally.slowest.max(asked.elapsed());
        }
        tally
    }

    /// Which request is next, when its time has come; `None` at the end.
    fn turn(&self) -> Option<usize> {
        let nth = self.next.fetch_add(1, Ordering::AcqRel);
        let due = self.interval.map_or(Duration::ZERO, |interval| interval * nth as u32);
        while !self.stopped.load(Ordering::Acquire) {
            let early = due.saturating_sub(self.started.elapsed());
            if early.is_zero() {
                return Some(nth);
            }
            thread::park_timeout(early.min(Duration::from_millis(20)));
        }
        None
    }
}

/// Right answers a second that `n_clients` clients get at once, measured for `span`.
pub(crate) fn throughput(
    address: SocketAddr,
    jobs: &Arc<[Job]>,
    n_clients: usize,
    span: Duration,
) -> f64 {
    let load = Load::closed(address, jobs, n_clients);
    let (started, before) = (Instant::now(), load.answered());
    while started.elapsed() < span {
        thread::park_timeout(span.saturating_sub(started.elapsed()));
    }
    let rate = (load.answered() - before) as f64 / started.elapsed().as_secs_f64();
    load.stop().assert_faultless();
    rate
}
