//! Carries out what the balancer plans: launches, drains, replacements. It has no choice of its own.
//!
//! Local workers live and die with the balancer ([`processes`]); rented machines live on without it
//! and are found again ([`machines`]).

mod ledger;
pub(crate) mod machines;
pub(crate) mod processes;

use std::sync::Arc;
use std::time::Duration;

use weighbridge_core::scale::ScalePlan;

/// Between two looks at whether a host is empty.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The longest pause between two failures.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Carries out scale plans.
#[derive(Clone)]
pub(crate) enum Executor {
    /// On worker processes of this machine.
    Processes(Arc<processes::Executor>),
    /// On rented machines.
    Machines(Arc<machines::Executor>),
}

impl Executor {
    /// Carries out `plan`; returns at once, the work goes on beside.
    pub(crate) fn execute(&self, plan: &ScalePlan) {
        match self {
            Executor::Processes(executor) => executor.execute(plan),
            Executor::Machines(executor) => executor.execute(plan),
        }
    }

    /// Ends what lives only with the balancer. Returns when it is gone.
    pub(crate) async fn stop(&self) {
        match self {
            Executor::Processes(executor) => executor.end_all().await,
            // They stay: the next balancer finds them.
            Executor::Machines(executor) => executor.abandon(),
        }
    }
}

/// The pause after so many failures in a row: doubling from 100 ms.
fn backoff(failures: u64) -> Duration {
    let exponent = u32::try_from(failures.min(16)).unwrap_or(16);
    (Duration::from_millis(50) * 2u32.saturating_pow(exponent)).min(BACKOFF_MAX)
}
