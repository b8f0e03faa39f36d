//! May this host be used? One file a filter.

mod active;
mod ejected;
mod in_flight;
mod memory;
mod not_tried;

use std::fmt::Debug;

use super::{Batch, Demand};
use crate::host::HostState;

/// Every filter there is. To add one: a file beside the others, and a line here.
pub const ALL: &[&dyn Filter] = &[
    &active::Active,
    &not_tried::NotTried,
    &in_flight::InFlight,
    &memory::Memory,
    &ejected::Ejected,
];

/// Says whether a host may be used.
pub trait Filter: Debug + Sync {
    /// Its name in the configuration: that of its file.
    fn name(&self) -> &'static str;

    /// Whether `host` may be used.
    fn passes(&self, demand: &Demand<'_>, host: &HostState) -> bool;

    /// Whether it is waived rather than leave no host at all.
    fn may_be_waived(&self) -> bool {
        false
    }

    /// Those of the kept hosts of `batch` that pass, a bit for each.
    fn keep(&self, demand: &Demand<'_>, batch: Batch<'_>) -> u64 {
        batch
            .kept()
            .fold(0, |passed, (bit, host)| passed | u64::from(self.passes(demand, host)) << bit)
    }
}

/// The filter of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Filter> {
    ALL.iter().copied().find(|filter| filter.name() == name)
}
