//! The way of a request: to a balancer, to a host, and back.

use weighbridge_core::observe::Failure;
use weighbridge_schedule::Owner;

use super::{Attempt, Event, World};
use crate::sim::host::{Assignment, LoadReport, Phase};
use crate::sim::policies::ProbeReply;
use crate::sim::proxy::Answer;

/// The least that a host believes of a request.
const ESTIMATE_MIN: f64 = 1e-9;

// === impl World ===

impl World<'_> {
    pub(super) fn arrive(&mut self, request: usize) {
        if let Some(next) = self.workload.requests.get(request + 1) {
            self.at(next.at, Event::Arrive(request + 1));
        }
        self.fleet.arrivals += 1;
        let proxy = usize::from(self.workload.requests[request].balancer);
        self.tell(proxy, |proxy, scene, out| proxy.arrive(scene, request, out));
    }

    pub(super) fn send(
        &mut self,
        request: usize,
        host: usize,
        (estimate, owner): (Option<f64>, Owner),
    ) {
        let flight = &mut self.flights[request];
        flight.n += 1;
        (flight.host, flight.sent, flight.estimate) = (host, self.now, estimate);
        flight.owner = owner;
        let n = flight.n;
        self.after_trip(Event::Reach(Attempt { request, n }));
    }

    /// A request reaches its host: it runs there, or is refused.
    pub(super) fn reach(&mut self, attempt: Attempt) {
        let Attempt { request, .. } = attempt;
        let Request { work, estimate, owner, host } = self.request(request);
        let failure = match self.hosts[host].phase {
            Phase::Active => None,
            Phase::Draining => Some(Failure::Refused),
            Phase::Starting | Phase::Down | Phase::Gone => Some(Failure::Connect),
        };
        if let Some(failure) = failure {
            return self.after_trip(Event::Fail(attempt, failure));
        }
        self.flights[request].reached = (self.now, self.hosts[host].n_requests() as u32);
        let route = self.workload.requests[request].route;
        let estimate = estimate.unwrap_or_else(|| self.hosts[host].usual(route));
        let estimate = estimate.max(ESTIMATE_MIN);
        let assignment = Assignment { request, work, estimate, owner };
        self.hosts[host].push(self.now, assignment);
        self.foretell(host);
    }

    /// What a host foretold: a request ends, or the order changes.
    pub(super) fn host_event(&mut self, host: usize, version: u64) {
        if version != self.hosts[host].version() {
            return;
        }
        let ended = self.hosts[host].happen(self.now, version);
        self.foretell(host);
        if let Some(ended) = ended {
            self.ran(host, &ended);
        }
    }

    /// The next event of a host goes on the agenda.
    pub(super) fn foretell(&mut self, host: usize) {
        if let Some((at, version)) = self.hosts[host].next() {
            self.at(at, Event::Host(host, version));
        }
    }

    /// A host has run a request: the response is on its way, with a report.
    fn ran(&mut self, host: usize, ended: &Assignment) {
        let Assignment { request, work, .. } = *ended;
        let (reached, found) = self.flights[request].reached;
        let route = self.workload.requests[request].route;
        self.hosts[host].learn(route, work, (found, self.now - reached));
        let cpu_secs = work / self.hosts[host].speed();
        let proxy = usize::from(self.workload.requests[request].balancer);
        let report = self.hosts[host].report(self.now);
        let report = self.carry(proxy, host, report);
        let n = self.flights[request].n;
        self.after_trip(Event::Answer(Attempt { request, n }, cpu_secs, report));
        self.ease(host);
    }

    /// The report as it travels with the response: lost and late ones do not.
    fn carry(&mut self, proxy: usize, host: usize, report: LoadReport) -> Option<LoadReport> {
        let reports = self.scenario.reports;
        if 0.0 < reports.lost && self.random.unit() < reports.lost {
            return None;
        }
        if 0.0 < reports.late && self.random.unit() < reports.late {
            self.at(self.now + reports.late_by, Event::Report(proxy, host, report));
            return None;
        }
        Some(report)
    }

    /// A host has fewer requests now. An active one with a free core says so, where the policy
    /// wants that; a draining one that is empty stops.
    pub(super) fn ease(&mut self, host: usize) {
        let (n_requests, cores) = (self.hosts[host].n_requests(), self.hosts[host].kind.cores);
        match self.hosts[host].phase {
            Phase::Draining if n_requests == 0 => self.stop(host),
            Phase::Active if self.shape.tells_idle && n_requests < cores as usize => {
                let proxy = self.random.below(self.proxies.len());
                self.after_trip(Event::Idle(proxy, host));
            }
            Phase::Starting | Phase::Active | Phase::Draining | Phase::Down | Phase::Gone => {}
        }
    }

    pub(super) fn answer(&mut self, attempt: Attempt, cpu_secs: f64, report: Option<LoadReport>) {
        let Attempt { request, n } = attempt;
        let flight = self.flights[request];
        if flight.n != n || flight.ended {
            return;
        }
        let proxy = usize::from(self.workload.requests[request].balancer);
        let (host, response) = (flight.host, self.now - flight.sent);
        self.end_request(request, Some(self.now));
        let answer = Answer { request, host, response, cpu_secs, report };
        self.tell(proxy, |proxy, scene, out| proxy.answer(scene, &answer, out));
    }

    pub(super) fn fail(&mut self, attempt: Attempt, failure: Failure) {
        let Attempt { request, n } = attempt;
        let flight = self.flights[request];
        if flight.n != n || flight.ended {
            return;
        }
        let proxy = usize::from(self.workload.requests[request].balancer);
        let failed = (request, flight.host);
        self.tell(proxy, |proxy, scene, out| proxy.fail(scene, failed, failure, out));
    }

    pub(super) fn end_request(&mut self, request: usize, answered: Option<f64>) {
        let flight = &mut self.flights[request];
        if !flight.ended {
            (flight.ended, flight.answered) = (true, answered);
            self.n_ended += 1;
        }
    }

    /// A balancer asks every host how it is.
    pub(super) fn poll(&mut self, proxy: usize) {
        let interval = self.scenario.reports.interval;
        let replied = self.now + self.scenario.round_trip;
        for host in 0..self.hosts.len() {
            if self.hosts[host].is_up() {
                let report = self.hosts[host].report(self.now);
                if let Some(report) = self.carry(proxy, host, report) {
                    self.at(replied, Event::Polled(proxy, host, Some(report)));
                }
            } else if self.hosts[host].phase == Phase::Down {
                self.at(replied, Event::Polled(proxy, host, None));
            }
        }
        self.at(self.now + interval, Event::Poll(proxy));
    }

    pub(super) fn probe(&mut self, proxy: usize, host: usize) {
        if self.hosts.get(host).is_some_and(|host| host.phase == Phase::Active) {
            let reply = ProbeReply {
                in_flight: self.hosts[host].n_requests() as u32,
                latency: self.hosts[host].latency(self.now),
            };
            self.after_trip(Event::Probed(proxy, host, reply));
        }
    }

    fn request(&self, request: usize) -> Request {
        let flight = &self.flights[request];
        let work = self.workload.requests[request].work;
        Request { work, estimate: flight.estimate, owner: flight.owner, host: flight.host }
    }
}

/// A request on its way.
struct Request {
    work: f64,
    estimate: Option<f64>,
    owner: Owner,
    host: usize,
}
