//! `weighbridge upgrade`: another process takes over from a running balancer.

use super::operate::Admin;
use super::{CommandError, run};

/// Let a new process take over from a running balancer, and lose nothing.
///
/// The balancer starts the program once more, from the file that it was started from: after an
/// installation that is the new version. The new process gets the listening sockets, reads the
/// configuration, and takes requests. Then the old one takes no more, finishes what it has, and
/// ends. Where the new one fails, nothing has changed, the reason is told, and the exit status is
/// 1. What a reload cannot change, this does, except for addresses.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge check my.toml && weighbridge upgrade
  weighbridge upgrade --admin https://balancer.example:9090 --token-file token")]
pub(crate) struct Upgrade {
    #[command(flatten)]
    admin: Admin,
}

impl Upgrade {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let told = self.admin.post("/upgrade", String::new())?;
        run::say(&format!("process {} has taken over\n", told["pid"]));
        Ok(())
    }
}
