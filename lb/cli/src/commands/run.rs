//! Runs a balancer until a signal ends it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weighbridge_proxy::config::{Config, FleetSource};
use weighbridge_proxy::fleet::{Fleet, LocalProcesses};
use weighbridge_proxy::server::{Server, Services};
use weighbridge_proxy::signals::Signals;

use super::{CommandError, aws};

/// How long background work (training) may take to notice the end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

/// Starts a balancer by `config`, calls `started`, and runs it until a signal ends it. Its workers
/// end with it. Requests that were cut off are an error.
pub(crate) fn run(config: Config, started: impl FnOnce(&Server)) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads)
        .thread_name("balancer")
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let services = services(&config).await?;
        let mut signals = Signals::listen()?;
        let server = Server::start(config, services).await?;
        started(&server);
        match server.run(&mut signals).await {
            0 => Ok(()),
            requests => Err(CommandError::CutOff(requests)),
        }
    });
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    result
}

/// The addresses and the data folder, one per line.
pub(crate) fn places(server: &Server, data_dir: &Path) -> String {
    let (listen, admin) = (server.listen, server.admin);
    format!(
        "  requests  http://{listen}\n\
         \x20 admin     http://{admin}  (/fleet /models /metrics /explain /healthz /readyz)\n\
         \x20 data      {}\n",
        data_dir.display()
    )
}

/// Prints `text`. A closed standard output does not end the balancer.
pub(crate) fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        tracing::warn!(%error, "standard output cannot be written");
    }
}

/// The parts of the configuration that the proxy cannot make by itself.
async fn services(config: &Config) -> Result<Services, CommandError> {
    let mut services = Services { fleet: fleet(config)?, ..Services::default() };
    aws::add(&mut services, config).await?;
    Ok(services)
}

/// Starts the workers of a local fleet, by this program itself.
fn fleet(config: &Config) -> Result<Option<Arc<dyn Fleet>>, CommandError> {
    match config.fleet.source() {
        FleetSource::Listed(_) | FleetSource::Rented(_) => Ok(None),
        FleetSource::Processes(local) => {
            let program: PathBuf = std::env::current_exe()?;
            let own = [
                "worker",
                "--listen",
                "127.0.0.1:0",
                "--exit-with-stdin",
                "--cores",
                &local.cores_per_worker.to_string(),
                "--discipline",
                local.discipline.name(),
            ];
            let own = own.into_iter().map(str::to_owned);
            let run = local.run.iter().flat_map(|run| ["--run".to_owned(), run.clone()]);
            let arguments = own.chain(run).chain(local.arguments.iter().cloned()).collect();
            Ok(Some(LocalProcesses::new(program, arguments)))
        }
    }
}
