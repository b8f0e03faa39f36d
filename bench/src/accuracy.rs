//! `weighbridge-bench accuracy`: how well the balancer predicts, and how long predicting takes.
//!
//! Every request goes through the real balancer to a real worker. The estimate is the one that the
//! balancer placed the request by, made before the outcome; the truth is the work that was
//! measured. Both are told in `Server-Timing`. The first requests are for learning, and the rest is
//! judged.

mod score;
mod table;
mod timing;

#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};

use fastrand::Rng;
use serde::Serialize;

use crate::balancer::{BalancerError, OwnBalancer};
use crate::client::{Client, ClientError, Told};
use crate::requests::picture::Format;
use crate::requests::{Request, Route};

use score::Score;
use timing::{Timing, TimingError};

/// Measures how well the balancer predicts what requests cost.
///
/// Sends random requests of all three routes, one after the other and mixed, through a balancer: as
/// many to learn from as --requests says, and --held-out more of each route, for which the
/// estimates that the balancer made beforehand are compared with the work that was measured. Prints
/// one row a route, as a table in Markdown:
///
/// * median error: half of the estimates were off by less, as a part of the measured work
///
/// * p90 held: part of the requests that stayed below the estimated p90; 90 % would be right
///
/// * extract, estimate: how long reading a request's features takes, and the estimate from them,
///   measured in this process with the balancer's own code and learned model
///
/// Without --url it starts a `weighbridge up` of its own, with an empty store and one worker, and
/// stops it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench accuracy
  weighbridge-bench accuracy --seed 7 --requests 1000
  weighbridge-bench accuracy --format gif,tiff
  weighbridge-bench accuracy --url http://127.0.0.1:8000 --admin http://127.0.0.1:9090 --json")]
pub struct Accuracy {
    /// Requests of each route to learn from.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub requests: u32,
    /// Further requests of each route to judge by.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub held_out: u32,
    /// Which random requests; the same seed gives the same ones.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Formats of the pictures, all as likely; without it, half are JPEG, most others PNG, the
    /// rest BMP.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub format: Vec<Format>,
    /// A running balancer with the default routes, instead of one of its own.
    #[arg(long, value_name = "URL", requires = "admin")]
    pub url: Option<String>,
    /// The admin API of that balancer.
    #[arg(long, value_name = "URL", requires = "url")]
    pub admin: Option<String>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum AccuracyError {
    /// There is no balancer to measure.
    #[error("there is no balancer to measure")]
    Balancer(#[from] BalancerError),
    /// A request failed.
    #[error("a request failed")]
    Client(#[from] ClientError),
    /// The learned model cannot be used here.
    #[error("the estimate cannot be timed")]
    Timing(#[from] TimingError),
    /// The system refused.
    #[error("the system refused")]
    System(#[from] std::io::Error),
    /// The result cannot be written as JSON.
    #[error("the result is not JSON")]
    Json(#[from] serde_json::Error),
}

/// What was measured of one route.
#[derive(Debug, Clone, Serialize)]
pub struct RouteResult {
    /// Name of the route.
    pub route: &'static str,
    /// Requests sent before the ones that are judged.
    pub requests: u32,
    /// What the balancer had observed of the route in the end.
    pub observations: u64,
    /// The estimator in use in the end.
    pub estimator: String,
    /// How good the estimates were.
    #[serde(flatten)]
    pub score: Score,
    /// How long they took.
    #[serde(flatten)]
    pub timing: Timing,
}

impl Accuracy {
    /// Measures and prints.
    pub fn run(&self) -> Result<(), AccuracyError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let results = runtime.block_on(self.measure())?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&results)?);
        } else {
            println!("{}", table::markdown(&results));
        }
        Ok(())
    }

    /// Measures every route.
    pub async fn measure(&self) -> Result<Vec<RouteResult>, AccuracyError> {
        if let (Some(url), Some(admin)) = (&self.url, &self.admin) {
            return self.measure_at(&Client::new(url, admin)).await;
        }
        let balancer = OwnBalancer::start().await?;
        let results = self.measure_at(&Client::new(&balancer.url, &balancer.admin)).await;
        balancer.stop().await;
        results
    }

    async fn measure_at(&self, client: &Client) -> Result<Vec<RouteResult>, AccuracyError> {
        let mut random = Rng::with_seed(self.seed);
        self.send(client, &mut random, self.requests, "learning").await?;
        let judged = self.send(client, &mut random, self.held_out, "judging").await?;
        let models = client.models().await?;
        let results = Route::ALL.into_iter().map(|route| {
            let of_route = judged.iter().filter(|(request, _)| request.route == route);
            let (requests, told): (Vec<&Request>, Vec<&Told>) =
                of_route.map(|(request, told)| (request, told)).unzip();
            let model = &models["routes"][route.name()];
            Ok(RouteResult {
                route: route.name(),
                requests: self.requests,
                observations: model["observations"].as_u64().unwrap_or(0),
                estimator: model["estimator"].as_str().unwrap_or("unknown").to_owned(),
                score: Score::of(&told),
                timing: Timing::of(route, model, &requests)?,
            })
        });
        results.collect()
    }

    /// Sends `n` random requests of each route, mixed.
    async fn send(
        &self,
        client: &Client,
        random: &mut Rng,
        n: u32,
        what: &str,
    ) -> Result<Vec<(Request, Told)>, AccuracyError> {
        let mut routes: Vec<Route> = (0..n).flat_map(|_| Route::ALL).collect();
        random.shuffle(&mut routes);
        let n_all = routes.len();
        let mut sent = Vec::new();
        for (index, route) in routes.into_iter().enumerate() {
            progress(what, index, n_all);
            let request = route.request_of(random, &self.format);
            let told = client.send(&request).await?;
            sent.push((request, told));
        }
        progress(what, n_all, n_all);
        Ok(sent)
    }
}

/// Shows how far it is: in place on a terminal, else a line now and then.
fn progress(what: &str, n_done: usize, n_all: usize) {
    const EVERY: usize = 100;

    let mut out = std::io::stderr();
    let is_end = n_done == n_all;
    // Progress that cannot be shown is no reason to stop.
    let _ = if out.is_terminal() {
        write!(out, "\r{what}: {n_done} of {n_all}{}", if is_end { "\n" } else { "" })
    } else if is_end || n_done.is_multiple_of(EVERY) {
        writeln!(out, "{what}: {n_done} of {n_all}")
    } else {
        Ok(())
    };
    let _ = out.flush();
}
