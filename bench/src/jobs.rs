//! `weighbridge-bench jobs`: whether jobs get lost or done twice, how many a second there are, and
//! in which order they run.
//!
//! Everything that runs is a real process: balancers (`weighbridge serve`) that share a folder of
//! jobs, workers (`weighbridge worker --run`), and the server that they run, which is this program
//! (`host.rs`) and notes in a file each time that it begins a job and ends one.

mod client;
mod host;
mod kill_loop;
mod log;
mod order;
mod rate;
mod receiver;
mod rq;
mod spans;
mod stage;

use std::io;

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};

use client::ClientError;
use host::Host;
use kill_loop::KillLoop;
use order::Order;
use rate::Rate;

use crate::compare::{ProcessError, RunningError};

/// Jobs: requests that are accepted now and answered later.
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// Kills balancers and workers at random while jobs run, and counts what is lost or done twice.
    KillLoop(KillLoop),
    /// How many jobs a second there are, and what waiting for a job costs beside a plain request.
    Rate(Rate),
    /// How long jobs of very different sizes take: ours, first come first served, and RQ on Redis.
    Order(Order),
    /// The server that the workers run.
    #[command(hide = true)]
    Host(Host),
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// A program is missing or does not start.
    #[error("something does not run")]
    Running(#[from] RunningError),
    /// A process does not come up.
    #[error("something does not run")]
    Process(#[from] ProcessError),
    /// A request that has to work does not.
    #[error("a request failed")]
    Client(#[from] ClientError),
    /// The system refused.
    #[error("the system refused")]
    System(#[from] io::Error),
    /// The result cannot be written as JSON.
    #[error("the result is not JSON")]
    NotJson(#[from] serde_json::Error),
    /// RQ could not be asked.
    #[error("RQ does not work: {0}")]
    Rq(String),
    /// Not all jobs ended in time.
    #[error("{0} of {1} jobs did not end within {2} s")]
    TooLate(usize, usize, u64),
    /// A signal came.
    #[error("interrupted")]
    Interrupted,
    /// The required bounds were exceeded.
    #[error("{0}")]
    Required(String),
}

impl Jobs {
    /// Measures and prints.
    pub fn run(self) -> Result<(), JobsError> {
        if let Jobs::Host(host) = self {
            return Ok(host.run()?);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        // What was started ends with what is dropped: here, and with the runtime.
        runtime.block_on(async {
            let (mut interrupted, mut terminated) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                measured = self.measure() => measured,
                _ = interrupted.recv() => Err(JobsError::Interrupted),
                _ = terminated.recv() => Err(JobsError::Interrupted),
            }
        })
    }

    async fn measure(self) -> Result<(), JobsError> {
        match self {
            Jobs::KillLoop(command) => command.run().await,
            Jobs::Rate(command) => command.run().await,
            Jobs::Order(command) => command.run().await,
            Jobs::Host(_) => Ok(()),
        }
    }
}
