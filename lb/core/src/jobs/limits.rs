//! What a job may take. A route may have limits of its own.

use std::time::Duration;

/// The limits of a route's jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// A request that is not whole after this is given up.
    pub receive_max: Duration,
    /// A job that has not begun after this expires.
    pub wait_max: Duration,
    /// An attempt that runs for longer is given up.
    pub run_max: Duration,
    /// Attempts, at least 1. Those that are excused do not count.
    pub attempts_max: u32,
    /// A job under which so many hosts have died is dead; at least 1.
    pub host_deaths_max: u32,
    /// A job under which so many hosts have died runs alone on its host. 0: none does.
    pub alone_after: u32,
    /// Backoff before an attempt is made again: the first is between zero and this, each further
    /// one up to twice as long.
    pub backoff_min: Duration,
    /// The longest backoff.
    pub backoff_max: Duration,
    /// The shortest lease.
    pub lease_min: Duration,
    /// The longest lease.
    pub lease_max: Duration,
    /// How long a job is kept after its end.
    pub retention: Duration,
}

// === impl Limits ===

#[cfg(test)]
impl Limits {
    /// What tests of the core start from: the defaults of the configuration.
    pub(crate) fn for_tests() -> Limits {
        Limits {
            receive_max: Duration::from_mins(10),
            wait_max: Duration::from_hours(24),
            run_max: Duration::from_hours(12),
            attempts_max: 5,
            host_deaths_max: 3,
            alone_after: 2,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            lease_min: Duration::from_secs(30),
            lease_max: Duration::from_mins(15),
            retention: Duration::from_hours(24),
        }
    }
}
