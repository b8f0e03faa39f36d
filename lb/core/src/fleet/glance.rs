//! What can be told of a host without looking at it: enough to see that it cannot be among the best.
//!
//! A host's state spans several cache lines, and its claims are elsewhere. In a fleet of thousands
//! that is what a decision would cost, so these few numbers stand side by side.

use crate::host::{Discipline, HostState};
use crate::units::Time;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glance {
    /// Speed of one core.
    pub speed: f64,
    /// One by the speed: seconds for a second of the reference core.
    pub pace: f64,
    /// Remaining work of the claim that has the least; 0 where there is none.
    pub least: f64,
    /// The instant that `least` is of.
    pub as_of: Time,
    /// Seconds of round trip.
    pub round_trip: f64,
    /// Price relative to the reference core's.
    pub price: f64,
    /// How many times over the claims fill the cores, rounded down.
    pub rounds: u32,
    /// Claims.
    pub n: u32,
    /// Cores.
    pub cores: u32,
}

// === impl Glance ===

impl Glance {
    /// What is told of `host`.
    pub fn of(host: &HostState) -> Glance {
        let n = host.claims.len() as u32;
        let first = host.claims.first().map_or(0.0, |claim| claim.remaining.as_cpu_secs());
        let least = match host.discipline {
            Discipline::Srpt | Discipline::Ps => first,
            Discipline::Fcfs => {
                let remaining = host.claims.iter().map(|claim| claim.remaining.as_cpu_secs());
                remaining.fold(first, f64::min)
            }
        };
        Glance {
            speed: host.speed.as_reference_cores(),
            pace: 1.0 / host.speed.as_reference_cores(),
            least,
            as_of: host.as_of,
            round_trip: host.round_trip.0,
            price: host.spec.price,
            rounds: n / host.cores,
            n,
            cores: host.cores,
        }
    }

    /// The remaining work of its smallest claim is at least this at `now`, whichever has run.
    pub fn least_at(&self, now: Time) -> f64 {
        let secs = now.as_nanos().saturating_sub(self.as_of.as_nanos()) as f64 * 1e-9;
        (self.least - secs * self.speed).max(0.0)
    }
}
