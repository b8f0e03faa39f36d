//! Autoscalers: how many hosts there should be. One file a rule.
//!
//! A rule is a function of what it sees and of what it has seen. The world launches the hosts that
//! are missing, drains those that are too many, the idlest first, and bills them.

mod backlog_per_instance;
mod fixed;
mod keda;
mod knative_kpa;
mod moving_max;
mod oracle;
mod queue_depth;
mod step;
mod stopped_pool;
mod target_tracking;

use std::fmt::Debug;

/// What a rule sees of the fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetView {
    /// The instant, in seconds since the start.
    pub now: f64,
    /// Hosts that take requests.
    pub active: usize,
    /// Hosts that have been launched and are not ready.
    pub starting: usize,
    /// Hosts that finish what they have.
    pub draining: usize,
    /// Cores of a host.
    pub cores: u32,
    /// Fraction of the active hosts' cores that was busy since the last tick.
    pub utilization: f64,
    /// Requests that run or wait, at hosts and at the proxies.
    pub requests: usize,
    /// Requests that have come since the last tick.
    pub arrivals: usize,
    /// The least hosts.
    pub hosts_min: usize,
    /// The most hosts.
    pub hosts_max: usize,
}

/// What a rule is told before anything happens.
#[derive(Debug, Clone, Copy)]
pub struct Future<'a> {
    /// Every request to come: when it comes and what it truly takes, in order. Only for the rule
    /// that is to show a bound.
    pub arrivals: &'a [(f64, f64)],
    /// Seconds from a launch until a host is ready.
    pub boot: f64,
    /// Seconds between two ticks.
    pub tick: f64,
    /// Work that one host does in a second.
    pub host_capacity: f64,
    /// Hosts that there are at the start.
    pub hosts: usize,
    /// The least hosts.
    pub hosts_min: usize,
    /// The most hosts.
    pub hosts_max: usize,
}

/// Says how many hosts there should be.
pub trait Autoscaler: Debug {
    /// How many hosts are wanted, asked with every tick; brought within the bounds by the world.
    fn desired(&mut self, view: &FleetView) -> usize;
}

/// A rule as the command line knows it.
#[derive(Debug)]
pub struct Rule {
    /// Its name: that of its file, with its parameter where it has one.
    pub name: &'static str,
    /// What it does and where it comes from, in a line.
    pub about: &'static str,
    /// One that has seen nothing.
    pub make: fn(&Future<'_>) -> Box<dyn Autoscaler>,
}

/// Every rule there is. To add one: a file beside this one, and a line here.
pub const ALL: &[Rule] = &[
    fixed::RULE,
    target_tracking::AT_50,
    target_tracking::AT_70,
    knative_kpa::RULE,
    queue_depth::RULE,
    moving_max::RULE,
    step::RULE,
    stopped_pool::RULE,
    keda::RULE,
    backlog_per_instance::RULE,
    oracle::AT_40,
    oracle::AT_50,
    oracle::AT_60,
    oracle::AT_70,
    oracle::AT_80,
    oracle::AT_90,
    oracle::AT_95,
];

// === impl FleetView ===

impl FleetView {
    /// Requests that wait for a core: what a queue tells as its visible messages.
    fn waiting(&self) -> usize {
        self.requests.saturating_sub(self.active * self.cores as usize)
    }
}

/// The rule of that name.
pub fn by_name(name: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests;
