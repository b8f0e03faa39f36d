//! `weighbridge-bench compare`: Weighbridge beside other proxies, before the same servers.
//!
//! All proxies run at once, and each is measured for a while in turn; every round has another
//! order. What is told are medians over the rounds, with the least and the most.

pub(crate) mod overhead;
mod plot;
pub(crate) mod process;
mod proxies;
mod running;
mod scheduling;
mod services;
mod spread;
mod stage;
mod template;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};

pub use overhead::{Direction, Overhead, OverheadRow};
pub use process::ProcessError;
pub(crate) use process::{Process, free_address, write_to};
pub use proxies::Proxy;
pub(crate) use proxies::Purpose;
pub(crate) use proxies::{beside, in_peers, on_path};
pub use running::RunningError;
pub(crate) use running::{Before, RunningProxy};
pub use scheduling::{Against, ClassSpread, Scheduling, SchedulingRow};
use services::RUN;
pub use services::Services;
pub use spread::Spread;

use crate::chart::ChartError;
use crate::load::AloneError;

/// Measures Weighbridge beside nginx, `HAProxy`, Envoy, Caddy and a bare pingora proxy.
#[derive(Debug, Subcommand)]
pub enum Compare {
    /// How long requests of very different sizes take behind each proxy.
    Scheduling(Scheduling),
    /// How long requests to an ordinary service take behind each proxy.
    Services(Services),
    /// What a request costs in each proxy, and how much later its answer comes.
    Overhead(Overhead),
}

/// Which proxies, how often, and where the results go.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Comparison")]
pub struct CompareArguments {
    /// Which proxies; those that are not installed are named and left out.
    #[arg(long, value_enum, value_name = "PROXY", value_delimiter = ',', default_values_t = Proxy::ALL)]
    pub proxies: Vec<Proxy>,
    /// How often, and what becomes of the results.
    #[command(flatten)]
    pub results: ResultArguments,
}

/// How often each proxy is measured, and where the results go.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Comparison")]
pub struct ResultArguments {
    /// Each proxy is measured so often, in turn with the others.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Print one JSON object a line instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Write the tables and plots (SVG) into this folder too.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A proxy or worker does not run.
    #[error("not everything runs")]
    Running(#[from] RunningError),
    /// The requests cannot be used.
    #[error("the requests cannot be used")]
    Alone(#[from] AloneError),
    /// A proxy does not answer rightly.
    #[error("`{proxy}` does not answer rightly: {failure}")]
    NoAnswer {
        /// Which.
        proxy: &'static str,
        /// What happened.
        failure: String,
    },
    /// None of the proxies is installed.
    #[error("none of the proxies is there: `bench/peers/install.sh` installs them")]
    NoProxies,
    /// The system refused.
    #[error("the system refused")]
    System(#[from] std::io::Error),
    /// A result cannot be written as JSON.
    #[error("the result is not JSON")]
    Json(#[from] serde_json::Error),
    /// A plot cannot be drawn.
    #[error("a plot is missing")]
    Plot(#[from] ChartError),
    /// The service cannot be started.
    #[error("the service cannot be started: {0}")]
    Service(String),
    /// A signal came.
    #[error("told to stop")]
    Interrupted,
}

/// Workers give way by so much (nice), where the system lets this process go before them.
pub(crate) const NICE: i32 = 10;

impl Compare {
    /// Measures and prints.
    pub fn run(&self) -> Result<(), CompareError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (mut interrupt, mut terminate) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                result = self.measure() => result,
                _ = interrupt.recv() => Err(CompareError::Interrupted),
                _ = terminate.recv() => Err(CompareError::Interrupted),
            }
        })
    }

    async fn measure(&self) -> Result<(), CompareError> {
        match self {
            Compare::Scheduling(command) => command.run().await,
            Compare::Services(command) => command.run().await,
            Compare::Overhead(command) => command.run().await,
        }
    }
}

/// Those of `proxies` that are installed, and those that are not.
pub(crate) fn present_and_missing(
    proxies: &[Proxy],
) -> Result<(Vec<Proxy>, Vec<Proxy>), CompareError> {
    let (present, missing): (Vec<Proxy>, Vec<Proxy>) =
        proxies.iter().partition(|proxy| proxy.program().is_some());
    for proxy in &missing {
        eprintln!("{} is not there: `{}` installs it", proxy.name(), proxy.install());
    }
    if present.is_empty() { Err(CompareError::NoProxies) } else { Ok((present, missing)) }
}

// === impl ResultArguments ===

impl ResultArguments {
    /// Writes the table `text` and the pictures that `plot` draws where they are wanted, and prints
    /// the table or, as JSON, the rows.
    fn tell<R: serde::Serialize>(
        &self,
        experiment: &str,
        text: &str,
        (rows, missing): (&[R], &[Proxy]),
        plot: fn(&Path, &[R]) -> Result<(), ChartError>,
    ) -> Result<(), CompareError> {
        if let Some(out) = &self.out {
            std::fs::create_dir_all(out)?;
            std::fs::write(out.join(format!("{experiment}.md")), text)?;
            plot(out, rows)?;
        }
        if self.json {
            ResultArguments::print_json(experiment, rows, missing)?;
        } else {
            println!("{text}");
        }
        Ok(())
    }

    /// Prints one line of JSON for each row and missing proxy.
    fn print_json<R: serde::Serialize>(
        experiment: &str,
        rows: &[R],
        missing: &[Proxy],
    ) -> Result<(), CompareError> {
        for row in rows {
            println!("{}", serde_json::to_string(row)?);
        }
        for proxy in missing {
            let (name, install) = (proxy.name(), proxy.install());
            let line =
                serde_json::json!({"experiment": experiment, "proxy": name, "install": install});
            println!("{line}");
        }
        Ok(())
    }
}

/// Lines of a table for proxies that are not there: their name, how they are installed, and nothing
/// in `n_more` columns.
fn missing_lines(missing: &[Proxy], n_more: usize) -> String {
    let line = |proxy: &Proxy| {
        let nothing = " – |".repeat(n_more);
        format!("| {} | not there: `{}` |{nothing}\n", proxy.name(), proxy.install())
    };
    missing.iter().map(line).collect()
}
