//! Prefers the host where the request costs the least time, its own and that of others.
//!
//! weight = −(its wait + what others wait for it + its service there) / preference, in seconds; see
//! [`delay`](crate::schedule::delay) for each discipline, and for estimates that say nothing: among
//! hosts of one capacity that is least connections. The preference is an operator's, 1 unless told:
//! a host of 2 gets a request where that adds up to twice as many seconds as on a host of 1, and a
//! host of 0.5 only where it adds less than half as many.
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
        let total = if demand.estimate.trusted {
            Delay::of(demand, host).total()
        } else {
            delay::equal_total(demand, host)
        };
        -preferred(total, host.preference)
    }

    fn bound(&self, demand: &Demand<'_>, glances: &[Glance], multiplier: f64, most: &mut [f64]) {
        add_each(glances, multiplier, most, |glance| {
            -preferred(delay::total_min(demand, glance), glance.preference)
        });
    }
}

/// What the seconds `total` count as on a host that is preferred by so much.
fn preferred(total: Seconds, preference: f64) -> Seconds {
    Seconds(total.0 / preference)
}
