//! What stands between clients and hosts in the simulated world: an ordinary proxy with a
//! dispatcher, or Weighbridge. It is told what happens, and answers with actions.

mod ordinary;

use std::fmt::Debug;

use weighbridge_core::observe::Failure;

use weighbridge_schedule::Owner;

use super::host::{Host, HostKind, LoadReport};
use super::policies::{ProbeReply, RequestView};
use super::workload::Workload;

pub(super) use ordinary::Ordinary;

/// What a proxy asks of the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Action {
    /// Send a request to a host, with this estimate of its work for the host, where there is one,
    /// and where its client stands.
    Send { request: usize, host: usize, estimate: Option<f64>, owner: Owner },
    /// Send a request to a function on Lambda.
    Invoke { request: usize, function: usize },
    /// Refuse a request.
    Shed { request: usize },
    /// Ask a host how it is.
    Probe { host: usize },
    /// Launch a host.
    Launch,
    /// Drain a host, then stop it.
    Drain { host: usize },
}

/// The world as a proxy may look at it: the hosts are for oracles alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) now: f64,
    pub(super) workload: &'a Workload,
    pub(super) hosts: &'a [Host],
}

/// A host has answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) request: usize,
    pub(super) host: usize,
    /// Seconds from sending the request to its response.
    pub(super) response: f64,
    /// CPU-seconds on a core of that host.
    pub(super) cpu_secs: f64,
    /// What the host said of itself, where that was not lost.
    pub(super) report: Option<LoadReport>,
}

/// A function on Lambda has answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    pub(super) request: usize,
    /// Seconds from sending the request to its response.
    pub(super) response: f64,
    /// CPU-seconds on its virtual CPU.
    pub(super) cpu_secs: f64,
    /// Whether its environment had to be started.
    pub(super) is_cold: bool,
}

/// See the module. Hosts are numbered in the order in which they join.
pub(super) trait Proxy: Debug {
    /// A host joins; it is not ready.
    fn join(&mut self, now: f64, kind: &HostKind);
    /// A host is ready, or is well again as the health check finds.
    fn ready(&mut self, scene: Scene<'_>, host: usize, out: &mut Vec<Action>);
    /// The health check finds that a host is down.
    fn down(&mut self, now: f64, host: usize);
    /// A host takes nothing new.
    fn drain(&mut self, now: f64, host: usize);
    /// A host is gone for good.
    fn leave(&mut self, now: f64, host: usize);

    /// A request has come.
    fn arrive(&mut self, scene: Scene<'_>, request: usize, out: &mut Vec<Action>);
    /// A host has answered.
    fn answer(&mut self, scene: Scene<'_>, answer: &Answer, out: &mut Vec<Action>);
    /// A host has failed a request.
    fn fail(
        &mut self,
        scene: Scene<'_>,
        failed: (usize, usize),
        failure: Failure,
        out: &mut Vec<Action>,
    );
    /// A function has answered. Only who sends requests to functions is told.
    fn ran(&mut self, _scene: Scene<'_>, _ran: &Ran, _out: &mut Vec<Action>) {}
    /// A function brings no answer to a request. Only who sends requests to functions is told.
    fn run_failed(
        &mut self,
        _scene: Scene<'_>,
        _request: usize,
        _failure: Failure,
        _out: &mut Vec<Action>,
    ) {
    }
    /// Requests that are at functions, as far as it knows.
    fn n_invoked(&self) -> usize {
        0
    }
    /// A load report has come by itself.
    fn report(&mut self, scene: Scene<'_>, host: usize, report: &LoadReport, out: &mut Vec<Action>);
    /// A host that was asked for its load report has sent it; `None`: it refuses connections.
    fn polled(
        &mut self,
        scene: Scene<'_>,
        host: usize,
        report: Option<&LoadReport>,
        out: &mut Vec<Action>,
    ) {
        if let Some(report) = report {
            self.report(scene, host, report, out);
        }
    }
    /// A probe has been answered.
    fn probe_replied(&mut self, _now: f64, _host: usize, _reply: &ProbeReply) {}
    /// A host says that it is idle.
    fn idle(&mut self, _scene: Scene<'_>, _host: usize, _out: &mut Vec<Action>) {}

    /// The periodic call, every [`Proxy::tick_every`] seconds. `leads`: this proxy sizes the fleet.
    fn tick(&mut self, _scene: Scene<'_>, _leads: bool, _out: &mut Vec<Action>) {}
    /// Seconds between two ticks; `None`: it has none.
    fn tick_every(&self) -> Option<f64> {
        None
    }
    /// A request may have waited too long.
    fn wake(&mut self, _scene: Scene<'_>, _out: &mut Vec<Action>) {}
    /// When that is.
    fn next_wake(&self) -> Option<f64> {
        None
    }
    /// Requests that wait here.
    fn n_waiting(&self) -> usize;
}

// === impl Scene ===

impl Scene<'_> {
    /// What a proxy knows of a request.
    pub(super) fn view(&self, request: usize) -> RequestView {
        let drawn = &self.workload.requests[request];
        RequestView { request, route: drawn.route, predicted: drawn.predicted }
    }
}
