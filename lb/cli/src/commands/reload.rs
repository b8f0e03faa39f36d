//! `weighbridge reload`: a running balancer reads its configuration anew.

use super::operate::Admin;
use super::{CommandError, run};

/// Let a running balancer read its configuration anew.
///
/// Routes, fleets, hosts, limits, timeouts and policies change at once. Requests that are there go
/// on as they began; models, claims and connections stay. Hosts that are listed no longer finish
/// what they have. A mistake changes nothing: every one is told, and the exit status is 1. What
/// cannot be changed while the balancer runs is named. SIGHUP does the same, and tells the log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge reload
  weighbridge reload --admin unix:/run/weighbridge/admin.sock")]
pub(crate) struct Reload {
    #[command(flatten)]
    admin: Admin,
}

impl Reload {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let told = self.admin.post("/reload", String::new())?;
        run::say(&format!("generation {} is in use\n", told["generation"]));
        for key in told["needs_restart"].as_array().into_iter().flatten() {
            let key = key.as_str().unwrap_or_default();
            run::say(&format!("note: {key} was changed, which holds after a restart only\n"));
        }
        Ok(())
    }
}
