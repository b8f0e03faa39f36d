//! Requests that wait for something to happen to a job.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use weighbridge_core::jobs::JobId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<HashMap<JobId, Waited>>);

#[derive(Debug, Default)]
struct Waited {
    changed: Arc<Notify>,
    n_waiters: usize,
}

/// One request that waits for one job.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    waiters: &'a Waiters,
    id: JobId,
    changed: Arc<Notify>,
}

// === impl Waiters ===

impl Waiters {
    /// Waits for the job `id` from now on.
    pub(crate) fn wait_for(&self, id: JobId) -> Waiter<'_> {
        let mut all = self.0.lock();
        let waited = all.entry(id).or_default();
        waited.n_waiters += 1;
        Waiter { waiters: self, id, changed: Arc::clone(&waited.changed) }
    }

    /// Something has happened to the job `id`.
    pub(crate) fn wake(&self, id: JobId) {
        if let Some(waited) = self.0.lock().get(&id) {
            waited.changed.notify_waiters();
        }
    }
}

impl Waiter<'_> {
    /// Resolves when something happens after it was called.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.waiters.0.lock().entry(self.id) {
            entry.get_mut().n_waiters -= 1;
            if entry.get().n_waiters == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_and_who_has_left_is_forgotten() {
        let (waiters, id) = (Waiters::default(), JobId::from_bits(1));
        let (one, other) = (waiters.wait_for(id), waiters.wait_for(id));
        let (first, second) = (one.changed(), other.changed());
        waiters.wake(id);
        first.await;
        second.await;
        waiters.wake(JobId::from_bits(2));
        drop((one, other));
        assert!(waiters.0.lock().is_empty());
    }
}
