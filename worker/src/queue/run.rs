//! One request on its thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use weighbridge_instrument::{Interrupt, Meter, RequestCost, interruptible};

/// What became of a request that ran.
#[derive(Debug)]
pub(crate) struct Ran<T> {
    /// What it returned, unless it panicked.
    pub(crate) result: Result<T, Panicked>,
    /// What it cost.
    pub(crate) cost: RequestCost,
    pub(crate) times: Times,
}

/// Where a request's time went, from its submission to its end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    /// In no slot: before its start, and parked.
    pub(crate) waiting: Duration,
    /// In a slot.
    pub(crate) service: Duration,
    /// How often it has parked for another one.
    pub(crate) preemptions: u64,
}

/// The operation panicked: our fault, a 500. Holds the panic's message.
#[derive(Debug, thiserror::Error)]
#[error("the operation panicked: {0}")]
pub(crate) struct Panicked(String);

/// Runs a request and says how to hand over what became of it.
pub(super) type Run = Box<dyn FnOnce(&Interrupt) -> Done + Send>;
pub(super) type Done = Box<dyn FnOnce(Times) + Send>;

/// Runs `run` under a meter, survives its panic, and gives what became of it to `done`.
pub(super) fn run_of<T, R, D>(run: R, done: D) -> Run
where
    T: Send + 'static,
    R: FnOnce() -> T + Send + 'static,
    D: FnOnce(Ran<T>) + Send + 'static,
{
    Box::new(move |interrupt| {
        let meter = Meter::start();
        let result = catch_unwind(AssertUnwindSafe(|| interruptible(interrupt, run)));
        let cost = meter.stop();
        let result = result.map_err(|payload| Panicked(message_of(payload.as_ref())));
        Box::new(move |times| done(Ran { result, cost, times }))
    })
}

/// Calls `done`, whose panic shall not cost its thread.
pub(super) fn hand_over(done: Done, times: Times) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| done(times))) {
        let panicked = Panicked(message_of(payload.as_ref()));
        tracing::error!(%panicked, "an answer was lost");
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
