//! What becomes of a job when something happens to it. Pure: the same job, event and time give the
//! same state and actions.
//!
//! | from | event | to | actions |
//! |---|---|---|---|
//! | Receiving | Stored | Queued | Send |
//! | Receiving | Tick, after `receive_max` | Expired | Delete all |
//! | Receiving | Cancel | Cancelled | Delete all |
//! | Queued | Claimed, not before its time | Leased, attempt and fence + 1 | Forward |
//! | Queued | Tick, after `expires` | Expired | Delete place, Notify |
//! | Queued | Cancel | Cancelled | Delete place, Notify |
//! | Leased | Started | Running | |
//! | held | Renewed | the same, with a longer lease | |
//! | held | Progress | the same | |
//! | Leased, Running | Answered below 400, or 4xx | Committing | Put |
//! | Leased, Running | Answered 429, or 503 with `Retry-After` | Queued, excused | Send |
//! | Leased, Running | Answered 5xx, `TimedOut` | Queued after backoff, or Dead | Send or Notify |
//! | Committing | Kept | Succeeded or Failed | Notify |
//! | Leased, Running | `HostLost` | Queued at once, or Dead | Send or Notify |
//! | held | Returned | Queued at once, excused | Send |
//! | Leased, Running | Unplaced | Queued in a moment, excused | Send |
//! | held | `LeaseLost`, or Tick after the lease | Queued at once, or Dead | `HangUp`, as above |
//! | Leased, Running | Tick, after `run_max` | Queued after backoff, or Dead | `HangUp`, as above |
//! | held | Cancel | Cancelled | `HangUp`, Notify |
//! | final | Tick, not told | the same | Notify |
//! | final | Tick, told, after `retention` | the same | Delete all |
//! | final | Told, of this generation | the same | |
//! | Dead | Retry | Queued, generation + 1 | Send |
//! | any | Kept by a claim that is over, not committed | the same | Delete answer |
//!
//! "Held" are Leased, Running and Committing. Everything else changes nothing.

use smallvec::smallvec;

use super::{
    Action, Actions, Event, Fence, Job, Lease, Limits, Object, Outcome, OwnerId, Reason, State,
};
use crate::units::Time;

/// Carries `event` out on `job`, and returns what is to be done. See the module.
pub fn step(job: &mut Job, event: Event, now: Time, limits: &Limits) -> Actions {
    match event {
        Event::Stored => job.stored(now),
        Event::Claimed { owner } => job.claimed(owner, now, limits),
        Event::Cancel => job.cancel(now),
        Event::Retry => job.retry(now, limits),
        Event::Told { generation } => job.told(generation),
        Event::Tick => job.tick(now, limits),
        // Of a claim: the present one, or an old one.
        of_claim => match job.state.lease().filter(|one| of_claim.fence() == Some(one.fence)) {
            Some(lease) => job.held(lease, of_claim, now, limits),
            None => job.stale(of_claim),
        },
    }
}

/// Nothing.
fn none() -> Actions {
    Actions::new()
}

// === impl Job ===

impl Job {
    fn stored(&mut self, now: Time) -> Actions {
        match self.state {
            State::Receiving => self.queue(now),
            State::Queued { .. }
            | State::Leased(_)
            | State::Running(_)
            | State::Committing { .. }
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired
            | State::Dead => none(),
        }
    }

    fn claimed(&mut self, owner: OwnerId, now: Time, limits: &Limits) -> Actions {
        match self.state {
            State::Queued { not_before } if not_before <= now && now < self.expires => {}
            State::Receiving
            | State::Queued { .. }
            | State::Leased(_)
            | State::Running(_)
            | State::Committing { .. }
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired
            | State::Dead => return none(),
        }
        self.attempts = self.attempts.saturating_add(1);
        self.fence = self.fence.next();
        self.done = crate::units::Work::ZERO;
        let (attempt, fence) = (self.attempts, self.fence);
        let until = now + self.lease_span(limits);
        self.state = State::Leased(Lease { attempt, fence, owner, since: now, until });
        smallvec![Action::Forward { fence, alone: self.runs_alone(limits) }]
    }

    /// What the holder of the present lease says.
    fn held(&mut self, lease: Lease, event: Event, now: Time, limits: &Limits) -> Actions {
        match event {
            Event::Started { .. } => self.started(lease),
            Event::Renewed { .. } => self.renewed(lease, now, limits),
            Event::Progress { done, .. } => {
                self.done = self.done.max(done);
                none()
            }
            Event::Answered { status, retry_after, .. } => {
                if self.has_answered() {
                    return none();
                }
                match status {
                    429 => self.excuse(now + self.backoff_refused(retry_after, limits)),
                    503 if retry_after.is_some() => {
                        self.excuse(now + self.backoff_refused(retry_after, limits))
                    }
                    0..500 => {
                        self.state = State::Committing { lease, status };
                        smallvec![Action::Put { fence: lease.fence }]
                    }
                    500.. => {
                        let again = now + self.backoff(limits);
                        self.try_again(Reason::Status(status), again, now, limits)
                    }
                }
            }
            Event::Kept { .. } => self.kept(lease, now),
            // What has answered is not missed.
            Event::HostLost { .. } | Event::TimedOut { .. } | Event::Unplaced { .. }
                if self.has_answered() =>
            {
                none()
            }
            Event::HostLost { .. } => {
                self.host_deaths = self.host_deaths.saturating_add(1);
                self.try_again(Reason::HostLost, now, now, limits)
            }
            Event::TimedOut { .. } => {
                let again = now + self.backoff(limits);
                self.try_again(Reason::TimedOut, again, now, limits)
            }
            Event::Returned { .. } => self.excuse(now),
            Event::Unplaced { .. } => self.excuse(now + self.backoff_unplaced(limits)),
            Event::LeaseLost { .. } => self.lose(lease, Reason::LeaseLost, now, (now, limits)),
            Event::Stored
            | Event::Claimed { .. }
            | Event::Cancel
            | Event::Retry
            | Event::Told { .. }
            | Event::Tick => none(),
        }
    }

    /// What a holder says whose claim is over: its answer is of no use. Or the claim is newer than
    /// the row, which was read long ago: nothing can be told from that.
    fn stale(&self, event: Event) -> Actions {
        match event {
            Event::Kept { fence } if fence <= self.fence && !self.is_committed(fence) => {
                smallvec![Action::Delete(Object::Answer { fence })]
            }
            Event::Kept { .. }
            | Event::Stored
            | Event::Claimed { .. }
            | Event::Started { .. }
            | Event::Renewed { .. }
            | Event::Progress { .. }
            | Event::Answered { .. }
            | Event::HostLost { .. }
            | Event::TimedOut { .. }
            | Event::Returned { .. }
            | Event::Unplaced { .. }
            | Event::LeaseLost { .. }
            | Event::Cancel
            | Event::Retry
            | Event::Told { .. }
            | Event::Tick => none(),
        }
    }

    fn started(&mut self, lease: Lease) -> Actions {
        if let State::Leased(_) = self.state {
            self.state = State::Running(lease);
        }
        none()
    }

    fn renewed(&mut self, lease: Lease, now: Time, limits: &Limits) -> Actions {
        let until = (now + self.lease_span(limits)).max(lease.until);
        self.state = self.state.with_lease(Lease { until, ..lease });
        none()
    }

    fn kept(&mut self, lease: Lease, now: Time) -> Actions {
        let State::Committing { status, .. } = self.state else { return none() };
        self.outcome = Some(Outcome { status, fence: lease.fence });
        let state = if status < 400 { State::Succeeded } else { State::Failed };
        self.finish(state, now)
    }

    fn cancel(&mut self, now: Time) -> Actions {
        match self.state {
            State::Receiving => self.vanish(State::Cancelled, now),
            State::Queued { .. } => self.leave_line(State::Cancelled, now),
            State::Leased(lease) | State::Running(lease) | State::Committing { lease, .. } => {
                let mut actions: Actions = smallvec![Action::HangUp { fence: lease.fence }];
                actions.extend(self.finish(State::Cancelled, now));
                actions
            }
            State::Succeeded | State::Failed | State::Cancelled | State::Expired | State::Dead => {
                none()
            }
        }
    }

    fn retry(&mut self, now: Time, limits: &Limits) -> Actions {
        match self.state {
            State::Dead => {
                self.generation = self.generation.saturating_add(1);
                (self.attempts, self.excused, self.host_deaths) = (0, 0, 0);
                (self.finished, self.told, self.reason) = (None, false, None);
                self.expires = now + limits.wait_max;
                self.queue(now)
            }
            State::Receiving
            | State::Queued { .. }
            | State::Leased(_)
            | State::Running(_)
            | State::Committing { .. }
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired => none(),
        }
    }

    fn told(&mut self, generation: u32) -> Actions {
        self.told |= self.state.is_final() && self.generation == generation;
        none()
    }

    fn tick(&mut self, now: Time, limits: &Limits) -> Actions {
        match self.state {
            State::Receiving if self.received + limits.receive_max <= now => {
                self.vanish(State::Expired, now)
            }
            State::Queued { .. } if self.expires <= now => self.leave_line(State::Expired, now),
            State::Leased(lease) | State::Running(lease) | State::Committing { lease, .. }
                if lease.until <= now =>
            {
                self.lose(lease, Reason::LeaseLost, now, (now, limits))
            }
            State::Leased(lease) | State::Running(lease) if lease.since + limits.run_max <= now => {
                let again = now + self.backoff(limits);
                self.lose(lease, Reason::TimedOut, again, (now, limits))
            }
            State::Receiving
            | State::Queued { .. }
            | State::Leased(_)
            | State::Running(_)
            | State::Committing { .. } => none(),
            State::Succeeded | State::Failed | State::Cancelled | State::Expired | State::Dead => {
                self.tick_final(now, limits)
            }
        }
    }

    fn tick_final(&self, now: Time, limits: &Limits) -> Actions {
        let is_old = self.finished.is_none_or(|at| at + limits.retention <= now);
        match (self.told, is_old) {
            (false, _) => smallvec![Action::Notify],
            (true, true) => smallvec![Action::Delete(Object::All)],
            (true, false) => none(),
        }
    }

    /// Whether the present attempt has an answer that counts.
    fn has_answered(&self) -> bool {
        match self.state {
            State::Committing { .. } => true,
            State::Receiving
            | State::Queued { .. }
            | State::Leased(_)
            | State::Running(_)
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired
            | State::Dead => false,
        }
    }

    fn is_committed(&self, fence: Fence) -> bool {
        self.outcome.is_some_and(|outcome| outcome.fence == fence)
    }

    /// The attempt ends without blame.
    fn excuse(&mut self, again: Time) -> Actions {
        self.excused = self.excused.saturating_add(1);
        self.queue(again)
    }

    /// The holder has lost it.
    fn lose(
        &mut self,
        lease: Lease,
        reason: Reason,
        again: Time,
        (now, limits): (Time, &Limits),
    ) -> Actions {
        let mut actions: Actions = smallvec![Action::HangUp { fence: lease.fence }];
        actions.extend(self.try_again(reason, again, now, limits));
        actions
    }

    /// The attempt has failed: another at `again`, where one is left.
    fn try_again(&mut self, reason: Reason, again: Time, now: Time, limits: &Limits) -> Actions {
        self.reason = Some(reason);
        if self.may_try(limits) { self.queue(again) } else { self.finish(State::Dead, now) }
    }

    fn queue(&mut self, not_before: Time) -> Actions {
        self.state = State::Queued { not_before };
        smallvec![Action::Send { not_before }]
    }

    fn leave_line(&mut self, state: State, now: Time) -> Actions {
        let mut actions: Actions = smallvec![Action::Delete(Object::Place)];
        actions.extend(self.finish(state, now));
        actions
    }

    /// What was never acknowledged is of interest to nobody.
    fn vanish(&mut self, state: State, now: Time) -> Actions {
        self.finish(state, now);
        self.told = true;
        smallvec![Action::Delete(Object::All)]
    }

    fn finish(&mut self, state: State, now: Time) -> Actions {
        self.state = state;
        self.finished = Some(now);
        smallvec![Action::Notify]
    }
}
