//! Prefers the host where the request costs the least time, its own and that of others.
//!
//! weight = −(its wait + what others wait for it + its service there), in seconds; see
//! [`delay`](crate::schedule::delay) for each discipline, and for estimates that say nothing: among
//! hosts of one capacity that is least connections.
//!
//! # Decision: one principal weigher, and every weight in seconds
//!
//! Sending requests to the host with the least predicted work is worse than counting them where
//! hosts share their time. A prediction helps in ordering, and in placing only through the delay
//! that a request would suffer and cause. In seconds, weights can be added without scaling them.
//! Cost: every new weigher has to state its preference in seconds. Look again when a goal is not a
//! delay, such as money.

use super::{Weigher, add_each};
use crate::fleet::Glance;
use crate::host::HostState;
use crate::schedule::{Delay, Demand, delay};
use crate::units::Seconds;

/// See the module.
#[derive(Debug)]
pub(super) struct AddedDelay;

impl Weigher for AddedDelay {
    fn name(&self) -> &'static str {
        "added_delay"
    }

    fn weight(&self, demand: &Demand<'_>, host: &HostState) -> Seconds {
        if !demand.estimate.trusted {
            return -delay::equal_total(demand, host);
        }
        -Delay::of(demand, host).total()
    }

    fn bound(&self, demand: &Demand<'_>, glances: &[Glance], multiplier: f64, most: &mut [f64]) {
        add_each(glances, multiplier, most, |glance| -delay::total_min(demand, glance));
    }
}
