//! The service, the proxies before it and the requests, ready to be measured.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::setpriority_process;
use tempfile::TempDir;

use super::{RUN, Services};
use crate::compare::process::{self, Process};
use crate::compare::proxies::Purpose;
use crate::compare::running::{Before, RunningProxy, RunningWorker, yielding};
use crate::compare::scheduling::Slice;
use crate::compare::{CompareError, NICE, Proxy};
use crate::load::arrivals::{Plan, Profile};
use crate::load::send::Sender;
use crate::load::workload::{Run, Workload};
use crate::load::{CAPACITY_IN_FLIGHT, CAPACITY_LENGTH};
use crate::requests::{Request, Route, picture};
use crate::services::python;

/// The service.
const APP: &str = include_str!("../../../services/app.py");

/// Pixels of the images: log-normal, about this median, with this deviation of the logarithm. So a
/// thumbnail takes about 50 ms on average, and the largest take a hundred times the smallest.
const PIXELS_MEDIAN: f64 = 1.0e6;
const PIXELS_SIGMA: f64 = 1.2;
const PIXELS: (f64, f64) = (1.0e4, 2.5e7);

/// Sides of the thumbnails.
const THUMBNAILS: [u32; 3] = [64, 128, 256];

/// An answer that takes longer has failed.
const TIMEOUT: Duration = Duration::from_mins(2);
const IN_FLIGHT_MAX: usize = 4096;
const REQUESTS_MAX: u64 = 10_000_000;
const N_CLASSES: usize = 4;

/// All that runs during a comparison.
#[derive(Debug)]
pub(super) struct Stage {
    contestants: Vec<Contestant>,
    pub(super) workload: Workload,
    /// Right answers per second at the most.
    pub(super) capacity: f64,
    /// Whether what sends and carries requests goes before the service.
    pub(super) goes_first: bool,
    /// Servers as anybody runs them.
    servers: Vec<Process>,
    /// The same under our worker.
    workers: Vec<RunningWorker>,
    _folder: TempDir,
}

/// A proxy and the way in which the service stands behind it.
#[derive(Debug)]
struct Contestant {
    name: &'static str,
    running: RunningProxy,
    sender: Sender,
}

/// Where the service comes from.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    python: &'a Path,
    folder: &'a Path,
    goes_first: bool,
}

impl Stage {
    /// Starts everything and measures the requests alone and the capacity.
    pub(super) async fn set(asked: &Services, present: &[Proxy]) -> Result<Stage, CompareError> {
        let python = python::prepare_with("gunicorn");
        let python = python.map_err(|error| CompareError::Service(error.to_string()))?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("app.py"), APP)?;
        // Only with a privilege; the service goes back to where it would have been.
        let goes_first = setpriority_process(None, -NICE).is_ok();
        let source = Source { python: &python, folder: folder.path(), goes_first };
        let cores = process::cores()?;
        let (mut servers, mut hosts, mut workers) = (Vec::new(), Vec::new(), Vec::new());
        for nth in 0..asked.hosts as usize {
            let core = cores.get(nth % cores.len().max(1)).copied();
            let (server, address) = source.gunicorn(nth, asked.gunicorn_workers, core)?;
            servers.push(server);
            hosts.push(address);
            if present.contains(&Proxy::Weighbridge) {
                workers.push(source.worker(asked.processes, core)?);
            }
        }
        let alone = Sender::new(&format!("http://{}", hosts[0]), TIMEOUT);
        let workload = Workload::of(requests(asked), asked.seed, &alone).await?;
        let mut contestants = Vec::new();
        for proxy in present {
            contestants.push(Contestant::start(proxy.name(), *proxy, &hosts, &workload).await?);
        }
        if !workers.is_empty() {
            let hosts: Vec<SocketAddr> = workers.iter().map(|worker| worker.address).collect();
            let own = Contestant::start(RUN, Proxy::Weighbridge, &hosts, &workload).await?;
            contestants.push(own);
        }
        let Some(first) = contestants.first() else { return Err(CompareError::NoProxies) };
        let capacity = workload.capacity(&first.sender, CAPACITY_IN_FLIGHT, CAPACITY_LENGTH * 2);
        let capacity = capacity.await.map_err(|failure| CompareError::NoAnswer {
            proxy: first.name,
            failure: failure.to_string(),
        })?;
        Ok(Stage { contestants, workload, capacity, goes_first, servers, workers, _folder: folder })
    }

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

    /// Measures one for `length`. The same `number` gives the same arrivals.
    pub(super) async fn measure(
        &self,
        nth: usize,
        load: f64,
        length: Duration,
        number: u64,
    ) -> Slice {
        let Contestant { name, running, sender } = &self.contestants[nth];
        let service_cpu = || {
            let workers = self.workers.iter().map(|worker| &worker.process);
            self.servers.iter().chain(workers).map(Process::cpu_seconds).sum::<f64>()
        };
        let (proxy_before, service_before) = (running.process.cpu_seconds(), service_cpu());
        let run = self.run(load, length, number);
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

    fn run(&self, load: f64, length: Duration, number: u64) -> Run {
        let (profile, rate) = (Profile::Steady, self.capacity * load);
        let plan = Plan { profile, rate, length, requests_max: REQUESTS_MAX };
        Run { plan, in_flight_max: IN_FLIGHT_MAX, n_classes: N_CLASSES, number }
    }
}

impl Contestant {
    /// Starts `proxy` and waits for a right answer of it.
    async fn start(
        name: &'static str,
        proxy: Proxy,
        hosts: &[SocketAddr],
        workload: &Workload,
    ) -> Result<Contestant, CompareError> {
        let before = Before { purpose: Purpose::Services, hosts, cores: 1, pin: None };
        let running = RunningProxy::start(proxy, before)?;
        let sender = Sender::new(&running.url(), TIMEOUT);
        let answered = workload.wait_right(&sender).await;
        answered.map_err(|failure| CompareError::NoAnswer {
            proxy: name,
            failure: failure.to_string(),
        })?;
        Ok(Contestant { name, running, sender })
    }
}

impl Source<'_> {
    /// One host as anybody runs it: gunicorn with `n` processes, on `core`.
    fn gunicorn(
        self,
        nth: usize,
        n: u32,
        core: Option<usize>,
    ) -> Result<(Process, SocketAddr), CompareError> {
        let address = process::free_address()?;
        let mut command = yielding(self.python, self.goes_first);
        command.args(["-m", "gunicorn", "app:app", "--bind", &address.to_string()]);
        command.args(["--workers", &n.to_string()]).current_dir(self.folder);
        let log = self.folder.join(format!("gunicorn-{nth}.log"));
        process::write_to(&mut command, &log)?;
        let started = Process::start(command, core).and_then(|mut process| {
            process.wait_up(address, &log)?;
            Ok(process)
        });
        let process = started.map_err(|error| CompareError::Service(error.to_string()))?;
        Ok((process, address))
    }

    /// The same with `n` processes under our worker.
    fn worker(self, n: u32, core: Option<usize>) -> Result<RunningWorker, CompareError> {
        let (python, folder) = (self.python.display(), self.folder.display());
        let run =
            format!("{python} -m gunicorn app:app --chdir {folder} --bind {{address}} --workers 1");
        let arguments = [
            "--run".to_owned(),
            run,
            "--processes".to_owned(),
            n.to_string(),
            "--cores=1".to_owned(),
        ];
        Ok(RunningWorker::with(&arguments, self.goes_first, core)?)
    }
}

/// The requests of the pool, in random order.
fn requests(asked: &Services) -> Vec<Request> {
    let mut random = Rng::with_seed(asked.seed);
    let request = |_| {
        let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt()
            * (std::f64::consts::TAU * random.f64()).cos();
        let pixels = (PIXELS_MEDIAN * (PIXELS_SIGMA * normal).exp()).clamp(PIXELS.0, PIXELS.1);
        let side = pixels.sqrt();
        let thumbnail = random.choice(THUMBNAILS).unwrap_or(THUMBNAILS[0]);
        Request {
            route: Route::Blur,
            target: format!("/thumbnail?side={thumbnail}"),
            content_type: "image/jpeg",
            body: picture::jpeg(&mut random, side).into(),
        }
    };
    (0..asked.pool).map(request).collect()
}
