//! A request in the queue, until it ends, and the thread that runs it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Condvar;
use rustix::process::Pid;
use rustix::thread::gettid;
use weighbridge_instrument::{Interrupt, ThreadClock};

use super::nice::Lowered;
use super::run::Run;
use crate::attempt::Attempt;

/// See the module.
pub(super) struct Queued {
    /// Until its thread takes it.
    pub(super) run: Option<Run>,
    /// Which attempt of a job it is, where it is one.
    pub(super) attempt: Option<Attempt>,
    pub(super) interrupt: Interrupt,
    pub(super) submitted: Duration,
    pub(super) lowered: Arc<Lowered>,
    /// Where it runs, from its start.
    pub(super) seat: Option<Arc<Seat>>,
    /// The thread that runs it, from when it took it.
    pub(super) runner: Option<Runner>,
}

/// Where a thread waits: for a request, or for its own to go on.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) name: usize,
    pub(super) wake: Condvar,
}

/// The thread of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner {
    pub(super) thread: Pid,
    clock: Option<ThreadClock>,
    /// What the clock showed when it took the request.
    cpu_before: Duration,
}

impl Queued {
    /// A request that waits.
    pub(super) fn new(
        (run, attempt): (Run, Option<Attempt>),
        interrupt: Interrupt,
        submitted: Duration,
        lowered: Arc<Lowered>,
    ) -> Queued {
        Queued { run: Some(run), attempt, interrupt, submitted, lowered, seat: None, runner: None }
    }
}

impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued")
            .field("interrupt", &self.interrupt)
            .field("seat", &self.seat)
            .field("runner", &self.runner)
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// The calling thread, which begins a request.
    pub(super) fn new(clock: Option<ThreadClock>) -> Runner {
        let cpu_before = clock.and_then(ThreadClock::cpu_time).unwrap_or_default();
        Runner { thread: gettid(), clock, cpu_before }
    }

    /// CPU time since then; `None` where the system does not tell.
    pub(super) fn attained(self) -> Option<Duration> {
        Some(self.clock?.cpu_time()?.saturating_sub(self.cpu_before))
    }
}
