//! `jobs order`: the same jobs of very different sizes, in the order of several ways.

mod ours;
pub(super) mod script;
mod simulated;

use serde::Serialize;

use super::JobsError;
use super::rq;
use super::spans::Spans;

use script::Script;

/// How long jobs of heavy-tailed sizes take, in each of several orders.
///
/// The same jobs come at the same times; each takes CPU time. Two workers of one core run them. A
/// response time counts from when the job came to when it was done, and the slowdown is that by its
/// size. Then four giants come, and a short job after them; and a worker is killed, and it counts
/// until its job is begun again. RQ is measured where `bench/peers/install.sh rq` has installed it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench jobs order
  weighbridge-bench jobs order --jobs 400 --load 0.8 --json")]
pub struct Order {
    /// How many jobs.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    jobs: u32,
    /// Arrivals as a fraction of what two cores can do.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.9, value_parser = crate::load::rate)]
    load: f64,
    /// Their mean size, in milliseconds of CPU time.
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    mean_ms: u32,
    /// Which sizes, and when they come.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print JSON, one line a way.
    #[arg(long)]
    json: bool,
}

/// What came of one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OrderRow {
    /// Which.
    pub(super) way: String,
    /// In seconds.
    pub(super) response: Spans,
    pub(super) slowdown: Spans,
    /// Response of a job of 50 ms that came after four of 5 s, in seconds.
    pub(super) short_behind_giants: Option<f64>,
    /// From a worker's death until its job was begun again, in seconds; `None`: not measured, or
    /// not within what was waited for.
    pub(super) begun_again: Option<f64>,
}

impl Order {
    /// Measures and prints.
    pub(super) async fn run(&self) -> Result<(), JobsError> {
        let script = Script::new(self.jobs, self.load, f64::from(self.mean_ms) / 1e3, self.seed);
        let mut rows = simulated::rows(&script);
        for way in ours::Way::ALL {
            rows.push(ours::run(way, &script).await?);
        }
        if let Some(tools) = rq::Tools::find() {
            rows.push(rq::run(&tools, &script).await?);
        } else {
            eprintln!("RQ is not there: `bench/peers/install.sh rq` installs it");
        }
        self.print(&rows)
    }

    fn print(&self, rows: &[OrderRow]) -> Result<(), JobsError> {
        if self.json {
            for row in rows {
                println!("{}", serde_json::to_string(row)?);
            }
            return Ok(());
        }
        println!(
            "{:<28} {:>9} {:>9} {:>10} {:>10} {:>10} {:>11}",
            "way", "mean s", "p99 s", "slowdown", "slow. p99", "short s", "again s"
        );
        let known = |secs: Option<f64>| secs.map_or("-".to_owned(), |secs| format!("{secs:.3}"));
        for row in rows {
            println!(
                "{:<28} {:>9.3} {:>9.3} {:>10.2} {:>10.2} {:>10} {:>11}",
                row.way,
                row.response.mean,
                row.response.p99,
                row.slowdown.mean,
                row.slowdown.p99,
                known(row.short_behind_giants),
                known(row.begun_again)
            );
        }
        Ok(())
    }
}
