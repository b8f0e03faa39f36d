//! `weighbridge serve`: the balancer, by a configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;

use weighbridge_proxy::config::{Overrides, WorkerRange};

use super::{CommandError, check, run};

/// Run the balancer for your own service, by a configuration file.
///
/// The file says where the hosts come from and which routes there are. Options win over the file.
/// SIGTERM, SIGINT and SIGQUIT drain the balancer; a second one ends it at once. SIGHUP, as
/// `weighbridge reload`, reads the file anew. SIGUSR1 opens its logs again. The exit status is 0
/// after a drain, 3 where it cut requests off, 1 where the balancer could not start.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge serve -c my.toml
  weighbridge serve -c my.toml --listen 0.0.0.0:80 --data-dir /var/lib/weighbridge

A file for two hosts of a service of yours:
  [fleet]
  kind = \"static\"
  [[fleet.static.hosts]]
  address = \"10.0.0.7:8001\"
  [[fleet.static.hosts]]
  address = \"10.0.0.8:8001\"
  [[routes]]
  name = \"all\"
  path = \"/\"")]
pub(crate) struct Serve {
    /// The configuration file. `weighbridge config` prints one to start from.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    overrides: OverrideArguments,
}

/// Options that win over the file.
#[derive(Debug, clap::Args)]
pub(crate) struct OverrideArguments {
    /// The address for clients [default: `listen` of the configuration, 127.0.0.1:8000].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The address for operators and Prometheus [default: `admin` of the configuration,
    /// 127.0.0.1:9090].
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Folder for observations, models and logs [default: `store.data_dir` of the configuration,
    /// weighbridge-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The smallest and the largest number of workers or instances, such as 1..4, or one number for
    /// both. Not for a static fleet [default: `scale.hosts_min` and `scale.hosts_max` of the
    /// configuration].
    #[arg(long, value_name = "MIN..MAX")]
    workers: Option<WorkerRange>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        crate::log::start();
        let overrides = self.overrides.into();
        let read = move || Ok(check::read(&self.config)?.with(&overrides)?);
        run::run(Box::new(read), |server| run::say(&run::places(server)))
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
