//! A worker as the scheduler sees it.

use serde::Serialize;

use crate::units::Speed;

/// One host, unique as long as the balancer lives; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HostId(pub u32);

/// Where a host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Launched, not ready.
    Starting,
    /// Takes requests.
    Active,
    /// Finishes what it has, takes nothing new.
    Draining,
    /// No longer there. Holds no claim.
    Gone,
}

/// How a host orders the requests that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Discipline {
    /// Shortest remaining processing time first, preemptive.
    Srpt,
    /// Processor sharing: everything at once, as an ordinary server does.
    Ps,
    /// First come, first served.
    Fcfs,
}

/// What is told of a host when it joins the fleet.
#[derive(Debug, Clone)]
pub struct HostSpec {
    /// Name for people: an address, a process, an instance id.
    pub name: String,
    /// Cores that run requests; at least 1.
    pub cores: u32,
    /// Speed of one core, until it has been learned.
    pub speed: Speed,
    /// How it orders its requests.
    pub discipline: Discipline,
}
