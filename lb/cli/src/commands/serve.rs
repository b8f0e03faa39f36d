//! `weighbridge serve`: the balancer as a configuration file says.

use std::net::SocketAddr;
use std::path::PathBuf;

use weighbridge_proxy::config::{Overrides, WorkerRange};

use super::{CommandError, check, run};

/// Run the balancer as a configuration file says.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The configuration file; `weighbridge config` prints one to start from.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    overrides: OverrideArguments,
}

/// What the command line may say against the file.
#[derive(Debug, clap::Args)]
pub(crate) struct OverrideArguments {
    /// Where clients connect [the file's, by default 127.0.0.1:8000].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where operators and Prometheus connect [the file's, by default 127.0.0.1:9090].
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Folder for observations, models and logs [the file's].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The least and most local workers, of one core each [by default 1..CORES].
    #[arg(long, value_name = "MIN..MAX")]
    workers: Option<WorkerRange>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        crate::log::start();
        let config = check::read(&self.config)?.with(&self.overrides.into())?;
        let data_dir = config.store.data_dir.clone();
        run::run(config, |server| run::say(&run::places(server, &data_dir)))
    }
}

impl From<OverrideArguments> for Overrides {
    fn from(arguments: OverrideArguments) -> Overrides {
        Overrides {
            listen: arguments.listen,
            admin: arguments.admin,
            data_dir: arguments.data_dir,
            workers: arguments.workers,
        }
    }
}
