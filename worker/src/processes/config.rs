//! What is said of the processes, and what is wrong with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use crate::defaults;

/// Stands for a socket in a command.
const SOCKET: &str = "{socket}";

/// Which server to run, and how.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// Starts the server, as `sh -c` has it. `{address}` in it becomes `127.0.0.1:PORT`, and
    /// `{port}` the port, which the environment has as `PORT` too. With `{socket}` in it the server
    /// listens at a Unix socket instead, which only this user can open.
    pub command: String,
    /// How often it runs, at least 1: the most requests that are started and have not ended.
    pub processes: usize,
    /// Requests that one process has at once, at least 1. More than one only for one process.
    pub concurrency: usize,
    /// The path that a process answers with 200 to 499 once it is ready. Without it, any answer to
    /// `OPTIONS *` will do, which asks a server for nothing (RFC 9110, section 9.3.7).
    pub ready: Option<String>,
    /// How long a process may take until it is ready.
    pub start_timeout: Duration,
    /// How processes are parked.
    pub park: ParkChoice,
    /// What becomes of a process whose client is gone.
    pub on_hang_up: OnHangUp,
    /// Resident bytes of one process, with what it has forked. One that has more is replaced.
    pub memory_bytes_max: Option<u64>,
    /// Files that a process may have open; as the worker's own where this is `None`.
    pub files_max: Option<u64>,
    /// Starts a guard, see [`guard`](crate::guard).
    pub guard: GuardProgram,
}

/// How to start a program that calls [`guard`](crate::guard).
#[derive(Debug, Clone)]
pub struct GuardProgram {
    /// The program.
    pub program: PathBuf,
    /// What it is told.
    pub arguments: Vec<String>,
}

/// How processes are parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParkChoice {
    /// The first of [`park_ways`](crate::park_ways) that the system allows.
    #[default]
    Auto,
    /// This one.
    Only(&'static str),
}

/// What becomes of a process whose request has lost its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnHangUp {
    /// It goes on after all others until it is free, or is replaced when that takes too long.
    #[default]
    Finish,
    /// It is replaced at once.
    Replace,
    /// Its process group gets this signal, so that it may give up; and then as with
    /// [`OnHangUp::Finish`].
    Tell(HangUpSignal),
}

/// A signal that tells a server that its client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HangUpSignal {
    /// As kill(1) has it: `SIGUSR1`.
    pub name: &'static str,
    pub(super) signal: Signal,
}

/// Every signal that may be asked for.
pub const HANG_UP_SIGNALS: &[HangUpSignal] = &[
    HangUpSignal { name: "SIGINT", signal: Signal::INT },
    HangUpSignal { name: "SIGALRM", signal: Signal::ALARM },
    HangUpSignal { name: "SIGUSR1", signal: Signal::USR1 },
    HangUpSignal { name: "SIGUSR2", signal: Signal::USR2 },
];

/// Something that is wrong with a [`RunConfig`]. The configuration's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunMistake {
    /// No process would know where to listen.
    #[error(
        "the command `{0}` does not say where to listen: expected `{{address}}`, `{{port}}` or \
         `{{socket}}` in it, or `$PORT`"
    )]
    NoAddress(String),
    /// There is nothing to run.
    #[error("there are `0` processes: expected at least 1")]
    NoProcesses,
    /// There is no room for a request.
    #[error("the concurrency is `0`: expected at least 1")]
    NoConcurrency,
    /// Processes are parked as a whole.
    #[error(
        "the concurrency is `{concurrency}` with `{processes}` processes: expected one process, \
         because a process that has several requests cannot be parked for one of them"
    )]
    Concurrency {
        /// Requests of one process.
        concurrency: usize,
        /// Processes.
        processes: usize,
    },
    /// Not all cores could be used.
    #[error(
        "`{cores}` cores with `{processes}` processes of one request each: expected at least as \
         many processes as cores"
    )]
    FewerThanCores {
        /// Requests that run at once.
        cores: usize,
        /// Processes.
        processes: usize,
    },
    /// It cannot be asked for.
    #[error("the path of readiness is `{0}`: expected one that begins with `/`")]
    ReadyPath(String),
    /// Nothing starts in no time.
    #[error("the start timeout is `{0:?}`: expected more than nothing")]
    StartTimeout(Duration),
    /// The system gives no folder.
    #[error("there is no folder for sockets: {0}")]
    NoSockets(String),
    /// The system does not allow it.
    #[error("processes cannot be parked by `{way}` here: {why}")]
    CannotPark {
        /// The way that was asked for.
        way: &'static str,
        /// Why not.
        why: String,
    },
}

/// All that is wrong with a [`RunConfig`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMistakes(pub Vec<RunMistake>);

// === impl RunConfig ===

impl RunConfig {
    /// Runs `command` as the [`defaults`] have it for a worker of `cores`, under `guard`.
    pub fn new(command: String, cores: usize, guard: GuardProgram) -> RunConfig {
        RunConfig {
            command,
            processes: defaults::processes(cores),
            concurrency: 1,
            ready: None,
            start_timeout: defaults::START_TIMEOUT,
            park: ParkChoice::Auto,
            on_hang_up: OnHangUp::Finish,
            memory_bytes_max: None,
            files_max: None,
            guard,
        }
    }

    /// Everything that is wrong with it, for a worker of `cores`, but for the way of parking.
    pub(super) fn mistakes(&self, cores: usize) -> Vec<RunMistake> {
        let RunConfig { processes, concurrency, .. } = *self;
        let mut mistakes = Vec::new();
        let mut check = |is_right: bool, mistake: RunMistake| {
            if !is_right {
                mistakes.push(mistake);
            }
        };
        let says_where = ["{address}", "{port}", "$PORT", "${PORT", SOCKET];
        let says_where = says_where.iter().any(|it| self.command.contains(it));
        check(says_where, RunMistake::NoAddress(self.command.clone()));
        check(0 < processes, RunMistake::NoProcesses);
        check(0 < concurrency, RunMistake::NoConcurrency);
        check(
            concurrency <= 1 || processes <= 1,
            RunMistake::Concurrency { concurrency, processes },
        );
        check(
            1 < concurrency || processes == 0 || cores <= processes,
            RunMistake::FewerThanCores { cores, processes },
        );
        let ready = self.ready.clone().unwrap_or_else(|| "/".to_owned());
        let is_path = ready.starts_with('/') && !ready.contains(char::is_whitespace);
        check(is_path, RunMistake::ReadyPath(ready));
        check(!self.start_timeout.is_zero(), RunMistake::StartTimeout(self.start_timeout));
        mistakes
    }

    /// Whether the server listens at a Unix socket.
    pub(super) fn has_socket(&self) -> bool {
        self.command.contains(SOCKET)
    }

    /// Whether requests can be parked.
    pub(super) fn parks(&self) -> bool {
        self.concurrency == 1
    }
}

// === impl RunMistakes ===

impl fmt::Display for RunMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunMistakes(mistakes) = self;
        write!(f, "what is to run has {} mistake(s)", mistakes.len())?;
        mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for RunMistakes {}
