//! Prefers a near host.
//!
//! weight = −(smoothed round trip to the host), in seconds.

use super::{Weigher, add_each};
use crate::fleet::Glance;
use crate::host::HostState;
use crate::schedule::Demand;
use crate::units::Seconds;

/// See the module.
#[derive(Debug)]
pub(super) struct RoundTrip;

impl Weigher for RoundTrip {
    fn name(&self) -> &'static str {
        "round_trip"
    }

    fn weight(&self, _: &Demand<'_>, host: &HostState) -> Seconds {
        -host.round_trip
    }

    fn bound(&self, _: &Demand<'_>, glances: &[Glance], multiplier: f64, most: &mut [f64]) {
        add_each(glances, multiplier, most, |glance| -Seconds(glance.round_trip));
    }
}
