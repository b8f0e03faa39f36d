//! CPU time of threads and processes: what has run, whatever else the machine does.

use std::time::Duration;

/// The CPU clock of one thread, which any thread of the process may read while that one lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadClock(libc::clockid_t);

/// The CPU clock of one process: what all of its threads have run, those included that have ended.
/// Any process may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessClock(libc::clockid_t);

/// CPU time that this thread has used; `None` where the system has no such clock.
pub(crate) fn of_this_thread() -> Option<Duration> {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "CPU clocks have no safe binding")]
    // SAFETY: `time` is a valid place for the result, and nobody else uses it.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let (secs, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    (failed == 0).then(|| Duration::new(secs, nanos))
}

// === impl ThreadClock ===

impl ThreadClock {
    /// The clock of the calling thread; `None` where the system lets no other thread read it.
    #[cfg(target_os = "linux")]
    pub fn of_this_thread() -> Option<ThreadClock> {
        let mut clock = 0;
        #[expect(unsafe_code, reason = "the thread's clock has no safe binding")]
        // SAFETY: a thread may ask about itself, and `clock` is a valid place for the result.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        (failed == 0).then_some(ThreadClock(clock))
    }

    /// The clock of the calling thread; `None` where the system lets no other thread read it.
    #[cfg(not(target_os = "linux"))]
    pub fn of_this_thread() -> Option<ThreadClock> {
        None
    }

    /// CPU time that the thread has used, to the nanosecond; `None` a moment after it has ended.
    /// Costs a system call: about half a microsecond.
    pub fn cpu_time(self) -> Option<Duration> {
        read(self.0)
    }
}

// === impl ProcessClock ===

impl ProcessClock {
    /// The clock of the process `pid`; `None` where there is none such.
    #[cfg(target_os = "linux")]
    pub fn of(pid: i32) -> Option<ProcessClock> {
        let mut clock = 0;
        #[expect(unsafe_code, reason = "a process's clock has no safe binding")]
        // SAFETY: `clock` is a valid place for the result, and nobody else uses it.
        let failed = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
        (failed == 0).then_some(ProcessClock(clock))
    }

    /// The clock of the process `pid`; `None` where there is none such.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_: i32) -> Option<ProcessClock> {
        None
    }

    /// CPU time that the process has used, to the nanosecond; `None` once it is gone. That of
    /// processes that it has started is not in it. Costs a system call.
    pub fn cpu_time(self) -> Option<Duration> {
        read(self.0)
    }
}

#[cfg(test)]
mod tests;
