//! The run queue: a fixed number of slots, bounded waiting, and an order.
//!
//! ```text
//! submit ─► waiting ─► in a slot: Meter { interruptible { run } } ─► done
//!           (bounded,     │  ▲
//!            ordered)     ▼  │
//!                        parked, at a checkpoint (bounded)
//! ```
//!
//! The crate `weighbridge-schedule` decides which requests run. `room.rs` carries that out, and
//! `threads.rs` has the threads. When `done` is called, the request has left its slot, and no other
//! request has the slot yet. So the load report of an answer does not count the request itself, and
//! the answer leaves before another request goes on.

mod nice;
mod queued;
mod room;
mod run;
mod threads;

use std::sync::Arc;

use weighbridge_instrument::Interrupt;
use weighbridge_schedule::{Bounds, Order, Owner, Schedule};

use crate::attempt::{Attempt, Spent};
use crate::estimates::Estimates;

pub(crate) use run::{Panicked, Ran, Times};

use nice::Niceness;
use threads::Shared;

/// What a queue may take, and its order.
#[derive(Debug, Clone)]
pub(crate) struct QueueConfig {
    pub(crate) order: &'static dyn Order,
    pub(crate) bounds: Bounds,
    /// Requests beyond those that run at once.
    pub(crate) waiting_max: usize,
    /// What the life of each of its threads runs in.
    pub(crate) host: Host,
}

/// Calls what it is given once, on a thread that it may choose, and returns after it.
pub(crate) type Host = fn(&mut (dyn FnMut() + Send));

/// The queue and its threads. When it is dropped, it forgets the requests that wait. A thread that
/// runs a request ends after it.
#[derive(Debug)]
pub(crate) struct RunQueue {
    shared: Arc<Shared>,
    order: &'static dyn Order,
}

/// What a request is believed to need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Work, above zero, in CPU-seconds of the reference core.
    pub(crate) work_secs: f64,
    /// Bytes of memory, from its start to its end.
    pub(crate) bytes: u64,
    /// Which attempt of a job it is, where it is one.
    pub(crate) attempt: Option<Attempt>,
    /// Where its client stands.
    pub(crate) owner: Owner,
}

/// What a client holds of its request. When it is dropped, the request is abandoned: it leaves the
/// queue, or stops at its next checkpoint. A parked request is at a checkpoint.
#[derive(Debug)]
pub(crate) struct Submission {
    shared: Arc<Shared>,
    number: u64,
    interrupt: Interrupt,
}

/// How full the queue is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Occupancy {
    /// Slots there are.
    pub(crate) slots: usize,
    /// Requests in slots.
    pub(crate) running: usize,
    /// Requests that were started and are in no slot.
    pub(crate) parked: usize,
    /// Requests that were not started.
    pub(crate) waiting: usize,
    /// What is believed to be left of all of them, in CPU-seconds of the reference core.
    pub(crate) work_left_secs: f64,
    /// Reference cores of a slot.
    pub(crate) speed: f64,
}

/// The queue takes no more: a 503.
#[derive(Debug, thiserror::Error)]
#[error("the run queue is full: `{waiting_max}` requests wait")]
pub(crate) struct QueueFull {
    waiting_max: usize,
}

// === impl RunQueue ===

impl RunQueue {
    /// A queue with a thread for each slot. Fails where a thread cannot be started.
    pub(crate) fn start(
        config: QueueConfig,
        estimates: Arc<Estimates>,
    ) -> std::io::Result<RunQueue> {
        let QueueConfig { order, mut bounds, waiting_max, host } = config;
        let niceness = if order.preempts() { Niceness::probe() } else { None };
        if order.preempts() && niceness.is_none() {
            tracing::warn!(
                "may not restore a thread's niceness: between checkpoints nothing is preempted"
            );
        }
        bounds.yields_after = bounds.yields_after.filter(|_| niceness.is_some());
        let schedule = Schedule::new(order, bounds);
        let shared = Shared::start(schedule, waiting_max, estimates, niceness, host)?;
        Ok(RunQueue { shared, order })
    }

    /// Queues `run`, which is believed to need so much. Once it has run, its thread calls `done`,
    /// unless its [`Submission`] was dropped while it still waited.
    pub(crate) fn submit<T, R, D>(
        &self,
        need: impl Into<Need>,
        run: R,
        done: D,
    ) -> Result<Submission, QueueFull>
    where
        T: Send + 'static,
        R: FnOnce() -> T + Send + 'static,
        D: FnOnce(Ran<T>) + Send + 'static,
    {
        let (number, interrupt) = self.shared.enter(need.into(), run::run_of(run, done))?;
        Ok(Submission { shared: Arc::clone(&self.shared), number, interrupt })
    }

    /// Whether [`RunQueue::submit`] would fail now.
    pub(crate) fn check_room(&self) -> Result<(), QueueFull> {
        self.shared.check_room()
    }

    /// How full it is.
    pub(crate) fn occupancy(&self) -> Occupancy {
        self.shared.occupancy()
    }

    /// What the attempts of jobs that were started have used by now.
    pub(crate) fn spent(&self) -> Vec<Spent> {
        self.shared.spent()
    }

    /// The name of its order.
    pub(crate) fn discipline(&self) -> &'static str {
        self.order.name()
    }
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        self.shared.close();
    }
}

// === impl Need ===

impl From<f64> for Need {
    /// Work, and no memory to speak of, of the only client.
    fn from(work_secs: f64) -> Need {
        Need { work_secs, bytes: 0, attempt: None, owner: Owner::default() }
    }
}

// === impl Submission ===

impl Drop for Submission {
    fn drop(&mut self) {
        self.interrupt.abandon();
        self.shared.abandon(self.number);
    }
}

// === impl Occupancy ===

impl Occupancy {
    /// Requests here: running, parked or waiting.
    pub(crate) fn in_flight(self) -> usize {
        self.running + self.parked + self.waiting
    }

    /// Requests here over slots: above 1 where some wait.
    pub(crate) fn utilization(self) -> f64 {
        self.in_flight() as f64 / self.slots as f64
    }
}

#[cfg(test)]
mod tests;
