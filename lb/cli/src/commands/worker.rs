//! `weighbridge worker`: one worker.

use std::net::SocketAddr;

use weighbridge_worker::{WorkerConfig, serve};

use super::CommandError;

/// Run one worker.
#[derive(Debug, clap::Args)]
pub(crate) struct RunWorker {
    /// Where to listen; port 0 takes a free one. The address is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Requests that run at once [default: every core].
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Requests that wait for a core; further ones get a 503.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    queue_max: usize,
    /// End when standard input does, so as not to outlive the program that holds its other end.
    #[arg(long)]
    exit_with_stdin: bool,
}

impl RunWorker {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        crate::log::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("worker-http")
            .enable_all()
            .build()?;
        let default = WorkerConfig::new(self.listen);
        let config = WorkerConfig {
            cores: self.cores.unwrap_or(default.cores),
            queue_max: self.queue_max,
            exit_with_stdin: self.exit_with_stdin,
            ..default
        };
        Ok(runtime.block_on(serve(config))?)
    }
}
