//! Runs a balancer until a signal ends it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weighbridge_proxy::config::{Config, FleetSource};
use weighbridge_proxy::fleet::{Fleet, LocalProcesses};
use weighbridge_proxy::server::{Inherited, Listens, Program, Server, Services, Source};
use weighbridge_proxy::signals::Signals;

use super::{CommandError, aws, operate};

/// How long background work (training) may take to notice the end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

/// Reads a configuration, each time that it is called.
pub(crate) type Read = Box<dyn Fn() -> Result<Config, CommandError> + Send + Sync>;

/// Starts a balancer by the configuration that `read` reads, calls `started`, and runs it until a
/// signal ends it. Its workers end with it. Requests that were cut off are an error.
pub(crate) fn run(read: Read, started: impl FnOnce(&Server)) -> Result<(), CommandError> {
    // Before anything else is opened or started.
    let inherited = Inherited::from_env()?;
    let config = read()?;
    crate::log::set(config.log_level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads)
        .thread_name("balancer")
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let services = services(&config, read, inherited).await?;
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
pub(crate) fn places(server: &Server) -> String {
    let requests: String = server.listeners.iter().map(requests).collect();
    let (scheme, data_dir) = (scheme(server.admin_has_tls), server.data_dir());
    format!(
        "{requests}\
         \x20 admin     {scheme}://{}  (/fleet /models /metrics /explain /healthz /readyz)\n\
         \x20 data      {}\n",
        server.admin,
        data_dir.display()
    )
}

/// The line of one listener.
fn requests(listens: &Listens) -> String {
    format!("  requests  {}://{}\n", scheme(listens.has_tls), listens.address)
}

fn scheme(has_tls: bool) -> &'static str {
    if has_tls { "https" } else { "http" }
}

/// Prints `text`. A closed standard output does not end the balancer.
pub(crate) fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        tracing::warn!(%error, "standard output cannot be written");
    }
}

/// Reads the configuration anew, by the same file and options.
struct Reader(Read);

impl Source for Reader {
    fn read(&self) -> Result<Config, Vec<String>> {
        (self.0)().map_err(|error| match &error {
            CommandError::Config { mistakes, .. } => {
                mistakes.iter().map(ToString::to_string).collect()
            }
            other => vec![operate::with_causes(other)],
        })
    }

    fn taken_up(&self, config: &Config) {
        crate::log::set(config.log_level);
    }
}

/// The parts of the configuration that the proxy cannot make by itself.
async fn services(
    config: &Config,
    read: Read,
    inherited: Inherited,
) -> Result<Services, CommandError> {
    let source: Arc<dyn Source> = Arc::new(Reader(read));
    let arguments = std::env::args_os().skip(1).collect();
    let program = Program { path: std::env::current_exe()?, arguments };
    let mut services = Services {
        inherited,
        program: Some(program),
        source: Some(source),
        fleet: fleet(config)?,
        ..Services::default()
    };
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
