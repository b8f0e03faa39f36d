//! A pool whose service times and answers are known, ready to be sent in any run.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::alone::{self, AloneError};
use super::arrivals::{Arrival, Plan};
use super::drive;
use super::pool::{Deck, Known, PoolArguments};
use super::progress::Progress;
use super::send::{Failure, Sender};
use super::tally::{LoadResult, Tally};
use crate::requests::Request;

/// Requests of which all is known that a run has to know.
#[derive(Debug)]
pub(crate) struct Workload {
    pool: Vec<Known>,
    seed: u64,
}

/// An open-loop run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    /// Further arrivals fail unsent.
    pub(crate) in_flight_max: usize,
    /// Size classes; even, 2 at least.
    pub(crate) n_classes: usize,
    /// Runs of the same number have the same arrivals. Below 2^28.
    pub(crate) number: u64,
}

/// A right answer is waited for so long, with so much time between two tries.
const READY_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// Bits of a request's number that count within a run.
const NUMBER_BITS: u32 = 32;

/// Requests of a closed loop are numbered from here on.
const FIRST_CLOSED: u64 = 1 << 62;

impl Workload {
    /// Makes the requests and measures each alone at `sender`'s end.
    pub(crate) async fn new(
        arguments: &PoolArguments,
        sender: &Sender,
    ) -> Result<Workload, AloneError> {
        Workload::of(arguments.make(), arguments.seed, sender).await
    }

    /// Measures each of `requests` alone at `sender`'s end.
    pub(crate) async fn of(
        requests: Vec<Request>,
        seed: u64,
        sender: &Sender,
    ) -> Result<Workload, AloneError> {
        Ok(Workload { pool: alone::measure(sender, requests).await?, seed })
    }

    /// Right answers per second with `in_flight` requests all the time, for `length`.
    pub(crate) async fn capacity(
        &self,
        sender: &Sender,
        in_flight: usize,
        length: Duration,
    ) -> Result<f64, Failure> {
        let mut random = Rng::with_seed(self.seed);
        let mut deck = Deck::new(self.pool.len());
        let mut number = FIRST_CLOSED;
        let next = || {
            number += 1;
            Arrival { at: Duration::ZERO, entry: deck.draw(&mut random), number }
        };
        drive::closed(in_flight, length, next, |arrival| self.send(sender, arrival)).await
    }

    /// Waits until `sender`'s end gives a right answer.
    pub(crate) async fn wait_right(&self, sender: &Sender) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_MAX;
        let first = Arrival { at: Duration::ZERO, entry: 0, number: FIRST_CLOSED };
        loop {
            match self.send(sender, first).await {
                Err(failure) if deadline <= Instant::now() => return Err(failure),
                Err(_) => tokio::time::sleep(LOOK).await,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Mean service time alone in seconds, and its coefficient of variation.
    pub(crate) fn mean_and_variation(&self) -> (f64, f64) {
        let n = self.pool.len().max(1) as f64;
        let alone = || self.pool.iter().map(|known| known.alone.as_secs_f64());
        let mean = alone().sum::<f64>() / n;
        let variance = alone().map(|time| (time - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt() / mean)
    }

    /// Sends `run` to `sender`; `what` is shown while it lasts.
    pub(crate) async fn run(&self, sender: &Sender, run: Run, what: &'static str) -> LoadResult {
        let mut random = Rng::with_seed(self.seed.wrapping_add(run.number));
        let arrivals =
            run.plan.draw(&mut random, &mut Deck::new(self.pool.len()), run.number << NUMBER_BITS);
        let mut tally = Tally::new(&self.pool, run.n_classes);
        let mut progress = Progress::new(what, arrivals.len() as u64);
        let start = Instant::now();
        let due = drive::pace(arrivals, start);
        let send = |arrival| self.send(sender, arrival);
        drive::open(
            due,
            run.in_flight_max,
            || start.elapsed(),
            send,
            |done, in_flight| {
                tally.record(&done);
                let (answered, failed) = tally.counts();
                progress.show(answered + failed, || {
                    format!(" answered, {failed} of them wrong; {in_flight} in flight")
                });
            },
        )
        .await;
        progress.end();
        tally.result(start.elapsed())
    }

    /// Sends one request and checks its answer.
    async fn send(&self, sender: &Sender, arrival: Arrival) -> Result<(), Failure> {
        let known = &self.pool[arrival.entry];
        let answer = sender.send(&known.request, arrival.number).await?;
        if answer == known.answer { Ok(()) } else { Err(Failure::Wrong) }
    }
}
