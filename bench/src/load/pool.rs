//! The requests of a run: made before it begins, so that making them costs nothing while it lasts.

use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;

use crate::requests::{Request, Route};

/// Which requests are made.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Requests")]
pub struct PoolArguments {
    /// Different requests; a longer run sends them again, in another order.
    #[arg(long = "pool", value_name = "N", default_value_t = 240, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    pub size: u32,
    /// How many of each operation, in proportion.
    #[arg(long, value_name = "MIX", default_value = "blur=1,enhance=1,raytrace=1")]
    pub mix: Mix,
    /// Which random requests, and when they arrive.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Shares of the operations; at least one is above 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<(Route, u32)>);

/// Why a text is no mix.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no mix: expected something like `blur=2,raytrace=1`")]
pub struct NoMix(String);

/// A request that was sent once with nothing else to do for the worker.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) request: Request,
    /// Its service time alone, over the wire.
    pub(crate) alone: Duration,
    /// Hash of the right answer.
    pub(crate) answer: u64,
}

/// Gives the numbers of a pool in random order, each once before any comes again, so that short
/// runs have the same work.
#[derive(Debug)]
pub(crate) struct Deck {
    size: usize,
    left: Vec<usize>,
}

/// So many bytes of bodies are held at the most; a pool that would be larger has fewer requests.
const BYTES_MAX: usize = 512 << 20;

impl PoolArguments {
    /// Makes the requests, in random order.
    pub(crate) fn make(&self) -> Vec<Request> {
        let mut random = Rng::with_seed(self.seed);
        let mut bytes = 0;
        let mut requests: Vec<Request> = Vec::new();
        for index in 0..self.size {
            let request = self.mix.route(index).request(&mut random);
            bytes += request.body.len();
            if BYTES_MAX < bytes {
                break;
            }
            requests.push(request);
        }
        requests
    }
}

// === impl Mix ===

impl Mix {
    /// The route of the request `index`: the routes take turns.
    fn route(&self, index: u32) -> Route {
        let total: u32 = self.0.iter().map(|(_, share)| share).sum();
        let mut place = index % total.max(1);
        for (route, share) in &self.0 {
            if place < *share {
                return *route;
            }
            place -= share;
        }
        Route::Blur
    }
}

impl FromStr for Mix {
    type Err = NoMix;

    fn from_str(text: &str) -> Result<Mix, NoMix> {
        let no_mix = || NoMix(text.to_owned());
        let mut shares = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or_else(no_mix)?;
            let route = Route::ALL.into_iter().find(|route| route.name() == name.trim());
            let share = share.trim().parse().ok().filter(|share| *share <= 1000);
            shares.push((route.ok_or_else(no_mix)?, share.ok_or_else(no_mix)?));
        }
        let is_empty = shares.iter().all(|(_, share)| *share == 0);
        if is_empty { Err(no_mix()) } else { Ok(Mix(shares)) }
    }
}

// === impl Deck ===

impl Deck {
    /// A deck of the numbers below `size`, which is above 0.
    pub(crate) fn new(size: usize) -> Deck {
        Deck { size, left: Vec::new() }
    }

    /// The next number.
    pub(crate) fn draw(&mut self, random: &mut Rng) -> usize {
        if self.left.is_empty() {
            self.left = (0..self.size).collect();
            random.shuffle(&mut self.left);
        }
        self.left.pop().unwrap_or(0)
    }
}
