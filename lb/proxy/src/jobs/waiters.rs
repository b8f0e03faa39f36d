//! Requests that wait for the end of a job.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use weighbridge_core::jobs::JobId;

use super::ledger::Kept;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<HashMap<JobId, Waited>>);

#[derive(Debug, Default)]
struct Waited {
    has_ended: Arc<Notify>,
    /// The job, once it has ended here: nobody has to read it again.
    ended: Option<Kept>,
    n_waiters: usize,
}

/// One request that waits for one job.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    waiters: &'a Waiters,
    id: JobId,
    has_ended: Arc<Notify>,
}

// === impl Waiters ===

impl Waiters {
    /// Waits for the job `id` from now on.
    pub(crate) fn wait_for(&self, id: JobId) -> Waiter<'_> {
        let mut all = self.0.lock();
        let waited = all.entry(id).or_default();
        waited.n_waiters += 1;
        Waiter { waiters: self, id, has_ended: Arc::clone(&waited.has_ended) }
    }

    /// The job `kept` was written so.
    pub(crate) fn tell(&self, kept: &Kept) {
        let mut all = self.0.lock();
        let Some(waited) = all.get_mut(&kept.job.id) else { return };
        // A dead one may be run anew.
        waited.ended = kept.job.state.is_final().then(|| kept.clone());
        if waited.ended.is_some() {
            waited.has_ended.notify_waiters();
        }
    }
}

impl Waiter<'_> {
    /// Resolves when the job ends after this was called.
    pub(crate) fn end(&self) -> tokio::sync::futures::Notified<'_> {
        self.has_ended.notified()
    }

    /// The job, where it has ended at this balancer since somebody waits for it.
    pub(crate) fn ended(&self) -> Option<Kept> {
        self.waiters.0.lock().get(&self.id)?.ended.clone()
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
    use std::time::Duration;

    use weighbridge_core::jobs::{Job, Limits, State};
    use weighbridge_core::units::{Time, Work};

    use super::*;

    fn kept(id: u128, state: State) -> Kept {
        let limits = Limits {
            receive_max: Duration::ZERO,
            wait_max: Duration::ZERO,
            run_max: Duration::ZERO,
            attempts_max: 1,
            host_deaths_max: 1,
            alone_after: 0,
            backoff_min: Duration::ZERO,
            backoff_max: Duration::ZERO,
            lease_min: Duration::ZERO,
            lease_max: Duration::ZERO,
            retention: Duration::ZERO,
        };
        let work = (Work::ZERO, Work::ZERO);
        let mut job = Job::new(JobId::from_bits(id), work, Time::ZERO, &limits);
        job.state = state;
        Kept {
            job,
            route: String::new(),
            fleet: String::new(),
            method: String::new(),
            path: String::new(),
            request_bytes: 0,
            answer_bytes: 0,
            request_is_object: false,
            answer_is_object: false,
            callback: None,
            client: None,
            overdue_at: Time::ZERO,
            tick_at: Time::ZERO,
        }
    }

    #[tokio::test]
    async fn who_waits_is_told_of_the_end_and_who_has_left_is_forgotten() {
        let (waiters, id) = (Waiters::default(), JobId::from_bits(1));
        let (one, other) = (waiters.wait_for(id), waiters.wait_for(id));
        waiters.tell(&kept(1, State::Queued { not_before: Time::ZERO }));
        assert_eq!(one.ended(), None);
        let (first, second) = (one.end(), other.end());
        let ended = kept(1, State::Succeeded);
        waiters.tell(&ended);
        first.await;
        second.await;
        assert_eq!((one.ended(), other.ended()), (Some(ended.clone()), Some(ended)));
        waiters.tell(&kept(2, State::Succeeded));
        drop((one, other));
        assert!(waiters.0.lock().is_empty());
    }

    #[tokio::test]
    async fn what_is_run_anew_has_not_ended() {
        let waiters = Waiters::default();
        let one = waiters.wait_for(JobId::from_bits(1));
        waiters.tell(&kept(1, State::Dead));
        assert!(one.ended().is_some());
        waiters.tell(&kept(1, State::Queued { not_before: Time::ZERO }));
        assert_eq!(one.ended(), None);
    }
}
