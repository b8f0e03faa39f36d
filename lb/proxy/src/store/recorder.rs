//! Writes observations off the request path: in batches, from a bounded queue, again after errors.

mod metrics;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus::Registry;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use super::{ObservationStore, StoredObservation};
use crate::config::StoreConfig;
use metrics::Metrics;

/// The first wait after an error; each further one is twice as long.
const BACKOFF_BASE: Duration = Duration::from_millis(100);
/// The longest wait after an error.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How often a batch is tried once the recorder is closing.
const CLOSING_TRIES: u32 = 3;
/// How often old observations are deleted.
const EXPIRE_INTERVAL: Duration = Duration::from_hours(1);

/// Takes observations from the request path and writes them to a store.
#[derive(Debug)]
pub struct Recorder {
    sender: mpsc::Sender<StoredObservation>,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    metrics: Metrics,
}

/// The task on the other end of the queue.
struct Writer {
    store: Arc<dyn ObservationStore>,
    receiver: mpsc::Receiver<StoredObservation>,
    closing: watch::Receiver<bool>,
    batch_max: usize,
    batch_age: Duration,
    metrics: Metrics,
}

// === impl Recorder ===

impl Recorder {
    /// Starts writing to `store`; registers `weighbridge_store_*`. Within a tokio runtime.
    pub fn start(
        store: Arc<dyn ObservationStore>,
        config: &StoreConfig,
        registry: &Registry,
    ) -> Result<Recorder, prometheus::Error> {
        let metrics = Metrics::register(registry)?;
        let (sender, receiver) = mpsc::channel(config.queue_max.max(1));
        let (closing, closed) = watch::channel(false);
        let writer = Writer {
            store: Arc::clone(&store),
            receiver,
            closing: closed.clone(),
            batch_max: config.batch_max.max(1),
            batch_age: config.batch_age,
            metrics: metrics.clone(),
        };
        let tasks = vec![
            tokio::spawn(writer.run()),
            tokio::spawn(expire(store, config.ttl, closed, metrics.clone())),
        ];
        Ok(Recorder { sender, closing, tasks: Mutex::new(tasks), metrics })
    }

    /// Takes `row` for writing. Never waits: where the queue is full, or the recorder is closed,
    /// the row is dropped and counted.
    pub fn record(&self, row: StoredObservation) {
        // Counted before it can be written, so that the gauge never falls below zero.
        self.metrics.waiting.inc();
        if self.sender.try_send(row).is_err() {
            self.metrics.waiting.dec();
            self.metrics.dropped.inc();
        }
    }

    /// Writes what waits and ends. What the store still refuses after a few tries is dropped and
    /// counted.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(cause) = task.await {
                error!(%cause, "a task of the recorder ended badly");
            }
        }
    }
}

// === impl Writer ===

impl Writer {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(self.batch_max);
        while self.gather(&mut batch).await {
            self.write(&mut batch).await;
        }
    }

    /// Waits for a first row, then for others: until the batch is full, old enough, or the recorder
    /// closes. False once it is closed and everything has been taken.
    async fn gather(&mut self, batch: &mut Vec<StoredObservation>) -> bool {
        if !self.take(batch, None).await {
            return false;
        }
        let until = Instant::now() + self.batch_age;
        while batch.len() < self.batch_max && self.take(batch, Some(until)).await {}
        true
    }

    /// Takes at least one row more; false where there was none before `until`, or ever.
    async fn take(&mut self, batch: &mut Vec<StoredObservation>, until: Option<Instant>) -> bool {
        let room = self.batch_max - batch.len();
        loop {
            let open = !self.receiver.is_closed();
            let rows = self.receiver.recv_many(batch, room);
            let rows = async {
                match until {
                    Some(until) => timeout_at(until, rows).await.unwrap_or(0),
                    None => rows.await,
                }
            };
            tokio::select! {
                biased;
                n = rows => return n != 0,
                _ = self.closing.wait_for(|closing| *closing), if open => {}
            }
            // From here on nothing is added, and what waits is taken without waiting for more.
            self.receiver.close();
        }
    }

    /// Writes the batch and empties it, whatever it takes; while the recorder is open that is
    /// bounded by the queue, which fills up and drops.
    async fn write(&mut self, batch: &mut Vec<StoredObservation>) {
        let n = batch.len();
        let mut tries = 0;
        loop {
            let cause = match self.store.append(batch).await {
                Ok(()) => {
                    self.metrics.written.inc_by(n as u64);
                    break;
                }
                Err(cause) => cause,
            };
            tries += 1;
            self.metrics.errors.inc();
            let closing = *self.closing.borrow();
            if !cause.may_pass() || (closing && CLOSING_TRIES <= tries) {
                error!(rows = n, cause = &cause as &dyn std::error::Error, "observations are lost");
                self.metrics.dropped.inc_by(n as u64);
                break;
            }
            warn!(
                rows = n,
                tries,
                cause = &cause as &dyn std::error::Error,
                "not written, tried again"
            );
            self.back_off(tries, closing).await;
        }
        self.metrics.waiting.sub(i64::try_from(n).unwrap_or(i64::MAX));
        batch.clear();
    }

    /// Waits after an error, less once the recorder closes.
    async fn back_off(&mut self, tries: u32, closing: bool) {
        if closing {
            return sleep(BACKOFF_BASE).await;
        }
        let wait = backoff(tries, fastrand::f64());
        tokio::select! {
            () = sleep(wait) => {}
            _ = self.closing.wait_for(|closing| *closing) => {}
        }
    }
}

/// The wait after the `tries`th error in a row, with `jitter` from 0 to 1: between half of and the
/// whole exponential.
fn backoff(tries: u32, jitter: f64) -> Duration {
    let exponential = BACKOFF_BASE.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    exponential.min(BACKOFF_MAX).mul_f64(0.5 + 0.5 * jitter)
}

/// Deletes what is older than `ttl`, now and then, until the recorder closes.
async fn expire(
    store: Arc<dyn ObservationStore>,
    ttl: Duration,
    mut closing: watch::Receiver<bool>,
    metrics: Metrics,
) {
    loop {
        let older_than = SystemTime::now().checked_sub(ttl).unwrap_or(SystemTime::UNIX_EPOCH);
        match store.expire(older_than).await {
            Ok(0) => {}
            Ok(rows) => {
                metrics.expired.inc_by(rows);
                info!(rows, "old observations are deleted");
            }
            Err(cause) => {
                metrics.errors.inc();
                warn!(cause = &cause as &dyn std::error::Error, "old observations are not deleted");
            }
        }
        tokio::select! {
            () = sleep(EXPIRE_INTERVAL.min(ttl)) => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}
