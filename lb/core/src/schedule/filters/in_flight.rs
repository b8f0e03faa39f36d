//! Passes hosts that have fewer requests than their limit, `in_flight_max_per_core` for each core.
//! Requests of other balancers count.

use super::Filter;
use crate::host::HostState;
use crate::schedule::Demand;

/// See the module.
#[derive(Debug)]
pub(super) struct InFlight;

impl Filter for InFlight {
    fn name(&self) -> &'static str {
        "in_flight"
    }

    fn passes(&self, demand: &Demand<'_>, host: &HostState) -> bool {
        let limit = demand.hosts.in_flight_max_per_core.saturating_mul(host.cores as usize);
        (host.n_requests() as usize) < limit
    }
}
