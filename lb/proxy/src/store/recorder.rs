//! Writes observations off the request path: in batches, from a bounded queue, again after errors.
//!
//! ```text
//! record -> queue -> writer -> store
//!                      └─ while the store takes none, or too few ─> spool -> replayer -> store
//! ```

mod metrics;
mod replayer;
mod writer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use prometheus::Registry;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{ObservationStore, Spool, StoredObservation};
use crate::backoff::Backoff;
use crate::config::StoreConfig;
use metrics::StoreMetrics;
use replayer::{Spooling, replay};
use writer::Writer;

/// Waits after errors in a row.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(30) };
/// How often old observations are deleted.
const EXPIRE_INTERVAL: Duration = Duration::from_hours(1);

/// Takes observations from the request path and writes them to a store.
#[derive(Debug)]
pub struct Recorder {
    sender: mpsc::Sender<StoredObservation>,
    /// The writer is to write before the batch is old: as many rows wait as it writes at once.
    full: Arc<Notify>,
    batch_max: usize,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    metrics: StoreMetrics,
}

// === impl Recorder ===

impl Recorder {
    /// Starts writing to `store`, and registers `weighbridge_store_*`. It runs on the tokio runtime
    /// that it is called in, which need not be that of the requests. Rows in `spool` are written
    /// first. Without a spool, only the queue bridges an absence of the store.
    pub fn start(
        store: Arc<dyn ObservationStore>,
        spool: Option<Spool>,
        config: &StoreConfig,
        registry: &Registry,
    ) -> Result<Recorder, prometheus::Error> {
        let metrics = StoreMetrics::register(registry)?;
        let (sender, receiver) = mpsc::channel(config.queue_max.max(1));
        let (closing, closed) = watch::channel(false);
        let spool = spool.map(|spool| Spooling::new(spool, &metrics));
        let (full, batch_max) = (Arc::new(Notify::new()), config.batch_max.max(1));
        let writer = Writer {
            store: Arc::clone(&store),
            receiver,
            full: Arc::clone(&full),
            closing: closed.clone(),
            batch_max,
            batch_age: config.batch_age,
            behind: config.queue_max / 2,
            metrics: metrics.clone(),
            spool: spool.clone(),
        };
        let mut tasks = vec![tokio::spawn(writer.run())];
        if let Some(spool) = spool {
            let (store, closed) = (Arc::clone(&store), closed.clone());
            tasks.push(tokio::spawn(replay(store, spool, closed, metrics.clone())));
        }
        tasks.push(tokio::spawn(expire(store, config.ttl, closed, metrics.clone())));
        Ok(Recorder { sender, full, batch_max, closing, tasks: Mutex::new(tasks), metrics })
    }

    /// Takes `row` for writing. Never waits. Where the queue is full or the recorder is closed, the
    /// row is dropped and counted.
    pub fn record(&self, row: StoredObservation) {
        // Counted before it can be written, so that the gauge never falls below zero.
        self.metrics.waiting.inc();
        if self.sender.try_send(row).is_err() {
            self.metrics.waiting.dec();
            self.metrics.dropped.inc();
        } else if self.batch_max <= self.sender.max_capacity() - self.sender.capacity() {
            self.full.notify_one();
        }
    }

    /// Writes all rows that wait, and ends. Rows that the store refuses go to the spool. Without a
    /// spool they are dropped after a few tries, and counted.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(cause) = task.await {
                error!(%cause, "a task of the recorder ended badly");
            }
        }
    }
}

/// Deletes what is older than `ttl`, now and then, until the recorder closes.
async fn expire(
    store: Arc<dyn ObservationStore>,
    ttl: Duration,
    mut closing: watch::Receiver<bool>,
    metrics: StoreMetrics,
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
