//! Runs a balancer until a signal ends it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use weighbridge_proxy::config::{Config, FleetConfig};
use weighbridge_proxy::fleet::{Fleet, LocalProcesses};
use weighbridge_proxy::server::Server;

use super::CommandError;

/// Starts a balancer by `config`, calls `started`, and drains when SIGINT or SIGTERM comes. A
/// second signal ends it at once; its workers end with it.
pub(crate) fn run(config: Config, started: impl FnOnce(&Server)) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads)
        .thread_name("balancer")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let fleet = fleet(&config)?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let server = Server::start(config, fleet).await?;
        started(&server);
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        tokio::select! {
            () = server.stop() => {}
            _ = interrupted.recv() => tracing::warn!("ended at once"),
            _ = terminated.recv() => tracing::warn!("ended at once"),
        }
        Ok(())
    })
}

/// What starts the workers of a local fleet: this program.
fn fleet(config: &Config) -> Result<Option<Arc<dyn Fleet>>, CommandError> {
    match &config.fleet {
        FleetConfig::Static(_) => Ok(None),
        FleetConfig::Local(local) => {
            let program: PathBuf = std::env::current_exe()?;
            let own = [
                "worker",
                "--listen",
                "127.0.0.1:0",
                "--exit-with-stdin",
                "--cores",
                &local.cores_per_worker.to_string(),
            ];
            let own = own.into_iter().map(str::to_owned);
            let arguments = own.chain(local.arguments.iter().cloned()).collect();
            Ok(Some(LocalProcesses::new(program, arguments)))
        }
    }
}
