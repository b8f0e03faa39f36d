//! `weighbridge-bench edge`: what is lost by reloads and upgrades.
//!
//! A balancer of its own carries requests at a steady rate to a host of its own. Some clients make
//! a connection for each request, some keep theirs, some speak HTTP/2; none tries again. Meanwhile
//! the balancer reads its configuration anew, or another process takes over, again and again.
//! `weighbridge-bench edge tls` measures what TLS costs.

pub(crate) mod certificate;
mod clients;
mod host;
mod program;
mod tls;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::balancer::BalancerError;
use crate::compare::CompareError;

use clients::{Clients, Kind};
use program::Program;

pub use tls::{Tls, TlsRow};

/// Between two changes.
const PAUSE: Duration = Duration::from_millis(100);

/// Before the first change, and after the last one.
const QUIET: Duration = Duration::from_secs(1);

/// Counts requests that are lost while a balancer reloads and is upgraded.
///
/// Prints for each test how many requests there were, how many failed (refused, reset, broken off,
/// or any status but 200), and the time below which 99 % were answered.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  weighbridge-bench edge
  weighbridge-bench edge --json --times 20 --program target/debug/weighbridge
  weighbridge-bench edge tls --rounds 5")]
pub struct Edge {
    #[command(subcommand)]
    command: Option<EdgeCommand>,
    /// The program [default: `weighbridge` beside this one].
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// How many changes there are in each test.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub times: u32,
    /// Requests per second.
    #[arg(long, value_name = "RATE", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Print one JSON object a line: `test, requests, failed, p99_ms`.
    #[arg(long)]
    pub json: bool,
}

/// What else there is to measure at the edge.
#[derive(Debug, clap::Subcommand)]
enum EdgeCommand {
    /// What TLS costs, beside nginx and `HAProxy`.
    Tls(Tls),
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The balancer does not start.
    #[error(transparent)]
    Balancer(#[from] BalancerError),
    /// The system refuses something.
    #[error("the system refused")]
    System(#[from] io::Error),
    /// The balancer did not do what it was asked.
    #[error("`POST {0}` failed: {1}")]
    Refused(&'static str, String),
    /// The comparison cannot be made.
    #[error("not everything runs")]
    Compare(#[from] CompareError),
    /// Requests were lost.
    #[error("{0} request(s) were lost")]
    Lost(usize),
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EdgeResult {
    /// What was done.
    pub test: String,
    /// How many requests there were.
    pub requests: usize,
    /// How many of them failed.
    pub failed: usize,
    /// 99 % were answered within this, in milliseconds.
    pub p99_ms: f64,
}

/// What is done to the balancer.
#[derive(Debug, Clone, Copy)]
enum Change {
    Reload,
    Upgrade,
}

impl Edge {
    /// Runs every test. Lost requests are an error, after all is printed.
    pub fn run(&self) -> Result<(), EdgeError> {
        if let Some(EdgeCommand::Tls(command)) = &self.command {
            return Ok(command.run()?);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.measure())
    }

    async fn measure(&self) -> Result<(), EdgeError> {
        let mut lost = 0;
        for change in [Change::Reload, Change::Upgrade] {
            for has_tls in [false, true] {
                for (kind, name) in Kind::ALL {
                    let result = self.test(change, has_tls, (kind, name)).await?;
                    lost += result.failed;
                    self.print(&result);
                }
            }
        }
        if lost == 0 { Ok(()) } else { Err(EdgeError::Lost(lost)) }
    }

    async fn test(
        &self,
        change: Change,
        has_tls: bool,
        (kind, name): (Kind, &str),
    ) -> Result<EdgeResult, EdgeError> {
        let host = host::start().await?;
        let mut program = Program::start(self.program.as_deref(), (host, has_tls)).await?;
        let believer = program.believer.clone();
        let clients = Clients::start(kind, (program.listen, believer.as_ref()), self.rate);
        tokio::time::sleep(QUIET).await;
        for _ in 0..self.times {
            match change {
                Change::Reload => program.reload().await?,
                Change::Upgrade => program.upgrade().await?,
            }
            tokio::time::sleep(PAUSE).await;
        }
        tokio::time::sleep(QUIET).await;
        let (requests, failed, p99) = clients.end().await;
        let verb = match change {
            Change::Reload => "reload",
            Change::Upgrade => "upgrade",
        };
        let by = if has_tls { "TLS, " } else { "" };
        let test = format!("{verb} x {}, {by}{name}", self.times);
        Ok(EdgeResult { test, requests, failed, p99_ms: p99.as_secs_f64() * 1e3 })
    }

    fn print(&self, result: &EdgeResult) {
        if self.json {
            println!("{}", serde_json::json!(result));
        } else {
            let EdgeResult { test, requests, failed, p99_ms } = result;
            println!("{test:<40} {requests:>8} requests {failed:>6} failed {p99_ms:>9.1} ms p99");
        }
    }
}
