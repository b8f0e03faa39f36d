//! Carries out the plans of the balancer: launches, drains, replacements. It decides nothing.
//!
//! Local workers live and die with the balancer ([`processes`]); rented machines live on without it
//! and are found again ([`machines`]).

mod ledger;
pub(crate) mod machines;
pub(crate) mod processes;

use std::sync::Arc;
use std::time::Duration;

use weighbridge_core::host::HostId;
use weighbridge_core::scale::ScalePlan;

use crate::backoff::Backoff;

/// Time between two checks whether a host is empty.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Pauses between tries, after failures in a row.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(30) };

/// Carries out scale plans.
#[derive(Clone)]
pub(crate) enum Executor {
    /// On worker processes of this machine.
    Processes(Arc<processes::Executor>),
    /// On rented machines.
    Machines(Arc<machines::Executor>),
}

impl Executor {
    /// Carries out `plan`. Returns at once; the work goes on in the background.
    pub(crate) fn execute(&self, plan: &ScalePlan) {
        match self {
            Executor::Processes(executor) => executor.execute(plan),
            Executor::Machines(executor) => executor.execute(plan),
        }
    }

    /// The worker of `host` says that it takes nothing more.
    pub(crate) fn leaves(&self, host: HostId) {
        match self {
            // It ends by itself, and is replaced then.
            Executor::Processes(_) => {}
            Executor::Machines(executor) => executor.leaves(host),
        }
    }

    /// Ends the hosts that live only with the balancer, `at_once` where they compute for nobody any
    /// more. Returns when they are gone.
    pub(crate) async fn stop(&self, at_once: bool) {
        match self {
            Executor::Processes(executor) => executor.end_all(at_once).await,
            // They stay: the next balancer finds them.
            Executor::Machines(executor) => executor.abandon(),
        }
    }
}
