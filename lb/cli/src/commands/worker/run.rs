//! The options of `weighbridge worker --run`, and the guard of each process that it starts.

use std::io;
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use weighbridge_worker::{
    GuardProgram, HANG_UP_SIGNALS, OnHangUp, ParkChoice, RunConfig, defaults, guard, park_ways,
};

use super::{Size, Span, size, time};

/// The hidden command that this program is started with for each process.
const GUARD: &str = "guard";

/// Guard one process: kill it, with all that it has forked, when standard input ends.
#[derive(Debug, clap::Args)]
pub(crate) struct Guard {}

/// Your own server, started several times, one request at a time each.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Your own server")]
pub(crate) struct RunArguments {
    /// The command that starts your HTTP server, as a shell takes it. {address} in it becomes
    /// 127.0.0.1:PORT, and {port} the port, which the environment has as PORT too. With {socket} it
    /// listens at a Unix socket, which only this user can open. Every path but /healthz, /readyz,
    /// /load and /metrics goes to it.
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
    /// How often it runs: so many requests can be started at once, most of them parked [default: 2
    /// for each core, and 2].
    #[arg(long, value_name = "N", requires = "run")]
    processes: Option<usize>,
    /// Requests that one process has at once. For a server of threads or an event loop, with
    /// --processes 1: nothing is parked then, but what waits is put in order.
    #[arg(long, value_name = "N", requires = "run", default_value_t = 1)]
    concurrency: usize,
    /// The path that answers 200 to 499 once a process is ready. Without it, any answer to
    /// OPTIONS * will do.
    #[arg(long, value_name = "PATH", requires = "run")]
    ready: Option<String>,
    /// How long a process may take until it is ready, and until it is free again when a client has
    /// hung up. After it, it is replaced.
    #[arg(long, value_name = "TIME", value_parser = time, requires = "run", default_value_t = Span(defaults::START_TIMEOUT))]
    start_timeout: Span,
    /// How processes are parked: auto takes the first that the system allows.
    #[arg(long, value_name = "HOW", value_parser = ways(), requires = "run", default_value = AUTO)]
    park: ParkChoice,
    /// What becomes of a process whose client hangs up: "finish" lets it go on after all others
    /// until it is free, "replace" ends it at once. A signal goes to its process group, so that it
    /// may give up; then as with "finish".
    #[arg(long, value_name = "WHAT", value_parser = hang_ups(), requires = "run", default_value = FINISH)]
    on_hang_up: OnHangUp,
    /// Memory of one process, such as 512MiB. One that has more is replaced [default: no limit].
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "run")]
    process_memory: Option<Size>,
    /// Files that one process may have open [default: as many as the worker].
    #[arg(long, value_name = "N", requires = "run")]
    process_files: Option<u64>,
}

const AUTO: &str = "auto";
const FINISH: &str = "finish";
const REPLACE: &str = "replace";

impl Guard {
    #[expect(clippy::unused_self, reason = "commands are run alike")]
    pub(crate) fn run(self) -> ExitCode {
        ExitCode::from(guard())
    }
}

impl RunArguments {
    /// What they ask for; `None` without a command.
    pub(super) fn config(self, cores: usize) -> io::Result<Option<RunConfig>> {
        let Some(command) = self.run else { return Ok(None) };
        let default = RunConfig::new(command, cores, guard_program()?);
        let processes = match self.processes {
            Some(processes) => processes,
            // A server of threads runs once.
            None if 1 < self.concurrency => 1,
            None => default.processes,
        };
        Ok(Some(RunConfig {
            processes,
            concurrency: self.concurrency,
            ready: self.ready,
            start_timeout: self.start_timeout.0,
            park: self.park,
            on_hang_up: self.on_hang_up,
            memory_bytes_max: self.process_memory.map(|size| size.0 as u64),
            files_max: self.process_files,
            ..default
        }))
    }
}

/// This program itself.
fn guard_program() -> io::Result<GuardProgram> {
    Ok(GuardProgram { program: std::env::current_exe()?, arguments: vec![GUARD.to_owned()] })
}

/// Takes the name of a way to park.
fn ways() -> impl clap::builder::TypedValueParser<Value = ParkChoice> {
    let auto = PossibleValue::new(AUTO).help("the first of these that works here");
    let ways = park_ways().map(|(name, about)| PossibleValue::new(name).help(about));
    let names = PossibleValuesParser::new(std::iter::once(auto).chain(ways));
    names.map(|name| {
        let known = park_ways().map(|(known, _)| known).find(|known| *known == name);
        known.map_or(ParkChoice::Auto, ParkChoice::Only)
    })
}

/// Takes what becomes of a process without a client.
fn hang_ups() -> impl clap::builder::TypedValueParser<Value = OnHangUp> {
    let signals = HANG_UP_SIGNALS.iter().map(|signal| signal.name);
    let names = PossibleValuesParser::new([FINISH, REPLACE].into_iter().chain(signals));
    names.map(|name| match HANG_UP_SIGNALS.iter().find(|signal| signal.name == name) {
        Some(signal) => OnHangUp::Tell(*signal),
        None if name == REPLACE => OnHangUp::Replace,
        None => OnHangUp::Finish,
    })
}
