//! `weighbridge-bench load`: response times under an open load.
//!
//! Requests arrive at random times that were drawn beforehand, whether the last ones were answered
//! or not, and each response time counts from when its request was *meant* to be sent. A server
//! that stalls for a second so shows in all the requests of that second (no coordinated omission).
//!
//! ```text
//! pool (requests) -> alone (service time, answer) -> arrivals -> drive (send) -> tally (size classes)
//! ```

mod alone;
pub(crate) mod arrivals;
mod drive;
pub(crate) mod pool;
mod progress;
pub(crate) mod send;
mod table;
pub(crate) mod tally;
pub(crate) mod workload;

#[cfg(test)]
mod tests;

use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::balancer::{BalancerError, OwnBalancer};

use arrivals::{Plan, Profile};
use pool::PoolArguments;
use send::Sender;
use workload::{Run, Workload};

pub use alone::AloneError;
pub use tally::{ClassResult, Errors, LoadResult};

/// Sends requests at random times and tells how long their answers took.
///
/// First sends each request of the pool alone, for its service time and its right answer; every
/// later answer is compared with that one. Then requests arrive as a Poisson process, at --rate or
/// at --load times a capacity that is measured first. Prints one row for each size class:
///
/// * response times count from when a request was meant to be sent, and not from when it was
///
/// * slowdown: response time / service time alone
///
/// Without --url it starts a `weighbridge up` of its own, with an empty store and one worker, and
/// stops it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench load
  weighbridge-bench load --load 0.9 --seconds 60 --profile burst
  weighbridge-bench load --url http://127.0.0.1:8000 --rate 40 --mix raytrace=1 --json")]
pub struct Load {
    /// Where to send requests, instead of to a balancer of its own.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Where each request is measured alone [default: the same place].
    #[arg(long, value_name = "URL", requires = "url")]
    pub alone: Option<String>,
    /// Requests per second.
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "load")]
    pub rate: Option<f64>,
    /// Requests per second as a fraction of the measured capacity.
    #[arg(long, value_name = "FRACTION", value_parser = rate, default_value_t = 0.8)]
    pub load: f64,
    /// How long requests arrive.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// The most requests.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub requests_max: u64,
    /// How the rate runs.
    #[arg(long, value_enum, default_value_t = Profile::Steady)]
    pub profile: Profile,
    /// Which classes of sizes are told of.
    #[arg(long, value_enum, default_value_t = Classes::Quartiles)]
    pub classes: Classes,
    /// Requests in flight at once; what arrives beyond that fails unsent.
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub in_flight_max: u32,
    /// An answer that takes longer has failed.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Which requests.
    #[command(flatten)]
    pub pool: PoolArguments,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Classes of requests with the same number in each, by their service time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Classes {
    /// Four.
    Quartiles,
    /// Ten.
    Deciles,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no balancer to measure.
    #[error("there is no balancer to measure")]
    Balancer(#[from] BalancerError),
    /// A request alone failed.
    #[error("the requests cannot be used")]
    Alone(#[from] AloneError),
    /// A request failed while the capacity was measured.
    #[error("the capacity cannot be measured: {0}")]
    Capacity(String),
    /// The system refused.
    #[error("the system refused")]
    System(#[from] std::io::Error),
    /// The result cannot be written as JSON.
    #[error("the result is not JSON")]
    Json(#[from] serde_json::Error),
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadSummary {
    /// Requests per second that were meant to be sent.
    pub rate: f64,
    /// Requests per second that can be served, where it was measured.
    pub capacity: Option<f64>,
    /// What came of them.
    #[serde(flatten)]
    pub result: LoadResult,
}

/// Requests in flight, and how long, while the capacity is measured.
pub(crate) const CAPACITY_IN_FLIGHT: usize = 16;
pub(crate) const CAPACITY_LENGTH: Duration = Duration::from_secs(5);

impl Load {
    /// Measures and prints.
    pub fn run(&self) -> Result<(), LoadError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let report = runtime.block_on(self.measure())?;
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{}", table::markdown(&report));
        }
        Ok(())
    }

    /// Measures.
    pub async fn measure(&self) -> Result<LoadSummary, LoadError> {
        if let Some(url) = &self.url {
            return self.measure_at(url).await;
        }
        let balancer = OwnBalancer::start().await?;
        let report = self.measure_at(&balancer.url).await;
        balancer.stop().await;
        report
    }

    async fn measure_at(&self, url: &str) -> Result<LoadSummary, LoadError> {
        let timeout = Duration::from_secs(self.timeout);
        let sender = Sender::new(url, timeout);
        let alone = self.alone.as_ref().map(|url| Sender::new(url, timeout));
        let workload = Workload::new(&self.pool, alone.as_ref().unwrap_or(&sender)).await?;
        let capacity = match self.rate {
            Some(_) => None,
            None => Some(capacity(&workload, &sender).await?),
        };
        let rate = self.rate.or(capacity.map(|most| most * self.load)).unwrap_or(1.0);
        let plan = Plan {
            profile: self.profile,
            rate,
            length: Duration::from_secs(self.seconds),
            requests_max: self.requests_max,
        };
        let (in_flight_max, n_classes) = (self.in_flight_max as usize, self.classes.number());
        let run = Run { plan, in_flight_max, n_classes, number: 0 };
        let result = workload.run(&sender, run, "load").await;
        Ok(LoadSummary { rate, capacity, result })
    }
}

async fn capacity(workload: &Workload, sender: &Sender) -> Result<f64, LoadError> {
    let capacity = workload.capacity(sender, CAPACITY_IN_FLIGHT, CAPACITY_LENGTH);
    capacity.await.map_err(|failure| LoadError::Capacity(failure.to_string()))
}

impl Classes {
    /// How many.
    pub(crate) fn number(self) -> usize {
        match self {
            Classes::Quartiles => 4,
            Classes::Deciles => 10,
        }
    }
}

/// A number above 0, and not absurd.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| 0.0 < *rate && *rate <= 1e6);
    rate.ok_or_else(|| "expected a number above 0".to_owned())
}
