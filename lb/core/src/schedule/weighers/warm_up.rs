//! Spares a host that has just become active (slow start): its caches are cold.
//!
//! weight = −(service + work left per core) (1 / r − 1), in seconds, where r grows from 0.1 to 1
//! over the warm-up: a host at a tenth of its warm-up is believed to run at a tenth of its speed.

use super::Weigher;
use crate::host::HostState;
use crate::schedule::Demand;
use crate::units::Seconds;

/// The least fraction of its speed that a host starts with.
const RAMP_MIN: f64 = 0.1;

/// See the module.
#[derive(Debug)]
pub(super) struct WarmUp;

impl Weigher for WarmUp {
    fn name(&self) -> &'static str {
        "warm_up"
    }

    fn weight(&self, demand: &Demand<'_>, host: &HostState) -> Seconds {
        let age = demand.now.as_nanos().saturating_sub(host.since.as_nanos());
        let whole = u64::try_from(demand.hosts.warm_up.as_nanos()).unwrap_or(u64::MAX);
        if whole <= age {
            return Seconds::ZERO;
        }
        let ramp = (age as f64 / whole as f64).max(RAMP_MIN);
        let left = host.work_left * (1.0 / f64::from(host.cores));
        -((demand.estimate.mean + left) / host.speed) * (1.0 / ramp - 1.0)
    }
}
