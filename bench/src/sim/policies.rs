//! Dispatchers: which host an ordinary proxy sends a request to. One file a policy.
//!
//! A dispatcher knows what such a proxy can know: its own requests in flight, what hosts report,
//! and a prediction. Those that are to show a bound ask the [`Oracle`] for the truth. Times are
//! seconds since the start, work is in CPU-seconds of the reference core, hosts are numbered in the
//! order in which they joined.

mod c3;
mod fit_under_20;
mod join_idle_queue;
mod least_connections;
mod least_work_left;
mod peak_ewma;
mod power_of_two_choices;
mod prequal;
mod random;
mod round_robin;
mod srpt_k;
mod weighted_round_robin;

use std::fmt::Debug;

use weighbridge_core::host::Discipline;
use weighbridge_core::random::Random;

use super::host::{Host, LoadReport};

/// What an ordinary proxy knows of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestView {
    /// Index of the request in the workload.
    pub request: usize,
    /// Index of its route.
    pub route: u16,
    /// Its predicted work: the truth with the scenario's error. Above zero.
    pub predicted: f64,
}

/// What an ordinary proxy knows of a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostView {
    /// Cores that run requests.
    pub cores: u32,
    /// Configured weight: reference cores of the whole host.
    pub weight: f64,
    /// Whether it takes requests, as the last health check found.
    pub up: bool,
    /// When it last came up.
    pub up_since: f64,
    /// Requests of this proxy that it has.
    pub in_flight: u32,
    /// Its last load report, and when that came.
    pub report: Option<(f64, LoadReport)>,
}

/// What there is to choose from.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The instant of the choice.
    pub now: f64,
    /// Every host that ever joined, by number; those that left are not up.
    pub hosts: &'a [HostView],
    /// The truth. Not for policies that are to be compared: for bounds.
    pub oracle: Oracle<'a>,
}

/// What no proxy can know.
#[derive(Debug, Clone, Copy)]
pub struct Oracle<'a> {
    pub(super) now: f64,
    pub(super) hosts: &'a [Host],
    pub(super) work: f64,
}

/// A host has answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Completion {
    /// When the response came.
    pub now: f64,
    /// Which host.
    pub host: usize,
    /// The request.
    pub request: RequestView,
    /// From sending the request to its response, in seconds.
    pub response: f64,
    /// What it took, as the host measured it, in CPU-seconds of the reference core.
    pub work: f64,
    /// What the host said of itself, where that was not lost.
    pub report: Option<LoadReport>,
}

/// What a host answers to a probe (Prequal).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeReply {
    /// Requests that it has, from whatever proxy.
    pub in_flight: u32,
    /// Median response of its recent requests that found about as many in flight, in seconds.
    pub latency: f64,
}

/// Says which host a request goes to.
pub trait Dispatcher: Debug {
    /// The host for `request`, or `None` where it is to wait here until something has ended.
    fn choose(
        &mut self,
        request: &RequestView,
        sight: &Sight<'_>,
        random: &mut Random,
    ) -> Option<usize>;

    /// A request has been sent.
    fn sent(&mut self, _now: f64, _host: usize, _request: &RequestView) {}

    /// A host has answered.
    fn completed(&mut self, _completion: &Completion) {}

    /// A host has failed a request.
    fn failed(&mut self, _now: f64, _host: usize, _request: &RequestView) {}

    /// A load report has come, with a response or by itself.
    fn reported(&mut self, _now: f64, _host: usize, _report: &LoadReport) {}

    /// The hosts to probe now; asked once for each request, after it has been placed.
    fn probes(&mut self, _sight: &Sight<'_>, _random: &mut Random) -> Vec<usize> {
        Vec::new()
    }

    /// A probe has been answered.
    fn probe_replied(&mut self, _now: f64, _host: usize, _reply: &ProbeReply) {}

    /// A host has a core that is free, and tells this proxy so (join the idle queue). Only where
    /// [`Shape::tells_idle`].
    fn idle(&mut self, _now: f64, _host: usize) {}
}

/// What a policy needs of the world beside hosts that share their time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// How its hosts order their requests, where nothing else is asked for.
    pub discipline: Discipline,
    /// One host with all the cores, in place of many.
    pub pooled: bool,
    /// Hosts know the true work.
    pub perfect: bool,
    /// A host that runs out of requests tells one proxy, chosen at random.
    pub tells_idle: bool,
}

/// A policy as the command line knows it.
#[derive(Debug)]
pub struct Policy {
    /// Its name: that of its file.
    pub name: &'static str,
    /// What it does and where it comes from, in a line.
    pub about: &'static str,
    /// What it needs of the world.
    pub shape: Shape,
    /// A dispatcher that has seen nothing, for a proxy.
    pub make: fn() -> Box<dyn Dispatcher>,
}

/// Every dispatcher there is. To add one: a file beside this one, and a line here.
pub const ALL: &[Policy] = &[
    random::POLICY,
    round_robin::POLICY,
    weighted_round_robin::POLICY,
    least_connections::POLICY,
    power_of_two_choices::POLICY,
    peak_ewma::POLICY,
    c3::POLICY,
    prequal::POLICY,
    least_work_left::POLICY,
    join_idle_queue::POLICY,
    fit_under_20::POLICY,
    srpt_k::POLICY,
];

// === impl Oracle ===

impl Oracle<'_> {
    /// What the request truly takes.
    pub fn work(&self) -> f64 {
        self.work
    }

    /// What the requests of a host truly have left.
    pub fn work_left(&self, host: usize) -> f64 {
        self.hosts.get(host).map_or(0.0, |host| host.work_left_at(self.now))
    }

    /// How many requests a host truly has.
    pub fn in_flight(&self, host: usize) -> usize {
        self.hosts.get(host).map_or(0, Host::n_requests)
    }
}

// === impl Sight ===

impl<'a> Sight<'a> {
    /// The hosts that take requests, with their numbers.
    pub fn up(&self) -> impl Iterator<Item = (usize, &'a HostView)> {
        self.hosts.iter().enumerate().filter(|(_, host)| host.up)
    }
}

// === impl Shape ===

impl Shape {
    /// Any ordinary server: shares its time, tells nothing of its own accord.
    pub const ORDINARY: Shape =
        Shape { discipline: Discipline::Ps, pooled: false, perfect: false, tells_idle: false };
}

/// The policy of that name.
pub fn by_name(name: &str) -> Option<&'static Policy> {
    ALL.iter().find(|policy| policy.name == name)
}

#[cfg(test)]
mod tests;
