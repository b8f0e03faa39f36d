//! Hosts and requests as tests of dispatchers need them.

use crate::sim::host::LoadReport;
use crate::sim::policies::{Completion, HostView, Oracle, RequestView, Sight};

/// What a dispatcher under test sees.
#[derive(Debug)]
pub(in crate::sim) struct Hosts {
    pub(in crate::sim) now: f64,
    pub(in crate::sim) views: Vec<HostView>,
}

// === impl Hosts ===

impl Hosts {
    /// These, at the start.
    pub(in crate::sim) fn of(views: Vec<HostView>) -> Hosts {
        Hosts { now: 0.0, views }
    }

    pub(in crate::sim) fn sight(&self) -> Sight<'_> {
        let oracle = Oracle { now: self.now, hosts: &[], work: 0.0 };
        Sight { now: self.now, hosts: &self.views, oracle }
    }
}

/// A host of one core that is up, with so many requests of this proxy.
pub(in crate::sim) fn host(in_flight: u32) -> HostView {
    HostView { cores: 1, weight: 1.0, up: true, up_since: 0.0, in_flight, report: None }
}

/// A request that is predicted to take so much.
pub(in crate::sim) fn request(predicted: f64) -> RequestView {
    RequestView { request: 0, route: 0, predicted }
}

/// A host's answer to a request of that work, after `response`.
pub(in crate::sim) fn completion(now: f64, host: usize, response: f64, work: f64) -> Completion {
    Completion { now, host, request: request(work), response, work, report: None }
}

/// A load report with these rates and utilization.
pub(in crate::sim) fn report(rps: f64, eps: f64, utilization: f64) -> LoadReport {
    LoadReport { rps, eps, application_utilization: utilization, ..LoadReport::default() }
}
