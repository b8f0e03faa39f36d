//! Places where a running request may be told to stop, or to let another one run first.
//!
//! An operation calls [`checkpoint`] at block boundaries (rows, tiles) and unwinds by `?`. The one
//! who waits for the request holds an [`Interrupt`] and says so when nobody wants the result. The
//! one who orders requests asks it to park: the checkpoint then does not return before the request
//! may go on, and what happens meanwhile costs the request nothing but the CPU time of the switch.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::meter::Pause;

/// What a running request is told; shared by it and by those who wait for it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    orders: Arc<Orders>,
}

/// The client is gone: nobody wants the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
pub struct Abandoned;

/// A word of flags, and where to park. Zero is "run on", so that a checkpoint is one load and one
/// comparison whatever else a request may be told.
#[derive(Default)]
struct Orders {
    given: AtomicU32,
    park: Option<Park>,
}

/// Blocks the thread until its request may go on.
type Park = Box<dyn Fn() + Send + Sync>;

/// Puts the orders of the enclosing `interruptible` back, also when the request panics.
struct Restore(*const Orders);

/// The order to stop.
const ABANDON: u32 = 1;
/// The order to park. Further orders take the next bits.
const PARK: u32 = 2;

/// What a thread obeys that runs no request.
static NO_ORDERS: Orders = Orders { given: AtomicU32::new(0), park: None };

thread_local! {
    static OBEYED: Cell<*const Orders> = const { Cell::new(ptr::addr_of!(NO_ORDERS)) };
}

/// Returns [`Abandoned`] where the request that runs on this thread has been abandoned, and only
/// once it may go on where it was asked to park.
///
/// Costs a thread-local load and a relaxed atomic load while nobody waits. A thread outside of
/// [`interruptible`] is never interrupted. To be called without a lock held: who parks may stay
/// away for long.
//
// Not `#[inline]`: that would put the branch to `obey` into the caller's code, where it is counted,
// and a request that was parked would cost more than the same one that was not. The linker inlines
// it, after everything has been counted.
pub fn checkpoint() -> Result<(), Abandoned> {
    let orders = OBEYED.get();
    #[expect(unsafe_code, reason = "the orders are borrowed for as long as the thread obeys them")]
    // SAFETY: `OBEYED` holds either the static `NO_ORDERS` or the orders that an `interruptible`
    // further up this thread's stack borrows; its `Restore` takes the pointer away before the
    // borrow ends.
    let orders = unsafe { &*orders };
    match orders.given.load(Ordering::Relaxed) {
        0 => Ok(()),
        _ => obey(orders),
    }
}

/// Runs `run`, whose checkpoints on this thread obey `interrupt` meanwhile. The innermost one wins.
pub fn interruptible<R>(interrupt: &Interrupt, run: impl FnOnce() -> R) -> R {
    let _restore = Restore(OBEYED.replace(ptr::from_ref(interrupt.orders.as_ref())));
    run()
}

#[cold]
#[inline(never)]
fn obey(orders: &Orders) -> Result<(), Abandoned> {
    // Who is abandoned does not park, and who is abandoned while parked does not go on.
    let parks = orders.given.fetch_and(!PARK, Ordering::Relaxed) == PARK;
    if let (true, Some(park)) = (parks, &orders.park) {
        let _not_the_requests = Pause::start();
        park();
    }
    if orders.given.load(Ordering::Relaxed) & ABANDON == 0 { Ok(()) } else { Err(Abandoned) }
}

// === impl Interrupt ===

impl Interrupt {
    /// An interrupt that tells nothing yet.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// An interrupt whose request calls `park` on its thread, at the first checkpoint after each
    /// [`Interrupt::ask_to_park`]. It is to return once the request may go on, or is abandoned.
    pub fn with_parking(park: impl Fn() + Send + Sync + 'static) -> Interrupt {
        let orders = Orders { given: AtomicU32::new(0), park: Some(Box::new(park)) };
        Interrupt { orders: Arc::new(orders) }
    }

    /// Tells the request to stop at its next checkpoint. Cannot be taken back.
    pub fn abandon(&self) {
        self.orders.given.fetch_or(ABANDON, Ordering::Relaxed);
    }

    /// Whether the request was told to stop.
    pub fn is_abandoned(&self) -> bool {
        self.orders.given.load(Ordering::Relaxed) & ABANDON != 0
    }

    /// Tells the request to park at its next checkpoint, where it was made with a place to park.
    pub fn ask_to_park(&self) {
        self.orders.given.fetch_or(PARK, Ordering::Relaxed);
    }

    /// Takes the last [`Interrupt::ask_to_park`] back. May come too late.
    pub fn withdraw(&self) {
        self.orders.given.fetch_and(!PARK, Ordering::Relaxed);
    }
}

// === impl Orders ===

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parks = self.park.is_some();
        f.debug_struct("Orders").field("given", &self.given).field("parks", &parks).finish()
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
