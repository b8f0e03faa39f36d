//! Passes hosts that are not ejected for failing.
//!
//! Hosts that do not answer are out too, and so are hosts on probation that have a request for each
//! core. Waived where it would leave no host (Envoy: panic routing): when all fail, the fault is
//! likely elsewhere, and a try is better than none.

use super::Filter;
use crate::host::HostState;
use crate::schedule::Demand;

/// See the module.
#[derive(Debug)]
pub(super) struct Ejected;

impl Filter for Ejected {
    fn name(&self) -> &'static str {
        "ejected"
    }

    fn passes(&self, demand: &Demand<'_>, host: &HostState) -> bool {
        !host.is_ejected(demand.now) && !host.has_its_trial()
    }

    fn may_be_waived(&self) -> bool {
        true
    }
}
