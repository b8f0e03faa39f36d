//! The guard of a process: nothing that it starts outlives the worker.
//!
//! The worker starts a guard for each process, and holds the other end of its standard input. The
//! guard starts the command in a process group of its own, and adopts what that forks and leaves
//! behind. When its input ends, because the worker ends it or is gone, even by SIGKILL, or when the
//! command ends, it kills all of that, and ends as the command did.
//!
//! Signals other than SIGKILL do not end it: those that are meant for a whole group of processes
//! reach it before the worker has drained.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getpriority_process, getrlimit,
    kill_process, kill_process_group, setpriority_process, setrlimit, wait,
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{SignalKind, signal};

use super::tree::descendants;

/// What the worker tells a guard, in one line of JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Orders {
    /// As `sh -c` has it.
    pub(super) command: String,
    /// What is added to the environment.
    pub(super) environment: BTreeMap<String, String>,
    /// How much nicer than the worker it is.
    pub(super) nicer: i32,
    /// Files that it may have open.
    pub(super) files_max: Option<u64>,
    /// The control group that the command is put into.
    pub(super) group: Option<Group>,
}

/// A control group that a process is in. The guard removes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) folder: PathBuf,
}

/// A longer line is not from a worker.
const ORDERS_BYTES_MAX: usize = 1 << 20;

/// What a guard answers where it cannot start the command, as shells do.
const CANNOT_START: u8 = 127;

/// Added to the number of the signal that has ended the command, as shells do.
const BY_SIGNAL: i32 = 128;

/// Puts `sh` into a control group before it becomes what was asked for.
const INTO_GROUP: &str = "echo 0 > \"$1\" || exit 127; exec sh -c \"$2\"";

/// Guards one command, which is read from standard input. A program that runs a worker with
/// [`RunConfig`](crate::RunConfig) is started again to call this.
///
/// Returns the exit status that the program is to end with: the command's, 128 and the number of
/// the signal that has ended it, or 127 where it could not be started.
pub fn guard() -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(keep())) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("guard: {error}");
            CANNOT_START
        }
    }
}

/// Reads the orders, carries them out, and returns how the command has ended.
async fn keep() -> io::Result<u8> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let mut ended = signal(SignalKind::child())?;
    let ignored = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ];
    // A handler that nobody listens to.
    let _ignored = ignored.map(signal);
    let mut input = input()?;
    let Some(orders) = read(&mut input).await? else { return Ok(CANNOT_START) };
    let mut child = start(&orders)?;
    let main = Pid::from_child(&child);
    // It is waited for with all others.
    drop(child.stdin.take());
    let mut status = None;
    while status.is_none() {
        tokio::select! {
            _ = ended.recv() => status = reap(main),
            () = end_of(&mut input) => break,
        }
    }
    end(main, orders.group.as_ref(), &mut status);
    Ok(status.map_or(CANNOT_START, code_of))
}

/// Standard input, which is a pipe from the worker.
fn input() -> io::Result<Receiver> {
    let input: OwnedFd = rustix::io::dup(io::stdin())?;
    Receiver::from_owned_fd(input)
}

/// The first line; `None` where the input ends before.
async fn read(input: &mut Receiver) -> io::Result<Option<Orders>> {
    let mut line = Vec::new();
    loop {
        match input.read_u8().await {
            Ok(b'\n') => break,
            Ok(byte) if line.len() < ORDERS_BYTES_MAX => line.push(byte),
            Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

async fn end_of(input: &mut Receiver) {
    let mut buffer = [0; 64];
    // An error ends the input as well.
    while let Ok(1..) = input.read(&mut buffer).await {}
}

fn start(orders: &Orders) -> io::Result<std::process::Child> {
    if orders.nicer != 0 {
        let niceness = getpriority_process(None).unwrap_or(0) + orders.nicer;
        // Any process may become nicer.
        let _ = setpriority_process(None, niceness);
    }
    if let Some(files_max) = orders.files_max {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let files_max = maximum.map_or(files_max, |maximum| files_max.min(maximum));
        setrlimit(Resource::Nofile, Rlimit { current: Some(files_max), maximum })?;
    }
    let mut command = Command::new("sh");
    match &orders.group {
        Some(group) => command
            .args(["-c", INTO_GROUP, "sh"])
            .arg(group.folder.join("cgroup.procs"))
            .arg(&orders.command),
        None => command.args(["-c", &orders.command]),
    };
    command.envs(&orders.environment).stdin(Stdio::null()).process_group(0).spawn()
}

/// Waits for all that have ended; how `main` did, if it was among them.
fn reap(main: Pid) -> Option<WaitStatus> {
    let mut status = None;
    while let Ok(Some((pid, how))) = wait(WaitOptions::NOHANG) {
        if pid == main {
            status = Some(how);
        }
    }
    status
}

/// Kills everything that was started, until nothing is left.
fn end(main: Pid, group: Option<&Group>, status: &mut Option<WaitStatus>) {
    loop {
        if let Some(group) = group {
            // Only in version 2 of control groups.
            let _ = fs::write(group.folder.join("cgroup.kill"), "1");
        }
        // They fail where there is nothing left.
        if status.is_none() {
            let _ = kill_process_group(main, Signal::KILL);
        }
        for pid in descendants(getpid()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, how))) if pid == main => *status = Some(how),
            Ok(_) | Err(Errno::INTR) => {}
            // There is no child any more.
            Err(_) => break,
        }
    }
    if let Some(group) = group {
        // What was killed leaves its group a moment later.
        let _ = (0..100).any(|_| {
            let is_gone = !group.folder.exists() || fs::remove_dir(&group.folder).is_ok();
            if !is_gone {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            is_gone
        });
    }
}

fn code_of(status: WaitStatus) -> u8 {
    let by_signal = status.terminating_signal().map(|signal| BY_SIGNAL + signal);
    let code = status.exit_status().or(by_signal);
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(CANNOT_START)
}

/// What a guard's exit code says of its command.
pub(super) fn told_of(status: std::process::ExitStatus) -> String {
    match status.code() {
        Some(code) if BY_SIGNAL < code && signal_name(code - BY_SIGNAL).is_some() => {
            let signal = code - BY_SIGNAL;
            format!("ended by signal {signal} ({})", signal_name(signal).unwrap_or_default())
        }
        Some(code) => format!("ended with exit status {code}"),
        None => format!("lost its guard ({status})"),
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    names.into_iter().find(|(known, _)| known.as_raw() == signal).map(|(_, name)| name)
}
