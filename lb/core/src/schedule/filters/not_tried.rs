//! Passes hosts that have not failed this request before.

use super::Filter;
use crate::host::HostState;
use crate::schedule::Demand;

/// See the module.
#[derive(Debug)]
pub(super) struct NotTried;

impl Filter for NotTried {
    fn name(&self) -> &'static str {
        "not_tried"
    }

    fn passes(&self, demand: &Demand<'_>, host: &HostState) -> bool {
        !demand.tried.contains(&host.id)
    }
}
