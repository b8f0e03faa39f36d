//! `compare services`: how long requests to an ordinary service take behind each proxy.
//!
//! The service is not ours and knows nothing of us: thumbnails by Pillow under gunicorn. It stands
//! behind each proxy as one would deploy it, and behind Weighbridge in two ways: the very same
//! servers, untouched; and its processes under our worker (`weighbridge worker --run`).

mod setup;

use std::time::Duration;

use super::scheduling::{Goal, Measured, goals, rows, table};
use super::stage::{Rounds, Stage};
use super::{CompareError, Proxy, ResultArguments, plot, present_and_missing};
use crate::load::rate;

/// Weighbridge before the same servers as its peers.
const UNTOUCHED: &str = "weighbridge";

/// Weighbridge before the same processes under its own worker.
pub(super) const RUN: &str = "weighbridge --run";

/// What each way is meant to reach at load 0.8.
const GOALS: [Goal; 2] = [
    Goal { proxy: UNTOUCHED, mean_slowdown: 1.3, smaller_half_p99: 1.5 },
    Goal { proxy: RUN, mean_slowdown: 2.0, smaller_half_p99: 3.0 },
];

/// Those that people deploy.
const PEERS: [Proxy; 5] =
    [Proxy::Nginx, Proxy::HaProxy, Proxy::Envoy, Proxy::Caddy, Proxy::Weighbridge];

/// How long requests to an ordinary service take behind each proxy.
///
/// The service makes thumbnails (gunicorn, Pillow); it says nothing of its requests, and no route
/// has features. Each host has one core and gunicorn's usual number of processes. Behind
/// Weighbridge it stands twice: untouched, and with its processes under `weighbridge worker --run`.
/// Measures each request alone, then the capacity. Then every proxy carries requests for --warm-up
/// seconds, which are not counted. Then requests arrive at random times, at each --load times the
/// capacity. Within a round every proxy gets the same requests at the same times.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench compare services
  weighbridge-bench compare services --load 0.8 --rounds 5 --seconds 120 --json")]
pub struct Services {
    /// Which proxies.
    #[arg(long, value_enum, value_name = "PROXY", value_delimiter = ',', default_values_t = PEERS, help_heading = "Comparison")]
    pub proxies: Vec<Proxy>,
    /// How often, and what becomes of the results.
    #[command(flatten)]
    pub results: ResultArguments,
    /// Arrivals as fractions of the measured capacity.
    #[arg(long, value_name = "FRACTION", value_parser = rate, value_delimiter = ',', default_values_t = [0.5, 0.7, 0.8, 0.9])]
    pub load: Vec<f64>,
    /// How long each proxy is measured in a round.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// How long each proxy carries requests beforehand, at half the capacity.
    #[arg(long, value_name = "SECONDS", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub warm_up: u64,
    /// Hosts of one core.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub hosts: u32,
    /// Processes of a host, where gunicorn runs them itself. Its documentation says 2 * cores + 1.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub gunicorn_workers: u32,
    /// Processes of a host, under `weighbridge worker --run`: so many requests may be begun at
    /// once.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub processes: u32,
    /// Different requests; a longer run sends them again, in another order.
    #[arg(long = "pool", value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    pub pool: u32,
    /// Which random requests, and when they arrive.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

impl Services {
    /// Measures and prints.
    pub(super) async fn run(&self) -> Result<(), CompareError> {
        let measured = self.measure().await?;
        let text = table::markdown(&measured);
        let results = (&measured.rows[..], &measured.missing[..]);
        self.results.tell("services", &text, results, plot::scheduling)
    }

    async fn measure(&self) -> Result<Measured, CompareError> {
        let (present, missing) = present_and_missing(&self.proxies)?;
        let stage = setup::set(self, &present).await?;
        stage.warm_up(Duration::from_secs(self.warm_up)).await;
        let (number, length) = (self.results.rounds, Duration::from_secs(self.seconds));
        let slices = stage.measure(Rounds { loads: &self.load, number, length }).await;
        let mut rows = rows::of("services", &slices, &self.load, &stage.names());
        goals::judge(&mut rows, &GOALS);
        Ok(Measured { setting: self.setting(&stage), rows, missing, goals: &GOALS })
    }

    fn setting(&self, stage: &Stage) -> String {
        let (mean, variation) = stage.workload.mean_and_variation();
        format!(
            "Hosts: {} of one core; {} processes of gunicorn each, or {} under `weighbridge worker --run`. \
             Requests: {:.1} ms alone on average, coefficient of variation {variation:.1}; capacity {:.1} a \
             second. Rounds: {} of {} s; medians (least–most). Goals are for load 0.8. Sending and carrying \
             {} before the service.",
            self.hosts,
            self.gunicorn_workers,
            self.processes,
            mean * 1e3,
            stage.capacity,
            self.results.rounds,
            self.seconds,
            if stage.goes_first { "go" } else { "do not go" },
        )
    }
}
