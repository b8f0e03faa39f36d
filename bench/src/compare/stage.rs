//! A service, the proxies before it and the requests, ready to be measured.

use std::time::Duration;

use rustix::process::setpriority_process;
use tempfile::TempDir;

use super::process::Process;
use super::running::{Before, RunningProxy};
use super::{CompareError, NICE, Proxy};
use crate::load::CAPACITY_IN_FLIGHT;
use crate::load::arrivals::{Plan, Profile};
use crate::load::send::{Failure, Sender};
use crate::load::tally::LoadResult;
use crate::load::workload::{Run, Workload};

/// All that runs during a comparison.
#[derive(Debug)]
pub(super) struct Stage {
    /// In the order in which they are measured.
    pub(super) contestants: Vec<Contestant>,
    /// The processes of the service, whoever they stand behind.
    pub(super) service: Vec<Process>,
    pub(super) workload: Workload,
    /// Right answers per second at the most.
    pub(super) capacity: f64,
    /// Whether what sends and carries requests goes before the service.
    pub(super) goes_first: bool,
    /// What the service is made of; removed at the end.
    #[expect(dead_code, reason = "it is there for as long as the service is")]
    pub(super) folder: Option<TempDir>,
}

/// A proxy, and the way in which the service stands behind it.
#[derive(Debug)]
pub(super) struct Contestant {
    /// As in the rows.
    pub(super) name: &'static str,
    pub(super) running: RunningProxy,
    sender: Sender,
}

/// How often and how long each of them is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds<'a> {
    /// Fractions of the capacity.
    pub(super) loads: &'a [f64],
    pub(super) number: u32,
    pub(super) length: Duration,
}

/// What was measured of one proxy in one round.
#[derive(Debug)]
pub(super) struct Slice {
    /// Its name.
    pub(super) proxy: &'static str,
    /// Fraction of the capacity.
    pub(super) load: f64,
    /// Requests per second that were meant to be sent.
    pub(super) rate: f64,
    pub(super) result: LoadResult,
    /// CPU seconds of the proxy.
    pub(super) proxy_cpu: f64,
    /// CPU seconds of all workers.
    pub(super) workers_cpu: f64,
}

/// An answer that takes longer has failed.
pub(super) const TIMEOUT: Duration = Duration::from_mins(2);
const IN_FLIGHT_MAX: usize = 4096;
const REQUESTS_MAX: u64 = 10_000_000;
const N_CLASSES: usize = 4;

/// Lets this process, and the proxies that it starts, go before the service; whether the system
/// does.
pub(super) fn go_first() -> bool {
    // Only with a privilege; the service goes back to where it would have been.
    setpriority_process(None, -NICE).is_ok()
}

impl Stage {
    /// The names in the rows, in the order in which they are measured.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.contestants.iter().map(|contestant| contestant.name).collect()
    }

    /// Lets every proxy carry requests for `length`, which are not counted.
    pub(super) async fn warm_up(&self, length: Duration) {
        for contestant in &self.contestants {
            self.workload.run(&contestant.sender, self.run(0.5, length, 0), "warm-up").await;
        }
    }

    /// Measures every proxy at every load, each round in another order. Within a round all get the
    /// same arrivals.
    pub(super) async fn measure(&self, rounds: Rounds<'_>) -> Vec<Slice> {
        let Rounds { loads, number: n_rounds, length } = rounds;
        let mut slices = Vec::new();
        for round in 0..n_rounds {
            for (index, load) in loads.iter().enumerate() {
                let number = 1 + u64::from(round) * loads.len() as u64 + index as u64;
                for turn in 0..self.contestants.len() {
                    let nth = (turn + round as usize + index) % self.contestants.len();
                    let run = self.run(*load, length, number);
                    slices.push(self.slice(&self.contestants[nth], *load, run).await);
                }
            }
        }
        slices
    }

    async fn slice(&self, contestant: &Contestant, load: f64, run: Run) -> Slice {
        let Contestant { name, running, sender } = contestant;
        let service_cpu = || self.service.iter().map(Process::cpu_seconds).sum::<f64>();
        let (proxy_before, service_before) = (running.process.cpu_seconds(), service_cpu());
        let result = self.workload.run(sender, run, name).await;
        Slice {
            proxy: name,
            load,
            rate: run.plan.rate,
            result,
            proxy_cpu: running.process.cpu_seconds() - proxy_before,
            workers_cpu: service_cpu() - service_before,
        }
    }

    /// The same `number` gives the same arrivals.
    fn run(&self, load: f64, length: Duration, number: u64) -> Run {
        let (profile, rate) = (Profile::Steady, self.capacity * load);
        let plan = Plan { profile, rate, length, requests_max: REQUESTS_MAX };
        Run { plan, in_flight_max: IN_FLIGHT_MAX, n_classes: N_CLASSES, number }
    }
}

impl Contestant {
    /// Starts `proxy`, which is `name` in the rows, and waits for a right answer of it.
    pub(super) async fn start(
        name: &'static str,
        proxy: Proxy,
        before: Before<'_>,
        workload: &Workload,
    ) -> Result<Contestant, CompareError> {
        let running = RunningProxy::start(proxy, before)?;
        let sender = Sender::new(&running.url(), TIMEOUT);
        let contestant = Contestant { name, running, sender };
        let answered = workload.wait_right(&contestant.sender).await;
        answered.map_err(|failure| contestant.no_answer(failure))?;
        Ok(contestant)
    }

    /// Right answers per second at the most, measured for `length`.
    pub(super) async fn capacity(
        &self,
        workload: &Workload,
        length: Duration,
    ) -> Result<f64, CompareError> {
        let capacity = workload.capacity(&self.sender, CAPACITY_IN_FLIGHT, length).await;
        capacity.map_err(|failure| self.no_answer(failure))
    }

    fn no_answer(&self, failure: Failure) -> CompareError {
        CompareError::NoAnswer { proxy: self.name, failure: failure.to_string() }
    }
}
