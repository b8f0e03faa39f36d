//! Places where a running request may be told to stop.
//!
//! An operation calls [`checkpoint`] at block boundaries (rows, tiles) and unwinds by `?`. The one
//! who waits for the request holds an [`Interrupt`] and says so when nobody wants the result.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a running request is told; shared by it and by those who wait for it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    orders: Arc<Orders>,
}

/// The client is gone: nobody wants the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
pub struct Abandoned;

/// A word of flags. Zero is "run on", so that a checkpoint is one load and one comparison whatever
/// else a request may be told.
#[derive(Debug, Default)]
struct Orders(AtomicU32);

/// Puts the orders of the enclosing `interruptible` back, also when the request panics.
struct Restore(*const Orders);

/// The order to stop. Further orders take the next bits.
const ABANDON: u32 = 1;

/// What a thread obeys that runs no request.
static NO_ORDERS: Orders = Orders(AtomicU32::new(0));

thread_local! {
    static OBEYED: Cell<*const Orders> = const { Cell::new(ptr::addr_of!(NO_ORDERS)) };
}

/// Returns [`Abandoned`] where the request that runs on this thread has been abandoned.
///
/// Costs a thread-local load and a relaxed atomic load while nobody waits. A thread outside of
/// [`interruptible`] is never interrupted.
#[inline]
pub fn checkpoint() -> Result<(), Abandoned> {
    let orders = OBEYED.get();
    #[expect(unsafe_code, reason = "the orders are borrowed for as long as the thread obeys them")]
    // SAFETY: `OBEYED` holds either the static `NO_ORDERS` or the orders that an `interruptible`
    // further up this thread's stack borrows; its `Restore` takes the pointer away before the
    // borrow ends.
    let orders = unsafe { &*orders };
    match orders.0.load(Ordering::Relaxed) {
        0 => Ok(()),
        given => obey(given),
    }
}

/// Runs `run`, whose checkpoints on this thread obey `interrupt` meanwhile. The innermost one wins.
pub fn interruptible<R>(interrupt: &Interrupt, run: impl FnOnce() -> R) -> R {
    let _restore = Restore(OBEYED.replace(ptr::from_ref(interrupt.orders.as_ref())));
    run()
}

#[cold]
fn obey(given: u32) -> Result<(), Abandoned> {
    if given & ABANDON == 0 { Ok(()) } else { Err(Abandoned) }
}

// === impl Interrupt ===

impl Interrupt {
    /// An interrupt that tells nothing yet.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// Tells the request to stop at its next checkpoint. Cannot be taken back.
    pub fn abandon(&self) {
        self.orders.0.fetch_or(ABANDON, Ordering::Relaxed);
    }

    /// Whether the request was told to stop.
    pub fn is_abandoned(&self) -> bool {
        self.orders.0.load(Ordering::Relaxed) & ABANDON != 0
    }
}

// === impl Restore ===

impl Drop for Restore {
    fn drop(&mut self) {
        OBEYED.set(self.0);
    }
}

#[cfg(test)]
mod tests;
