//! While the store takes no rows, they go to the spool, and from there to the store once it takes
//! rows again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::super::spool::Oldest;
use super::super::{ObservationStore, Spool, StoreError, StoredObservation};
use super::BACKOFF;
use super::metrics::StoreMetrics;

/// Between two looks at whether another balancer has left rows.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A spool and whether it is needed. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Spooling {
    shared: Arc<Shared>,
    metrics: StoreMetrics,
}

#[derive(Debug)]
struct Shared {
    spool: Spool,
    /// Whether the store took the last batch.
    is_well: AtomicBool,
    /// Wakes the replayer.
    wake: Notify,
}

impl Spooling {
    pub(super) fn new(spool: Spool, metrics: &StoreMetrics) -> Spooling {
        metrics.look_at(&spool);
        let shared = Shared { spool, is_well: AtomicBool::new(true), wake: Notify::new() };
        Spooling { shared: Arc::new(shared), metrics: metrics.clone() }
    }

    /// Whether the next rows go to the store rather than to the spool.
    pub(super) fn is_well(&self) -> bool {
        self.shared.is_well.load(Ordering::Acquire)
    }

    /// The store takes no rows.
    pub(super) fn is_down(&self) {
        self.shared.is_well.store(false, Ordering::Release);
    }

    /// Puts `rows` on disk. Returns them, and whether that worked. Where another balancer has the
    /// folder, it gets those that are the `last`.
    pub(super) async fn push(
        &self,
        rows: Vec<StoredObservation>,
        last: bool,
    ) -> (Vec<StoredObservation>, bool) {
        let shared = Arc::clone(&self.shared);
        let pushed = spawn_blocking(move || {
            let pushed = match shared.spool.push(&rows) {
                Err(StoreError::Locked(_)) if last => shared.spool.leave(&rows).map(|()| 0),
                pushed => pushed,
            };
            (rows, pushed)
        });
        let (rows, pushed) = match pushed.await {
            Ok(pushed) => pushed,
            // It panicked, and the rows are lost.
            Err(_) => (Vec::new(), Err(StoreError::Stopped)),
        };
        self.metrics.look_at(&self.shared.spool);
        self.shared.wake.notify_one();
        match pushed {
            Ok(dropped) => {
                if 0 < dropped {
                    self.metrics.spool_dropped.inc_by(dropped);
                    warn!(rows = dropped, "the spool is full: its oldest observations are lost");
                }
                (rows, true)
            }
            Err(cause) => {
                let cause = &cause as &dyn std::error::Error;
                warn!(rows = rows.len(), cause, "not put on disk");
                (rows, false)
            }
        }
    }

    async fn oldest(&self) -> Result<Option<Oldest>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let oldest = spawn_blocking(move || shared.spool.oldest());
        oldest.await.map_err(|_| StoreError::Stopped)?
    }

    async fn remove(&self, oldest: Oldest) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let removed = spawn_blocking(move || shared.spool.remove(&oldest));
        removed.await.map_err(|_| StoreError::Stopped)?
    }
}

/// Brings the spool's rows to `store`, file by file, until the recorder closes. The rest stays for
/// the next start.
pub(super) async fn replay(
    store: Arc<dyn ObservationStore>,
    spool: Spooling,
    mut closing: watch::Receiver<bool>,
    metrics: StoreMetrics,
) {
    let replay = Replay { store, spool, metrics, current: None };
    tokio::select! {
        () = replay.run() => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

struct Replay {
    store: Arc<dyn ObservationStore>,
    spool: Spooling,
    metrics: StoreMetrics,
    /// The file that is being stored, and how many of its batches are done.
    current: Option<(Oldest, usize)>,
}

impl Replay {
    async fn run(mut self) {
        let mut refusals = 0;
        loop {
            match self.one().await {
                Ok(true) => refusals = 0,
                // The store may be back, and then no row comes here. The next row will show.
                Ok(false) => {
                    self.spool.shared.is_well.store(true, Ordering::Release);
                    let woken = timeout(LOOK_INTERVAL, self.spool.shared.wake.notified()).await;
                    if woken.is_ok() {
                        refusals += 1;
                        sleep(BACKOFF.wait(refusals)).await;
                    }
                }
                Err(cause) => {
                    refusals += 1;
                    self.metrics.errors.inc();
                    still_down(&cause, refusals);
                    sleep(BACKOFF.wait(refusals)).await;
                }
            }
        }
    }

    /// Stores one file. False where there was none. After an error it goes on where it stopped.
    async fn one(&mut self) -> Result<bool, StoreError> {
        if self.current.is_none() {
            let Some(oldest) = self.spool.oldest().await? else { return Ok(false) };
            if 0 < oldest.lost {
                self.metrics.spool_dropped.inc_by(oldest.lost);
                error!(rows = oldest.lost, "observations on disk are damaged and lost");
            }
            self.current = Some((oldest, 0));
        }
        let Some((oldest, done)) = &mut self.current else { return Ok(false) };
        while let Some(batch) = oldest.batches.get(*done) {
            match self.store.append(batch).await {
                Ok(()) => self.metrics.written.inc_by(batch.len() as u64),
                Err(cause) if cause.may_pass() => {
                    self.spool.shared.is_well.store(false, Ordering::Release);
                    return Err(cause);
                }
                Err(cause) => {
                    self.metrics.spool_dropped.inc_by(batch.len() as u64);
                    let cause = &cause as &dyn std::error::Error;
                    error!(rows = batch.len(), cause, "observations are lost");
                }
            }
            self.spool.shared.is_well.store(true, Ordering::Release);
            *done += 1;
        }
        let Some((oldest, batches)) = self.current.take() else { return Ok(false) };
        self.spool.remove(oldest).await?;
        self.metrics.look_at(&self.spool.shared.spool);
        info!(batches, "observations on disk have been written");
        Ok(true)
    }
}

fn still_down(cause: &StoreError, tries: u64) {
    warn!(tries, cause = cause as &dyn std::error::Error, "the store still takes none");
}
