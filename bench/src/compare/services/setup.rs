//! Starts the service and the proxies before it, and measures the requests alone and the capacity.

use std::net::SocketAddr;
use std::path::Path;

use fastrand::Rng;

use super::{RUN, Services};
use crate::compare::process::{self, Process};
use crate::compare::proxies::Purpose;
use crate::compare::running::{Before, RunningWorker, yielding};
use crate::compare::stage::{Contestant, Stage, TIMEOUT, go_first};
use crate::compare::{CompareError, Proxy};
use crate::load::CAPACITY_LENGTH;
use crate::load::send::Sender;
use crate::load::workload::Workload;
use crate::requests::{Request, Route, picture};
use crate::services::python;

/// The service.
const APP: &str = include_str!("../../../services/app.py");

/// Pixels of the images: log-normal, about this median, with this deviation of the logarithm. So a
/// thumbnail takes about 50 ms on average, and the largest take a hundred times the smallest.
const PIXELS_MEDIAN: f64 = 1.9e6;
const PIXELS_SIGMA: f64 = 1.2;
const PIXELS: (f64, f64) = (1.0e4, 2.5e7);

/// Sides of the thumbnails.
const THUMBNAILS: [u32; 3] = [64, 128, 256];

/// Where the service comes from.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    python: &'a Path,
    folder: &'a Path,
    goes_first: bool,
}

/// Starts everything and measures the requests alone and the capacity.
pub(super) async fn set(asked: &Services, present: &[Proxy]) -> Result<Stage, CompareError> {
    let python = python::prepare_with("gunicorn");
    let python = python.map_err(|error| CompareError::Service(error.to_string()))?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("app.py"), APP)?;
    let goes_first = go_first();
    let source = Source { python: &python, folder: folder.path(), goes_first };
    let cores = process::cores()?;
    let (mut service, mut hosts, mut own_hosts) = (Vec::new(), Vec::new(), Vec::new());
    for nth in 0..asked.hosts as usize {
        let core = cores.get(nth % cores.len().max(1)).copied();
        let (server, address) = source.gunicorn(nth, asked.gunicorn_workers, core)?;
        service.push(server);
        hosts.push(address);
        if present.contains(&Proxy::Weighbridge) {
            let worker = source.worker(asked.processes, core)?;
            own_hosts.push(worker.address);
            service.push(worker.process);
        }
    }
    let alone = Sender::new(&format!("http://{}", hosts[0]), TIMEOUT);
    let workload = Workload::of(requests(asked), asked.seed, &alone).await?;
    let before = |hosts| Before { purpose: Purpose::Services, hosts, cores: 1, pin: None };
    let mut contestants = Vec::new();
    for proxy in present {
        let before = before(&hosts[..]);
        contestants.push(Contestant::start(proxy.name(), *proxy, before, &workload).await?);
    }
    if !own_hosts.is_empty() {
        let before = before(&own_hosts[..]);
        let own = Contestant::start(RUN, Proxy::Weighbridge, before, &workload).await?;
        contestants.push(own);
    }
    let first = contestants.first().ok_or(CompareError::NoProxies)?;
    let capacity = first.capacity(&workload, CAPACITY_LENGTH * 2).await?;
    let folder = Some(folder);
    Ok(Stage { contestants, service, workload, capacity, goes_first, folder })
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
