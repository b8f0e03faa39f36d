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
