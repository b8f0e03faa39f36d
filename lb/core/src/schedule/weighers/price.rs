//! Prefers a cheap host.
//!
//! weight = −(service on the host × its price), in seconds, where the price of a core's second is
//! relative to that of the reference core, which is 1. The multiplier says how many seconds of
//! delay one second of a reference core is worth.

use super::{Weigher, add_each};
use crate::fleet::Glance;
use crate::host::HostState;
use crate::schedule::Demand;
use crate::units::Seconds;

/// See the module.
#[derive(Debug)]
pub(super) struct Price;

impl Weigher for Price {
    fn name(&self) -> &'static str {
        "price"
    }

    fn weight(&self, demand: &Demand<'_>, host: &HostState) -> Seconds {
        -(demand.estimate.mean / host.speed) * host.spec.price
    }

    fn bound(&self, demand: &Demand<'_>, glances: &[Glance], multiplier: f64, most: &mut [f64]) {
        let x = demand.estimate.mean.as_cpu_secs();
        let weight = |glance: &Glance| -Seconds(x / glance.speed) * glance.price;
        add_each(glances, multiplier, most, weight);
    }
}
