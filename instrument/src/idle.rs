//! The scheduling policy of threads: ordinary, or only where no other thread wants the core.

use std::io;

/// Lets the thread `id`, of any process, run only while no ordinary thread wants its core
/// (`SCHED_IDLE`), or as an ordinary one again (`SCHED_OTHER`). Its niceness stays. Threads that it
/// starts from then on are as it is.
///
/// Fails where the thread is gone, is another user's, or may not become ordinary again. That takes
/// a privilege (`CAP_SYS_NICE`), or an `RLIMIT_NICE` that allows its niceness.
#[cfg(target_os = "linux")]
pub fn set_idle(id: i32, idle: bool) -> io::Result<()> {
    let policy = if idle { libc::SCHED_IDLE } else { libc::SCHED_OTHER };
    let parameter = libc::sched_param { sched_priority: 0 };
    #[expect(unsafe_code, reason = "scheduling policies have no safe binding")]
    // SAFETY: the system reads `parameter`, which is valid for the call, and keeps nothing of it.
    let failed = unsafe { libc::sched_setscheduler(id, policy, &raw const parameter) };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Elsewhere there is no such policy.
#[cfg(not(target_os = "linux"))]
pub fn set_idle(_: i32, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests;
