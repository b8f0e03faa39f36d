//! The task on the other end of the queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, warn};

use super::super::{ObservationStore, StoreError, StoredObservation};
use super::BACKOFF;
use super::metrics::StoreMetrics;
use super::replayer::Spooling;

/// How often a batch is tried once the recorder closes, by the store and by the spool.
pub(super) const CLOSING_TRIES: u64 = 3;

/// The longest that one try may take where there is a spool.
const TRY_MAX: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub(super) store: Arc<dyn ObservationStore>,
    pub(super) receiver: mpsc::Receiver<StoredObservation>,
    /// As many rows wait as a batch has.
    pub(super) full: Arc<Notify>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) batch_max: usize,
    pub(super) batch_age: Duration,
    /// With more rows than this in the queue, the store is too slow.
    pub(super) behind: usize,
    pub(super) metrics: StoreMetrics,
    pub(super) spool: Option<Spooling>,
}

impl Writer {
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(self.batch_max);
        while self.gather(&mut batch).await {
            batch = self.write(batch).await;
        }
    }

    /// Waits for a first row, and then until the batch is full or old enough, or the recorder
    /// closes. Nobody is woken for the rows between: on a balancer of small requests that would
    /// cost more than to keep them. False once it is closed and no row is left.
    async fn gather(&mut self, batch: &mut Vec<StoredObservation>) -> bool {
        if !self.first(batch).await {
            return false;
        }
        let until = Instant::now() + self.batch_age;
        while batch.len() + self.receiver.len() < self.batch_max && !self.receiver.is_closed() {
            tokio::select! {
                () = sleep_until(until) => break,
                // It may be of a batch before.
                () = self.full.notified() => {}
                _ = self.closing.wait_for(|closing| *closing) => self.receiver.close(),
            }
        }
        while batch.len() < self.batch_max
            && let Ok(row) = self.receiver.try_recv()
        {
            batch.push(row);
        }
        true
    }

    /// Takes what there is, at least one row. False where none can come any more.
    async fn first(&mut self, batch: &mut Vec<StoredObservation>) -> bool {
        loop {
            let open = !self.receiver.is_closed();
            tokio::select! {
                biased;
                n = self.receiver.recv_many(batch, self.batch_max) => return n != 0,
                _ = self.closing.wait_for(|closing| *closing), if open => {}
            }
            // No more rows are added; those that wait are taken.
            self.receiver.close();
        }
    }

    /// Writes the batch and gives it back empty, whatever it takes: to the store, or to the spool
    /// while the store takes none or the queue fills faster than it does. Without a spool it is
    /// tried again and again, and while the recorder is open that is bounded by the queue, which
    /// fills up and drops.
    async fn write(&mut self, mut batch: Vec<StoredObservation>) -> Vec<StoredObservation> {
        let n = batch.len();
        let (mut tries, mut closing_tries) = (0, 0);
        loop {
            if self.is_store_next() || 0 < tries {
                let Err(cause) = self.append(&batch).await else {
                    self.metrics.written.inc_by(n as u64);
                    break;
                };
                tries += 1;
                self.metrics.errors.inc();
                if !may_try_again(&cause, tries, n) {
                    self.lose(n);
                    break;
                }
            }
            if let Some(spool) = &self.spool {
                if 0 < tries {
                    spool.is_down();
                }
                let done;
                let last = *self.closing.borrow();
                (batch, done) = spool.push(batch, last).await;
                if done {
                    break;
                }
                // Neither store nor disk takes them. The store may be back first.
                tries = tries.max(1);
            }
            // Tries before that do not count: a store that another balancer has refuses for long.
            closing_tries += u64::from(*self.closing.borrow());
            if CLOSING_TRIES <= closing_tries {
                self.lose(n);
                break;
            }
            self.back_off(tries).await;
        }
        self.metrics.waiting.sub(i64::try_from(n).unwrap_or(i64::MAX));
        batch.clear();
        batch
    }

    /// Whether the next batch goes to the store rather than to the spool.
    fn is_store_next(&self) -> bool {
        let Some(spool) = &self.spool else { return true };
        spool.is_well() && self.receiver.len() <= self.behind
    }

    /// One try. With a spool its time is bounded, because the queue fills meanwhile.
    async fn append(&self, batch: &[StoredObservation]) -> Result<(), StoreError> {
        let append = self.store.append(batch);
        if self.spool.is_none() {
            return append.await;
        }
        // A try that was given up may still be written. Writing the same rows again changes
        // nothing.
        timeout(TRY_MAX, append).await.unwrap_or_else(|late| Err(StoreError::Away(Box::new(late))))
    }

    /// Counts `rows` rows as lost.
    fn lose(&self, rows: usize) {
        error!(rows, "observations are lost");
        self.metrics.dropped.inc_by(rows as u64);
    }

    /// Waits after an error, less once the recorder closes.
    async fn back_off(&mut self, tries: u64) {
        if *self.closing.borrow() {
            return sleep(BACKOFF.base).await;
        }
        let wait = BACKOFF.wait(tries);
        tokio::select! {
            () = sleep(wait) => {}
            _ = self.closing.wait_for(|closing| *closing) => {}
        }
    }
}

/// Whether `rows` rows, which the store has refused because of `cause`, may be taken later.
fn may_try_again(cause: &StoreError, tries: u64, rows: usize) -> bool {
    let cause_of = cause as &dyn std::error::Error;
    if cause.may_pass() {
        warn!(rows, tries, cause = cause_of, "not written, for now");
    } else {
        error!(rows, cause = cause_of, "never to be written");
    }
    cause.may_pass()
}
