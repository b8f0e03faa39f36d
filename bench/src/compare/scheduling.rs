//! `compare scheduling`: how long requests of very different sizes take behind each proxy.
//!
//! ```text
//! workers -> requests alone -> proxies -> capacity -> learning, not counted -> rounds x loads x proxies -> rows
//! ```
//!
//! Within a round every proxy gets the same arrivals.

pub(super) mod goals;
pub(super) mod rows;
mod setup;
pub(super) mod table;

#[cfg(test)]
mod tests;

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use weighbridge_core::host::Discipline;

use super::stage::{Rounds, Slice, Stage};
use super::{CompareArguments, CompareError, Proxy, plot, present_and_missing};
use crate::load::pool::PoolArguments;
use crate::load::rate;

pub(super) use goals::Goal;

pub use goals::Against;
pub use rows::{ClassSpread, SchedulingRow};

/// How long requests of very different sizes take behind each proxy.
///
/// Starts workers and, before them, every proxy. Measures each request alone, then the capacity.
/// Then every proxy carries requests for --warm-up seconds, which are not counted: Weighbridge
/// learns there. Then requests arrive at random times, at each --load times the capacity. Within a
/// round every proxy gets the same requests at the same times. Every answer is checked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench compare scheduling
  weighbridge-bench compare scheduling --load 0.9 --rounds 5 --seconds 60 --out results
  weighbridge-bench compare scheduling --peers-discipline ps --json")]
pub struct Scheduling {
    /// Which proxies, and what becomes of the results.
    #[command(flatten)]
    pub compare: CompareArguments,
    /// Arrivals as fractions of the measured capacity.
    #[arg(long, value_name = "FRACTION", value_parser = rate, value_delimiter = ',', default_values_t = [0.7, 0.8, 0.9])]
    pub load: Vec<f64>,
    /// How long each proxy is measured in a round.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// How long each proxy carries requests beforehand, at half the capacity.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub warm_up: u64,
    /// Worker processes.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: u32,
    /// Requests that each of them runs at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cores: u32,
    /// The order in which all workers run their requests [default: the worker's own default].
    #[arg(long, value_name = "ORDER", value_parser = disciplines())]
    pub discipline: Option<Discipline>,
    /// Other workers for all proxies but Weighbridge, which run their requests in this order: `ps`
    /// is what an ordinary server does.
    #[arg(long, value_name = "ORDER", value_parser = disciplines())]
    pub peers_discipline: Option<Discipline>,
    /// Which requests.
    #[command(flatten)]
    pub pool: PoolArguments,
}

/// A comparison as it was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// What it was measured with, in words.
    pub(super) setting: String,
    pub(super) rows: Vec<SchedulingRow>,
    pub(super) missing: Vec<Proxy>,
    pub(super) goals: &'static [Goal],
}

/// Before our own workers.
const GOALS: [Goal; 1] = [Goal { proxy: "weighbridge", mean_slowdown: 1.5, smaller_half_p99: 3.0 }];

impl Scheduling {
    /// Measures and prints.
    pub(super) async fn run(&self) -> Result<(), CompareError> {
        let measured = self.measure().await?;
        let text = table::markdown(&measured);
        let results = (&measured.rows[..], &measured.missing[..]);
        self.compare.results.tell("scheduling", &text, results, plot::scheduling)
    }

    async fn measure(&self) -> Result<Measured, CompareError> {
        let (present, missing) = present_and_missing(&self.compare.proxies)?;
        let stage = setup::set(self, &present).await?;
        stage.warm_up(Duration::from_secs(self.warm_up)).await;
        let (number, length) = (self.compare.results.rounds, Duration::from_secs(self.seconds));
        let slices = stage.measure(Rounds { loads: &self.load, number, length }).await;
        let mut rows = rows::of("scheduling", &slices, &self.load, &stage.names());
        goals::judge(&mut rows, &GOALS);
        Ok(Measured { setting: self.setting(&stage), rows, missing, goals: &GOALS })
    }

    fn setting(&self, stage: &Stage) -> String {
        let (mean, variation) = stage.workload.mean_and_variation();
        let order = |discipline: Option<Discipline>| discipline.map_or("default", Discipline::name);
        let peers = match self.peers_discipline {
            Some(discipline) => format!(", the peers' {}", discipline.name()),
            None => String::new(),
        };
        format!(
            "Workers: {} of {} cores, order: {}{peers}. Requests: {:.1} ms alone on average, coefficient of \
             variation {variation:.1}; capacity {:.1} a second. Rounds: {} of {} s; medians (least–most). \
             Sending and carrying {} before the workers' own threads.",
            self.workers,
            self.cores,
            order(self.discipline),
            mean * 1e3,
            stage.capacity,
            self.compare.results.rounds,
            self.seconds,
            if stage.goes_first { "go" } else { "do not go" },
        )
    }
}

/// Takes the name of a discipline.
fn disciplines() -> impl TypedValueParser<Value = Discipline> {
    let names = PossibleValuesParser::new(Discipline::ALL.map(Discipline::name));
    names.try_map(|name| Discipline::by_name(&name).ok_or("no such discipline"))
}
