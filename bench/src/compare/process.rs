//! Processes of ours and of others: started on a core, measured, ended.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A process with its descendants, in a process group of its own. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Pid,
    /// It was killed: nothing is left to be ended.
    is_over: bool,
}

/// Why a process cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It does not start.
    #[error("cannot start `{0}`")]
    Start(String, #[source] io::Error),
    /// It ended, or takes no connections in time.
    #[error("`{name}` did not come up at `{address}`; it said: {said}")]
    NotUp {
        /// Which.
        name: String,
        /// Where it should listen.
        address: SocketAddr,
        /// The end of what it wrote.
        said: String,
    },
}

/// It takes connections, or has ended, within this.
const UP_MAX: Duration = Duration::from_secs(30);
const DOWN_MAX: Duration = Duration::from_secs(5);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// So many bytes of what a process wrote are shown.
const SAID_BYTES_MAX: usize = 400;

impl Process {
    /// Starts `command`, on `core` only where one is given; it stays there, and so do its
    /// descendants.
    pub(crate) fn start(
        mut command: Command,
        core: Option<usize>,
    ) -> Result<Process, ProcessError> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut start = || {
            let child = command.process_group(0).spawn()?;
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            Ok((child, group.ok_or(io::ErrorKind::InvalidData)?))
        };
        let started = match core {
            Some(core) => on_core(core, start),
            None => start(),
        };
        match started {
            Ok((child, group)) => Ok(Process { name, child, group, is_over: false }),
            Err(error) => Err(ProcessError::Start(name, error)),
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, and it alone: its descendants are left to themselves.
    pub(crate) fn kill(mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.is_over = true;
    }

    /// Kills it at once, with its descendants of the same group.
    pub(crate) fn kill_all(mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
        self.is_over = true;
    }

    /// Its standard output, where that is piped and was not taken before.
    pub(crate) fn take_output(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until it takes connections at `address`; `log` has what it says.
    pub(crate) fn wait_up(&mut self, address: SocketAddr, log: &Path) -> Result<(), ProcessError> {
        let deadline = Instant::now() + UP_MAX;
        while Instant::now() < deadline {
            if TcpStream::connect_timeout(&address, UP_MAX).is_ok() {
                return Ok(());
            }
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(LOOK);
        }
        let name = self.name.clone();
        Err(ProcessError::NotUp { name, address, said: end_of(log) })
    }

    /// CPU seconds, user and system, of all processes of the group by now; those of processes that
    /// have ended count where their parent in the group has waited for them.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let ticks: u64 = stats().filter_map(|stat| ticks_in(&stat, self.group)).sum();
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // It may have ended already, here and below.
        let _ = kill_process(self.group, Signal::INT);
        let deadline = Instant::now() + DOWN_MAX;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(LOOK);
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// An address on this machine where nobody listens now.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Sends what `command` writes into a file at `log`, and gives it nothing to read.
pub(crate) fn write_to(command: &mut Command, log: &Path) -> io::Result<()> {
    let file = File::create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    Ok(())
}

/// The cores that this thread may run on.
pub(crate) fn cores() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
}

/// Calls `start` while this thread is on `core` only: what it starts stays there.
pub(crate) fn on_core<T>(core: usize, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    stay_on(core)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    started
}

/// Keeps this thread on `core`.
pub(crate) fn stay_on(core: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

/// `/proc/PID/stat` of every process.
fn stats() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes =
        entries.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
}

/// CPU time in a `/proc/PID/stat`, the waited-for children's included, if the process is in
/// `group`.
fn ticks_in(stat: &str, group: Pid) -> Option<u64> {
    // `PID (NAME) STATE PPID PGRP ...`, where the name may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let is_ours = number(2) == u64::try_from(group.as_raw_nonzero().get()).ok();
    if !is_ours {
        return None;
    }
    Some(number(11)? + number(12)? + number(13)? + number(14)?)
}

/// The end of the file `log`.
fn end_of(log: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(log).and_then(|mut file| file.read_to_end(&mut bytes));
    let start = bytes.len().saturating_sub(SAID_BYTES_MAX);
    match read {
        Ok(0) => "nothing".to_owned(),
        Ok(_) => String::from_utf8_lossy(&bytes[start..]).trim().to_owned(),
        Err(error) => error.to_string(),
    }
}
