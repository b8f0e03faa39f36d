//! Passes hosts that take requests.
//!
//! A host that a job has for itself takes none.

use super::Filter;
use crate::host::{HostState, Phase};
use crate::schedule::Demand;

/// See the module.
#[derive(Debug)]
pub(super) struct Active;

impl Filter for Active {
    fn name(&self) -> &'static str {
        "active"
    }

    fn passes(&self, _: &Demand<'_>, host: &HostState) -> bool {
        match host.phase {
            Phase::Active => host.reserved_for.is_none(),
            Phase::Starting | Phase::Draining | Phase::Gone => false,
        }
    }
}
