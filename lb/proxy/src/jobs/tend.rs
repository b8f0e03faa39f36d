//! What is due: leases that have run out, or whose holder is gone; jobs that have waited for too
//! long; ended jobs that are old enough to be forgotten; objects that are nobody's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use weighbridge_core::jobs::{Action, Event, JobId, Object};
use weighbridge_core::units::Time;

use super::contract::depth::Depths;
use super::ledger::{Due, Found, JobWrite, Kept, LedgerError, TOLD_WITHIN};
use super::objects::{ObjectError, answer_key, request_key, whose};
use super::{JobRoom, Stepped, now};
use crate::backoff::Backoff;

/// Jobs that are looked at at once.
const DUE_MAX: usize = 256;

/// Between two looks at objects that may be nobody's.
const SWEEP: Duration = Duration::from_mins(10);

/// Objects that are looked at at once.
const SWEEP_MAX: usize = 1000;

/// An object that is younger may be of a job that is being written.
const SWEEP_AGE: Duration = Duration::from_mins(15);

/// Summing up lines takes at most such a part of the time.
const TELL_PART: u32 = 20;

/// Between two looks at whether jobs wait for too long. An alarm that counts them looks every 5
/// minutes.
const OLD: Duration = Duration::from_mins(1);

/// After a look that has failed.
const AGAIN: Backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_secs(10) };

/// Tends the jobs until it is dropped.
pub(crate) async fn tend(room: Arc<JobRoom>) {
    let mut failures = 0;
    let mut depths = Depths::default();
    let mut sweep_at = Instant::now() + SWEEP.min(room.settings().retention);
    let mut tell_at = Instant::now();
    let mut old_at = Instant::now() + OLD;
    loop {
        if tell_at <= Instant::now() {
            let begun = Instant::now();
            depths.look(&room).await;
            if let Err(error) = room.tell_lines(&depths).await {
                room.failed("jobs_lines", &error);
            }
            // A long line takes long to sum up: that is done more seldom.
            tell_at = Instant::now() + begun.elapsed() * TELL_PART;
        }
        match room.tend_once().await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                room.failed("jobs_tend", &error);
                sleep(AGAIN.wait(failures)).await;
            }
        }
        if old_at <= Instant::now() {
            old_at = Instant::now() + OLD;
            if let Err(error) = room.tell_old().await {
                room.failed("jobs_lines", &error);
            }
        }
        if sweep_at <= Instant::now() {
            sweep_at = Instant::now() + SWEEP;
            if let Err(error) = room.sweep().await {
                room.metrics.loop_failed("jobs_sweep");
                tracing::warn!(%error, "objects cannot be swept");
            }
        }
        sleep(room.settings().poll).await;
    }
}

// === impl JobRoom ===

impl JobRoom {
    async fn tend_once(&self) -> Result<(), LedgerError> {
        self.follow_others().await?;
        loop {
            let due = self.ledger.due(now(), DUE_MAX).await?;
            let n_due = due.len();
            for due in due {
                self.look_after(due).await?;
            }
            if n_due < DUE_MAX {
                break;
            }
        }
        self.metrics().read(&self.ledger.totals().await?, self.n_running());
        Ok(())
    }

    /// Tells each balancer what waits in its line: it counts for the size of its fleet.
    async fn tell_lines(&self, depths: &Depths) -> Result<(), LedgerError> {
        let waiting = self.ledger.waiting(now()).await?;
        let rooms = self.rooms();
        let fleets = rooms.dispatch.fleets.all().iter().zip(rooms.config.fleet_names());
        for (fleet, name) in fleets {
            let line = waiting.iter().find(|(of, _)| of == name).map(|(_, line)| *line);
            let mut line = line.unwrap_or_default();
            depths.add_to(&mut line, (self, name));
            fleet.with(|balancer, _| balancer.tell_line(line));
        }
        Ok(())
    }

    /// Says where the oldest job of a line has waited for twice as long as the age guard allows:
    /// the fleet is too small for what comes.
    async fn tell_old(&self) -> Result<(), LedgerError> {
        let fleets: Vec<String> = self.rooms().config.fleet_names().map(str::to_owned).collect();
        for fleet in fleets {
            let now = now();
            // What is overdue goes first.
            let Some(first) = self.ledger.line(&fleet, now, 1).await?.pop() else { continue };
            if is_old(&first.kept, now) {
                let secs = now.since(first.kept.job.received).as_secs();
                tracing::warn!(fleet, secs, "jobs wait for longer than the age guard allows");
            }
        }
        Ok(())
    }

    /// Ends attempts whose jobs others have written since: they were cancelled there, or taken
    /// over.
    async fn follow_others(&self) -> Result<(), LedgerError> {
        let running: Vec<_> = {
            let running = self.running.lock();
            let claimed = running.iter().filter(|(_, running)| running.is_claimed);
            claimed.map(|(id, running)| (*id, running.fence)).collect()
        };
        for (id, fence) in running {
            let is_ours = match self.ledger.get(id).await? {
                Found::Kept(kept) => kept.job.state.lease().is_some_and(|one| one.fence == fence),
                Found::Forgotten | Found::Unknown => false,
            };
            if !is_ours {
                self.hang_up(id, fence);
            }
        }
        Ok(())
    }

    async fn look_after(&self, due: Due) -> Result<(), LedgerError> {
        let event = match due.kept.job.state.lease() {
            Some(lease) if due.owner_is_gone => Event::LeaseLost { fence: lease.fence },
            Some(_) | None => Event::Tick,
        };
        let id = due.kept.job.id;
        match self.step(due.kept, &[event], None).await? {
            Stepped::Kept(kept, actions) => {
                if actions.contains(&Action::Delete(Object::All)) {
                    self.forget(&kept).await?;
                } else if kept.job.state.is_final() && !kept.job.told && self.is_delivered(&kept) {
                    self.look_at_delivery(*kept).await?;
                } else if kept.job.state.is_final() && !kept.job.told {
                    // Who was to be told is told by what was written with the end.
                    let generation = kept.job.generation;
                    self.step(*kept, &[Event::Told { generation }], None).await?;
                } else if let Some(reason) = kept.job.reason
                    && kept.job.state.lease().is_none()
                    && event != Event::Tick
                {
                    tracing::info!(job = %id, %reason, "a job was taken back");
                    self.metrics().attempt_failed(reason);
                }
                Ok(())
            }
            Stepped::Gone => Ok(()),
        }
    }

    /// Has a result delivered that was not in time, and looked at again if it is not then.
    async fn look_at_delivery(&self, mut kept: Kept) -> Result<(), LedgerError> {
        self.contracts.deliveries.add(kept.job.id);
        kept.tick_at = now() + TOLD_WITHIN;
        self.ledger.write(JobWrite { kept, answer: None, event: None }).await.map(drop)
    }

    /// Forgets a job: its objects first, so that none is left that nobody knows of.
    pub(crate) async fn forget(&self, kept: &Kept) -> Result<bool, LedgerError> {
        let id = kept.job.id;
        if kept.request_is_object {
            self.delete(&request_key(id)).await;
        }
        if let Some(outcome) = kept.job.outcome.filter(|_| kept.answer_is_object) {
            self.delete(&answer_key(id, outcome.fence)).await;
        }
        self.ledger.forget(kept).await
    }

    /// Deletes objects that are nobody's: of jobs that are no more, of attempts that have lost, of
    /// requests that were never acknowledged.
    async fn sweep(&self) -> Result<(), SweepError> {
        let mut after: Option<String> = None;
        let mut known: HashMap<JobId, Found> = HashMap::new();
        loop {
            let objects = self.objects.list(after.as_deref(), SWEEP_MAX).await?;
            let Some(last) = objects.last() else { return Ok(()) };
            after = Some(last.key.clone());
            known.clear();
            for object in objects {
                let age = SystemTime::now().duration_since(object.modified).unwrap_or_default();
                let Some((id, _)) = whose(&object.key).filter(|_| SWEEP_AGE <= age) else {
                    continue;
                };
                let found = match known.entry(id) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => entry.insert(self.ledger.get(id).await?),
                };
                if is_nobodys(&object.key, found) {
                    self.objects.delete(&object.key).await?;
                }
            }
        }
    }
}

/// Why objects could not be swept.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// Whether a job has waited at `now` for twice as long as the age guard allows.
fn is_old(kept: &Kept, now: Time) -> bool {
    let allowed = kept.overdue_at.since(kept.job.received);
    kept.overdue_at + allowed <= now
}

/// Whether the object `key` is of no use, where that is `found` of its job.
fn is_nobodys(key: &str, found: &Found) -> bool {
    let Found::Kept(kept) = found else { return true };
    match whose(key) {
        Some((_, None)) => !kept.request_is_object,
        Some((_, Some(fence))) => {
            let is_committed = kept.job.outcome.is_some_and(|outcome| outcome.fence == fence);
            let may_be = kept.job.state.lease().is_some_and(|lease| lease.fence == fence);
            !is_committed && !may_be
        }
        None => false,
    }
}
