//! Passes hosts whose memory in use is at most `memory_utilization_max`, as they last reported. A
//! host that does not say passes.

use super::Filter;
use crate::host::HostState;
use crate::schedule::Demand;

/// See the module.
#[derive(Debug)]
pub(super) struct Memory;

impl Filter for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn passes(&self, demand: &Demand<'_>, host: &HostState) -> bool {
        host.memory_utilization().is_none_or(|used| used <= demand.hosts.memory_utilization_max)
    }
}
