//! Prefers a near host.
//!
//! weight = −(smoothed round trip to the host), in seconds.

use super::Weigher;
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

    fn weight_max(&self, _: &Demand<'_>, glance: &Glance) -> Seconds {
        -Seconds(glance.round_trip)
    }
}
