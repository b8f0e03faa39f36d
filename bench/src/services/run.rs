//! One service behind a balancer, and the requests that are sent to it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::calls::Call;
use super::score::{self, ServiceScore};
use super::{Service, ServiceResult, Services, ServicesError};
use crate::client::Client;
use crate::compare::process::{self, Process};

/// What all services are written with.
const SERVE: &str = include_str!("../../services/serve.py");

/// A model is there within this, once it is due.
const TRAINED_MAX: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// A service and a balancer that run. They end when it is dropped, the balancer first.
#[derive(Debug)]
struct Running {
    client: Client,
    balancer: Process,
    _service: Process,
    folder: TempDir,
}

/// A line of the access log.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    pub(super) route: Option<String>,
    pub(super) estimate_mean: Option<f64>,
    pub(super) estimate_p90: Option<f64>,
    pub(super) work: Option<f64>,
}

impl Services {
    /// Measures one service.
    pub(super) async fn measure(
        &self,
        python: &Path,
        service: Service,
    ) -> Result<ServiceResult, ServicesError> {
        let mut random = Rng::with_seed(self.seed);
        let running = Running::start(python, service)?;
        let client = &running.client;
        let mut calls = |n: u32| (0..n).map(|_| service.call(&mut random)).collect::<Vec<Call>>();
        for call in calls(self.requests) {
            client.call(call.method, &call.target, call.content_type, call.body).await?;
        }
        running.is_trained(service).await?;
        for call in calls(self.held_out) {
            client.call(call.method, &call.target, call.content_type, call.body).await?;
        }
        let route = route(client, service).await?;
        send_two_at_a_time(client, calls(self.held_out)).await?;
        let lines = running.stop()?;
        let expected = (self.requests + 2 * self.held_out) as usize;
        let told = score::told(&lines);
        if told.len() != expected {
            return Err(ServicesError::Log { got: told.len(), expected });
        }
        let (alone, busy) = told.split_at((self.requests + self.held_out) as usize);
        let score = ServiceScore::of(alone, self.requests as usize);
        Ok(ServiceResult {
            service: service.name(),
            requests: self.requests,
            score,
            two_at_a_time_mdape: score::mdape(busy),
            estimator: route["estimator"].as_str().unwrap_or("unknown").to_owned(),
            formula: route["formula"].as_str().unwrap_or("none").to_owned(),
        })
    }
}

/// Sends `calls` so that two are always on their way.
async fn send_two_at_a_time(client: &Client, calls: Vec<Call>) -> Result<(), ServicesError> {
    let half = calls.len() / 2;
    let (mut one, mut other) = (calls, Vec::new());
    other.extend(one.drain(half..));
    let send = async |calls: Vec<Call>| -> Result<(), ServicesError> {
        for call in calls {
            client.call(call.method, &call.target, call.content_type, call.body).await?;
        }
        Ok(())
    };
    tokio::try_join!(send(one), send(other))?;
    Ok(())
}

/// What `/models` says of the service's route.
async fn route(client: &Client, service: Service) -> Result<Value, ServicesError> {
    let mut models = client.models().await?;
    Ok(models["routes"][service.name()].take())
}

impl Running {
    fn start(python: &Path, service: Service) -> Result<Running, ServicesError> {
        let folder = tempfile::tempdir()?;
        let at = process::free_address()?;
        let service_process = serve(python, service, at, folder.path())?;
        let own = std::env::current_exe()?.with_file_name("weighbridge");
        if !own.is_file() {
            return Err(ServicesError::Missing(own));
        }
        let (listen, admin) = (process::free_address()?, process::free_address()?);
        let config = folder.path().join("weighbridge.toml");
        std::fs::write(&config, configuration(service, [at, listen, admin], folder.path()))?;
        let mut command = Command::new(own);
        command.args(["serve", "-c"]).arg(&config).env("RUST_LOG", "error");
        let log = folder.path().join("balancer.log");
        process::write_to(&mut command, &log)?;
        let mut balancer = Process::start(command, None)?;
        balancer.wait_up(listen, &log)?;
        balancer.wait_up(admin, &log)?;
        let client = Client::new(&format!("http://{listen}"), &format!("http://{admin}"));
        Ok(Running { client, balancer, _service: service_process, folder })
    }

    /// Waits until the model that is due has been trained.
    async fn is_trained(&self, service: Service) -> Result<(), ServicesError> {
        let deadline = Instant::now() + TRAINED_MAX;
        while Instant::now() < deadline {
            let training = &route(&self.client, service).await?["training"];
            let is_due = training["is_varied"] == true
                && training["needed"].as_u64() <= training["observations"].as_u64();
            if !is_due && training["is_going_on"] == false {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends the balancer, and returns what it logged, in the order in which requests ended.
    fn stop(self) -> Result<Vec<Line>, ServicesError> {
        drop(self.balancer);
        let log = match std::fs::read_to_string(self.folder.path().join("access.jsonl")) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            log => log?,
        };
        log.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// Starts a service at an address.
fn serve(
    python: &Path,
    service: Service,
    at: SocketAddr,
    folder: &Path,
) -> Result<Process, ServicesError> {
    let name = format!("{}.py", service.name());
    std::fs::write(folder.join("serve.py"), SERVE)?;
    std::fs::write(folder.join(&name), service.source())?;
    let mut command = Command::new(python);
    command.arg(name).arg(at.port().to_string()).current_dir(folder);
    // It keeps what it knows of fonts from one run to the next.
    if let Some(libraries) = python.ancestors().nth(2) {
        command.env("MPLCONFIGDIR", libraries.join("matplotlib"));
    }
    let log = folder.join("service.log");
    process::write_to(&mut command, &log)?;
    let mut process = Process::start(command, None)?;
    process.wait_up(at, &log)?;
    Ok(process)
}

/// A balancer of which nothing is asked but to carry requests to the service. No repeat is known: a
/// service that gets the same requests over and over would be too easy.
fn configuration(service: Service, addresses: [SocketAddr; 3], folder: &Path) -> String {
    let [at, listen, admin] = addresses;
    let (name, folder) = (service.name(), folder.display());
    format!(
        "listen = \"{listen}\"\nadmin = \"{admin}\"\n\
         [fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{at}\"\n\
         [store]\ndata_dir = \"{folder}/data\"\n\
         [access_log]\nto = \"file\"\npath = \"{folder}/access.jsonl\"\n\
         [repeats]\nentries_max = 0\n\
         [[routes]]\nname = \"{name}\"\npath = \"/{name}\"\n"
    )
}
