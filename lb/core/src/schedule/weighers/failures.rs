//! Avoids a host that has failed lately.
//!
//! weight = −p / (1 − p) × (one attempt), in seconds. p is the smoothed fraction of its requests
//! that failed; it halves with every length of a first ejection since the last failure. One attempt
//! costs the service time and the round trip, and at least a second: a host that fails at once is
//! always idle, and would draw all the short requests. A host that returns from an ejection starts
//! without failures.

use super::Weigher;
use crate::host::HostState;
use crate::schedule::Demand;
use crate::units::Seconds;

/// The least that a failed attempt costs.
const ATTEMPT_SECS_MIN: f64 = 1.0;

/// The largest fraction that is believed.
const RATE_MAX: f64 = 0.95;

/// A fraction below this is forgotten: one failure, long ago.
const RATE_MIN: f64 = 1e-3;

/// See the module.
#[derive(Debug)]
pub(super) struct Failures;

impl Weigher for Failures {
    fn name(&self) -> &'static str {
        "failures"
    }

    fn weight(&self, demand: &Demand<'_>, host: &HostState) -> Seconds {
        if host.failure_rate < RATE_MIN {
            return Seconds::ZERO;
        }
        let rate = host.failure_rate_at(demand.now, demand.hosts.eject_base);
        if rate < RATE_MIN {
            return Seconds::ZERO;
        }
        let rate = rate.min(RATE_MAX);
        let attempt = demand.estimate.mean / host.speed + host.round_trip;
        -Seconds(attempt.0.max(ATTEMPT_SECS_MIN)) * (rate / (1.0 - rate))
    }
}
