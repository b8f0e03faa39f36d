//! One file per command. They compose the other crates and hold no logic of their own.

pub(crate) mod aws;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod explain;
pub(crate) mod fleet;
pub(crate) mod jobs;
pub(crate) mod man;
pub(crate) mod operate;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod top;
pub(crate) mod up;
pub(crate) mod upgrade;
pub(crate) mod worker;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use weighbridge_proxy::config::{ConfigError, OverrideError};
use weighbridge_proxy::server::ServerError;
use weighbridge_worker::WorkerError;

/// Why a command failed. Printed by `main`, with its causes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The configuration has mistakes.
    #[error("`{file}` has {} mistake(s)", .mistakes.len())]
    Config {
        /// Where they are.
        file: String,
        /// All of them.
        mistakes: Vec<ConfigError>,
    },
    /// Certificates have expired. A balancer would start all the same.
    #[error("{}", .0.join("\n  "))]
    Expired(Vec<String>),
    /// A file cannot be read.
    #[error("cannot read `{0}`")]
    Read(PathBuf, #[source] std::io::Error),
    /// The command line does not fit the configuration.
    #[error("the command line cannot be followed")]
    Overrides(#[from] OverrideError),
    /// The balancer cannot start.
    #[error("the balancer cannot start")]
    Server(#[from] ServerError),
    /// The worker cannot run.
    #[error("the worker cannot run")]
    Worker(#[from] WorkerError),
    /// The operating system refused something.
    #[error("the system refused")]
    System(#[from] std::io::Error),
    /// The configuration wants AWS, and this program was built without it.
    #[cfg(not(feature = "aws"))]
    #[error("{0}: expected a program built with `--features aws`")]
    NoAws(String),
    /// The balancer ended with requests in flight: its drain was too short, or it was told twice.
    #[error("{0} request(s) were cut off")]
    CutOff(usize),
    /// A running balancer cannot be asked.
    #[error("cannot ask the balancer at `{admin}`: {why}")]
    Ask {
        /// Its admin address.
        admin: String,
        /// Why.
        why: String,
    },
}

/// The exit status of a balancer that has cut requests off. 1 is any other failure, 2 a command
/// line that cannot be read.
const CUT_OFF: u8 = 3;

impl CommandError {
    /// The exit status.
    pub(crate) fn code(&self) -> ExitCode {
        let is_cut_off = matches!(self, CommandError::CutOff(_));
        if is_cut_off { ExitCode::from(CUT_OFF) } else { ExitCode::FAILURE }
    }

    /// Prints the error with its causes.
    pub(crate) fn print(&self) {
        eprintln!("weighbridge: {self}");
        if let CommandError::Config { mistakes, .. } = self {
            for mistake in mistakes {
                eprintln!("  {mistake}");
            }
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            eprintln!("  because {error}");
            cause = error.source();
        }
    }
}
