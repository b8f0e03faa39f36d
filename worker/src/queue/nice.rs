//! Niceness of threads: the system lets a nice thread run only while no other wants its core.
//!
//! Any thread may become nicer. To become less nice again takes a privilege (`CAP_SYS_NICE`, or an
//! `RLIMIT_NICE`). Without the privilege no thread is made nicer, because it would stay so and slow
//! down every later request.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Pid;

/// The right to make threads nicer and to take that back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Niceness {
    /// What threads have by themselves.
    normal: i32,
}

/// The lowest priority. An ordinary thread that wants the same core leaves it 1.5 % of the time.
const LOWEST: i32 = 19;

/// Whether a request's thread was made nicer than normal.
///
/// Other threads set this, under the queue's mutex, after they have made the thread nicer. The
/// thread looks at it before it takes that mutex: nobody should wait for a mutex that a thread of
/// the lowest priority holds.
pub(super) type Lowered = AtomicBool;

/// Lets `thread` run only while no other wants its core, and says so in `lowered`.
pub(super) fn lower(niceness: Option<Niceness>, lowered: &Lowered, thread: Pid) {
    if niceness.is_some() {
        set(thread, LOWEST);
        lowered.store(true, Ordering::Relaxed);
    }
}

/// Takes [`lower`] back, if it was done.
pub(super) fn restore(niceness: Option<Niceness>, lowered: &Lowered, thread: Pid) {
    if lowered.swap(false, Ordering::Relaxed)
        && let Some(niceness) = niceness
    {
        set(thread, niceness.normal);
    }
}

fn set(thread: Pid, niceness: i32) {
    if let Err(error) = rustix::process::setpriority_process(Some(thread), niceness) {
        tracing::warn!(%error, niceness, "cannot set a thread's niceness");
    }
}

impl Niceness {
    /// Tries it on a thread of its own; `None` where it cannot be taken back.
    #[cfg(target_os = "linux")]
    pub(super) fn probe() -> Option<Niceness> {
        use rustix::process::{getpriority_process, setpriority_process};

        let scratch = std::thread::Builder::new().name("nice".to_owned()).spawn(|| {
            let normal = getpriority_process(None).ok()?;
            setpriority_process(None, LOWEST).ok()?;
            setpriority_process(None, normal).ok()?;
            (getpriority_process(None) == Ok(normal)).then_some(Niceness { normal })
        });
        scratch.ok()?.join().ok()?
    }

    /// Elsewhere a niceness is that of the process.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn probe() -> Option<Niceness> {
        None
    }
}

#[cfg(test)]
mod tests;
