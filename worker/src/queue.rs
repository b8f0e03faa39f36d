//! The run queue: a fixed number of slots, bounded waiting, and an order.
//!
//! ```text
//! submit ─► waiting ─► in a slot: Meter { interruptible { run } } ─► done
//!           (bounded,     │  ▲
//!            ordered)     ▼  │
//!                        parked, at a checkpoint (bounded)
//! ```
//!
//! `schedule.rs` decides who runs, purely; `room.rs` carries it out; `threads.rs` has the threads. A
//! slot is free again before `done` is called, so whoever has an answer sees a queue without it.

mod age;
mod fcfs;
mod job;
mod nice;
mod order;
mod ps;
mod room;
mod run;
mod schedule;
mod srpt;
mod threads;
mod ticket;

use std::sync::Arc;
use std::time::Duration;

use weighbridge_instrument::Interrupt;

use crate::estimates::Estimates;

pub(crate) use age::AgeGuard;
pub(crate) use order::{Order, order, order_names};
pub(crate) use run::{Panicked, Ran, Times};

use nice::Niceness;
use schedule::{Bounds, Schedule};
use threads::Shared;

/// How long a request that was asked to park keeps its slot before it has to share it. Where there
/// are checkpoints, it is mostly a fifth of that from one to the next.
const YIELDS_AFTER: Duration = Duration::from_micros(250);

/// What a queue may take, and its order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueConfig {
    /// At least 1.
    pub(crate) slots: usize,
    /// Requests that are started and have not ended, at least `slots`.
    pub(crate) started_max: usize,
    /// Requests beyond those that run at once.
    pub(crate) waiting_max: usize,
    pub(crate) order: &'static dyn Order,
    pub(crate) age: AgeGuard,
}

/// The queue and its threads. Dropped, it forgets who waits, and its threads end after what they run.
#[derive(Debug)]
pub(crate) struct RunQueue {
    shared: Arc<Shared>,
    order: &'static dyn Order,
}

/// A request's place in the queue or in a slot. Dropped, the request is abandoned: it leaves the
/// queue, or stops at its next checkpoint; a parked one is at one.
#[derive(Debug)]
pub(crate) struct Place {
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
        let QueueConfig { slots, started_max, waiting_max, order, age } = config;
        let niceness = if order.preempts() { Niceness::probe() } else { None };
        if order.preempts() && niceness.is_none() {
            tracing::warn!(
                "may not restore a thread's niceness: between checkpoints nothing is preempted"
            );
        }
        let yields_after = niceness.map(|_| YIELDS_AFTER);
        let schedule = Schedule::new(order, Bounds { slots, started_max, yields_after, age });
        let shared = Shared::start(schedule, waiting_max, estimates, niceness)?;
        Ok(RunQueue { shared, order })
    }

    /// Queues `run`, whose work is believed to be `estimate_secs`, above zero, in CPU-seconds of the
    /// reference core. Once it has run, its thread calls `done`, unless its [`Place`] was dropped
    /// while it still waited.
    pub(crate) fn submit<T, R, D>(
        &self,
        estimate_secs: f64,
        run: R,
        done: D,
    ) -> Result<Place, QueueFull>
    where
        T: Send + 'static,
        R: FnOnce() -> T + Send + 'static,
        D: FnOnce(Ran<T>) + Send + 'static,
    {
        let (number, interrupt) = self.shared.enter(estimate_secs, run::run_of(run, done))?;
        Ok(Place { shared: Arc::clone(&self.shared), number, interrupt })
    }

    /// Whether [`RunQueue::submit`] would fail now.
    pub(crate) fn check_room(&self) -> Result<(), QueueFull> {
        self.shared.check_room()
    }

    /// How full it is.
    pub(crate) fn occupancy(&self) -> Occupancy {
        self.shared.occupancy()
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

// === impl Place ===

impl Drop for Place {
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
