//! Proxies and workers that run.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::{self, Process, ProcessError};
use super::proxies::{Proxy, ProxySetting, Purpose, beside};

/// A proxy that takes connections. Ended when dropped.
#[derive(Debug)]
pub(crate) struct RunningProxy {
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    /// All that it writes; removed at the end.
    folder: TempDir,
}

/// A worker that takes connections. Ended when dropped.
#[derive(Debug)]
pub(crate) struct RunningWorker {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

/// Why something does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// It is not installed.
    #[error("{0} is not there: `{1}` installs it")]
    Missing(&'static str, &'static str),
    /// It does not start or come up.
    #[error("something does not run")]
    Process(#[from] ProcessError),
    /// No files, folders or ports.
    #[error("the system refused")]
    System(#[from] io::Error),
    /// It did not say where it listens.
    #[error("the worker did not say where it listens, but `{0}`")]
    Silent(String),
}

/// What a proxy stands before, and where it may run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) hosts: &'a [SocketAddr],
    /// Cores of each host.
    pub(crate) cores: usize,
    /// The core that the proxy stays on.
    pub(crate) pin: Option<usize>,
}

/// Threads that carry requests, in every proxy: one counts connections right without sharing.
const THREADS: usize = 1;

impl RunningProxy {
    /// Starts `proxy`; returns once it takes connections.
    pub(crate) fn start(proxy: Proxy, before: Before<'_>) -> Result<RunningProxy, RunningError> {
        let missing = || RunningError::Missing(proxy.name(), proxy.install());
        let program = proxy.program().ok_or_else(missing)?;
        let folder = tempfile::tempdir()?;
        let address = process::free_address()?;
        let Before { purpose, hosts, cores, pin } = before;
        let (threads, place) = (THREADS, folder.path());
        let place = ProxySetting { purpose, listen: address, hosts, cores, threads, folder: place };
        let mut command = proxy.command(&program, place)?;
        let log = folder.path().join("said.log");
        process::write_to(&mut command, &log)?;
        let mut process = Process::start(command, pin)?;
        process.wait_up(address, &log)?;
        Ok(RunningProxy { proxy, address, process, folder })
    }

    /// A file that it was given.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// `http://127.0.0.1:40123`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The command that runs `program`; `yields` makes it give way to what sends and carries requests.
pub(crate) fn yielding(program: &Path, yields: bool) -> Command {
    if !yields {
        return Command::new(program);
    }
    let mut command = Command::new("nice");
    command.arg("-n").arg(super::NICE.to_string()).arg(program);
    command
}

impl RunningWorker {
    /// Starts a worker that runs `cores` requests at once, in the order of `discipline` where one
    /// is named; `yields` makes it give way to the processes that send and carry requests.
    pub(crate) fn start(
        cores: usize,
        discipline: Option<&str>,
        yields: bool,
    ) -> Result<RunningWorker, RunningError> {
        let mut arguments = vec!["--cores".to_owned(), cores.to_string()];
        if let Some(discipline) = discipline {
            arguments.extend(["--discipline".to_owned(), discipline.to_owned()]);
        }
        RunningWorker::with(&arguments, yields, None)
    }

    /// Starts a worker with `arguments`, on the core `pin` only where one is given.
    pub(crate) fn with(
        arguments: &[String],
        yields: bool,
        pin: Option<usize>,
    ) -> Result<RunningWorker, RunningError> {
        let missing = || RunningError::Missing("weighbridge", Proxy::Weighbridge.install());
        let program = beside("weighbridge").filter(|own| own.is_file()).ok_or_else(missing)?;
        let mut command = yielding(&program, yields);
        command.args(["worker", "--listen", "127.0.0.1:0", "--exit-with-stdin"]).args(arguments);
        command.env("RUST_LOG", "error").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(command, pin)?;
        let mut line = String::new();
        if let Some(output) = process.take_output() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("listening on ").and_then(|text| text.parse().ok());
        let address = address.ok_or(RunningError::Silent(line))?;
        Ok(RunningWorker { address, process })
    }
}
