//! The run queue: a fixed number of slots, bounded waiting, and an order.
//!
//! ```text
//! submit -> waiting (bounded, ordered) -> a free slot's thread -> Meter { interruptible { run } } -> slot is free -> done
//! ```
//!
//! A slot is free again before `done` is called, so whoever has an answer sees a queue without it.

mod fcfs;

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use weighbridge_instrument::{Interrupt, Meter, RequestCost, interruptible};

/// Every order there is. To add one: a file beside this one, and a line here.
const ALL: &[&dyn Order] = &[&fcfs::Fcfs];

/// Which waiting request runs next.
pub(crate) trait Order: fmt::Debug + Send + Sync {
    /// Unique, as in the configuration: `fcfs`.
    fn name(&self) -> &'static str;

    /// `Less` where `one` runs before `other`. Of equals, the one that came first runs first.
    fn compare(&self, one: &Ticket, other: &Ticket) -> Ordering;
}

/// What an [`Order`] knows of a request.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Counts up by one with each submitted request.
    pub(crate) number: u64,
}

/// The queue and its threads. Dropped, it forgets who waits, and its threads end after what they run.
#[derive(Debug)]
pub(crate) struct RunQueue {
    shared: Arc<Shared>,
}

/// A request's place in the queue or in a slot. Dropped, the request is abandoned: it leaves the
/// queue, or stops at its next checkpoint.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    number: u64,
    interrupt: Interrupt,
}

/// What became of a request that ran.
#[derive(Debug)]
pub(crate) struct Ran<T> {
    /// What it returned, unless it panicked.
    pub(crate) result: Result<T, Panicked>,
    /// What it cost.
    pub(crate) cost: RequestCost,
    /// From submission to its slot.
    pub(crate) waiting: Duration,
    /// From its slot to its end.
    pub(crate) service: Duration,
}

/// How full the queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occupancy {
    /// Slots there are.
    pub(crate) slots: usize,
    /// Slots in use.
    pub(crate) running: usize,
    /// Requests that wait for a slot.
    pub(crate) waiting: usize,
}

/// The queue takes no more: a 503.
#[derive(Debug, thiserror::Error)]
#[error("the run queue is full: `{waiting_max}` requests wait")]
pub(crate) struct QueueFull {
    waiting_max: usize,
}

/// An operation panicked: our fault, a 500. Holds the panic's message.
#[derive(Debug, thiserror::Error)]
#[error("the operation panicked: {0}")]
pub(crate) struct Panicked(String);

/// Runs a request and says how to hand over what became of it.
type Run = Box<dyn FnOnce() -> Done + Send>;
type Done = Box<dyn FnOnce() + Send>;

struct Shared {
    room: Mutex<Room>,
    /// Told of each arrival, and of the end.
    arrived: Condvar,
    slots: usize,
    waiting_max: usize,
    order: &'static dyn Order,
}

#[derive(Default)]
struct Room {
    /// In order of arrival.
    waiting: Vec<(Ticket, Run)>,
    running: usize,
    next_number: u64,
    closed: bool,
}

/// The order called `name`.
pub(crate) fn order(name: &str) -> Option<&'static dyn Order> {
    ALL.iter().copied().find(|order| order.name() == name)
}

/// The names of all orders, for messages.
pub(crate) fn order_names() -> String {
    ALL.iter().map(|order| order.name()).collect::<Vec<_>>().join("`, `")
}

// === impl RunQueue ===

impl RunQueue {
    /// A queue of `slots` threads. Fails where a thread cannot be started.
    pub(crate) fn start(
        slots: usize,
        waiting_max: usize,
        order: &'static dyn Order,
    ) -> std::io::Result<RunQueue> {
        debug_assert!(0 < slots, "a queue has a slot");

        let (room, arrived) = (Mutex::new(Room::default()), Condvar::new());
        let shared = Arc::new(Shared { room, arrived, slots, waiting_max, order });
        let queue = RunQueue { shared };
        for slot in 0..slots {
            let shared = Arc::clone(&queue.shared);
            thread::Builder::new().name(format!("run-{slot}")).spawn(move || shared.serve())?;
        }
        Ok(queue)
    }

    /// Queues `run`. Once it has run, its thread calls `done`, unless its [`Place`] was dropped
    /// while it still waited.
    pub(crate) fn submit<T, R, D>(&self, run: R, done: D) -> Result<Place, QueueFull>
    where
        T: Send + 'static,
        R: FnOnce() -> T + Send + 'static,
        D: FnOnce(Ran<T>) + Send + 'static,
    {
        let interrupt = Interrupt::new();
        let obeyed = interrupt.clone();
        let submitted = Instant::now();
        let run: Run = Box::new(move || {
            let ran = measure(submitted, &obeyed, run);
            Box::new(move || done(ran))
        });
        let number = self.shared.enter(run)?;
        Ok(Place { shared: Arc::clone(&self.shared), number, interrupt })
    }

    /// Whether [`RunQueue::submit`] would fail now.
    pub(crate) fn check_room(&self) -> Result<(), QueueFull> {
        self.shared.check_room(&self.shared.lock())
    }

    /// How full it is.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let room = self.shared.lock();
        Occupancy { slots: self.shared.slots, running: room.running, waiting: room.waiting.len() }
    }
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        let forgotten = {
            let mut room = self.shared.lock();
            room.closed = true;
            std::mem::take(&mut room.waiting)
        };
        self.shared.arrived.notify_all();
        drop(forgotten);
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.interrupt.abandon();
        drop(self.shared.forget(self.number));
    }
}

// === impl Occupancy ===

impl Occupancy {
    /// Requests here, running or waiting.
    pub(crate) fn in_flight(self) -> usize {
        self.running + self.waiting
    }

    /// Requests here over slots: above 1 where some wait.
    pub(crate) fn utilization(self) -> f64 {
        self.in_flight() as f64 / self.slots as f64
    }
}

// === impl Shared ===

impl Shared {
    /// The life of a slot's thread.
    fn serve(&self) {
        while let Some(run) = self.take() {
            let done = run();
            self.lock().running -= 1;
            done();
        }
    }

    /// Waits for a request and puts it into this thread's slot; `None` at the end.
    fn take(&self) -> Option<Run> {
        let mut room = self.lock();
        loop {
            if room.closed {
                return None;
            }
            if let Some(run) = room.take_first(self.order) {
                room.running += 1;
                return Some(run);
            }
            room = self.arrived.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn enter(&self, run: Run) -> Result<u64, QueueFull> {
        let number = {
            let mut room = self.lock();
            self.check_room(&room)?;
            let number = room.next_number;
            room.next_number += 1;
            room.waiting.push((Ticket { number }, run));
            number
        };
        self.arrived.notify_one();
        Ok(number)
    }

    /// Takes a waiting request out; `None` where it does not wait any more.
    fn forget(&self, number: u64) -> Option<(Ticket, Run)> {
        let mut room = self.lock();
        let place = room.waiting.iter().position(|(ticket, _)| ticket.number == number)?;
        Some(room.waiting.remove(place))
    }

    /// What has a free slot ahead of it does not count as waiting.
    fn check_room(&self, room: &Room) -> Result<(), QueueFull> {
        if room.running + room.waiting.len() < self.slots.saturating_add(self.waiting_max) {
            Ok(())
        } else {
            Err(QueueFull { waiting_max: self.waiting_max })
        }
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("slots", &self.slots)
            .field("waiting_max", &self.waiting_max)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

// === impl Room ===

impl Room {
    fn take_first(&mut self, order: &dyn Order) -> Option<Run> {
        let numbered = self.waiting.iter().enumerate();
        let (first, _) =
            numbered.min_by(|(_, (one, _)), (_, (other, _))| order.compare(one, other))?;
        Some(self.waiting.remove(first).1)
    }
}

/// Runs `run` on this thread, under a meter, and survives its panic.
fn measure<T>(submitted: Instant, interrupt: &Interrupt, run: impl FnOnce() -> T) -> Ran<T> {
    let started = Instant::now();
    let meter = Meter::start();
    let result = catch_unwind(AssertUnwindSafe(|| interruptible(interrupt, run)));
    let cost = meter.stop();
    Ran {
        result: result.map_err(|payload| Panicked(message_of(payload.as_ref()))),
        cost,
        waiting: started.duration_since(submitted),
        service: started.elapsed(),
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(message) = payload.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message.clone()
    } else {
        "no message".to_owned()
    }
}

#[cfg(test)]
mod tests;
