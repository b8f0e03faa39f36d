//! `weighbridge-bench services`: how well the balancer predicts services that know nothing of it.
//!
//! Each service is a few lines of Python around a well-known library (`bench/services`), behind the
//! standard library's HTTP server, which runs one request after the other and tells nothing of what
//! they cost. Nobody writes features for it: what is told is what a stranger's service gets. The
//! estimate is the one that the balancer placed a request by; the truth is the time that the
//! request had of the service, as the balancer has it in its access log.

mod calls;
pub(crate) mod python;
mod run;
mod score;
mod table;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

pub use calls::Service;
pub use python::PythonError;
pub use score::ServiceScore;

use crate::client::ClientError;
use crate::compare::ProcessError;

/// Measures how well the balancer predicts services of others, for which nobody wrote features.
///
/// Starts each service, and a balancer in front of it whose route says nothing but its path; sends
/// random requests, as many to learn from as --requests says and --held-out more to judge by, one
/// after the other; then as many again, two at a time. Prints one row a service, as a table in
/// Markdown:
///
/// * median error: half of the estimates were off by less, as a part of the time that was taken
///
/// * p90 held: part of the requests that stayed below the estimated p90; 90 % would be right
///
/// * running mean: the median error of the mean of all requests before
///
/// * two at a time: the median error while two requests were always on their way
///
/// and under it the formulas that were learned. The services need Python; their libraries are
/// installed once, into `services` beside the folder of this program.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench services
  weighbridge-bench services --services page,sql --seed 7 --json")]
pub struct Services {
    /// Which services.
    #[arg(long, value_enum, value_name = "SERVICE", value_delimiter = ',', default_values_t = Service::value_variants().to_vec())]
    pub services: Vec<Service>,
    /// Requests of each service to learn from.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub requests: u32,
    /// Further requests of each service to judge by.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub held_out: u32,
    /// Which random requests; the same seed gives the same ones.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// There is no Python with the libraries of the services.
    #[error("the services need Python and some libraries of it")]
    Python(#[from] PythonError),
    /// The balancer is not built.
    #[error("there is no `{}`: build it with `cargo build --release`", .0.display())]
    Missing(PathBuf),
    /// A service or the balancer does not run.
    #[error("not everything runs")]
    Process(#[from] ProcessError),
    /// A request failed.
    #[error("a request failed")]
    Client(#[from] ClientError),
    /// The access log does not have every request.
    #[error("the access log has {got} requests with an estimate and a time, expected {expected}")]
    Log {
        /// So many.
        got: usize,
        /// Of so many.
        expected: usize,
    },
    /// The system refused.
    #[error("the system refused")]
    System(#[from] std::io::Error),
    /// The result cannot be written as JSON.
    #[error("the result is not JSON")]
    Json(#[from] serde_json::Error),
    /// A signal came.
    #[error("told to stop")]
    Interrupted,
}

/// What was measured of one service.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceResult {
    /// Which.
    pub service: &'static str,
    /// Requests that came before those that are judged.
    pub requests: u32,
    /// How good the estimates were.
    #[serde(flatten)]
    pub score: ServiceScore,
    /// Median error while two requests were on their way.
    pub two_at_a_time_mdape: f64,
    /// The estimator in use in the end.
    pub estimator: String,
    /// What it learned, in words.
    pub formula: String,
}

impl Services {
    /// Measures and prints.
    pub fn run(&self) -> Result<(), ServicesError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (mut interrupt, mut terminate) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                result = self.measure_and_print() => result,
                _ = interrupt.recv() => Err(ServicesError::Interrupted),
                _ = terminate.recv() => Err(ServicesError::Interrupted),
            }
        })
    }

    async fn measure_and_print(&self) -> Result<(), ServicesError> {
        let python = python::prepare()?;
        let mut results = Vec::new();
        for service in &self.services {
            let result = self.measure(&python, *service).await?;
            if self.json {
                println!("{}", serde_json::to_string(&result)?);
            } else {
                eprintln!("{}: median error {:.1} %", result.service, result.score.mdape * 100.0);
            }
            results.push(result);
        }
        if !self.json {
            println!("{}", table::markdown(&results));
        }
        Ok(())
    }
}
