//! An ordinary proxy: a dispatcher, a health check, and another try at another host.

use std::collections::{BTreeMap, VecDeque};

use weighbridge_core::observe::Failure;
use weighbridge_core::random::Random;

use weighbridge_schedule::Owner;

use super::{Action, Answer, Proxy, Scene};
use crate::sim::host::{HostKind, LoadReport};
use crate::sim::policies::{
    Completion, Dispatcher, HostView, Oracle, ProbeReply, RequestView, Shape, Sight,
};

/// A request is sent to so many hosts at most.
const TRIES_MAX: usize = 4;

/// See the module.
#[derive(Debug)]
pub(in crate::sim) struct Ordinary {
    dispatcher: Box<dyn Dispatcher>,
    shape: Shape,
    views: Vec<HostView>,
    /// Requests that have no host yet, first come, first served.
    waiting: VecDeque<usize>,
    /// Requests that have failed, with the hosts that failed them.
    failures: BTreeMap<usize, Vec<usize>>,
    random: Random,
}

// === impl Ordinary ===

impl Ordinary {
    pub(in crate::sim) fn new(
        dispatcher: Box<dyn Dispatcher>,
        shape: Shape,
        seed: u64,
    ) -> Ordinary {
        Ordinary {
            dispatcher,
            shape,
            views: Vec::new(),
            waiting: VecDeque::new(),
            failures: BTreeMap::new(),
            random: Random::new(seed),
        }
    }

    /// Sends a request to the host that the dispatcher chooses. False where it chooses none.
    fn send(&mut self, scene: Scene<'_>, request: &RequestView, out: &mut Vec<Action>) -> bool {
        let work = scene.workload.requests[request.request].work;
        let oracle = Oracle { now: scene.now, hosts: scene.hosts, work };
        let untried = self.untried(request.request);
        let hosts = untried.as_ref().unwrap_or(&self.views);
        let sight = Sight { now: scene.now, hosts, oracle };
        let chosen = self.dispatcher.choose(request, &sight, &mut self.random);
        let Some(host) = chosen.filter(|host| self.views.get(*host).is_some_and(|view| view.up))
        else {
            return false;
        };
        self.views[host].in_flight += 1;
        self.dispatcher.sent(scene.now, host, request);
        let estimate = if self.shape.perfect { work } else { request.predicted };
        let owner = Owner::default();
        out.push(Action::Send { request: request.request, host, estimate: Some(estimate), owner });
        true
    }

    /// The hosts as a request sees them that has failed: those that failed it are not up to it,
    /// unless all others are down. `None` where it has not failed.
    fn untried(&self, request: usize) -> Option<Vec<HostView>> {
        let tried = self.failures.get(&request)?;
        let mut views = self.views.clone();
        for host in tried {
            views[*host].up = false;
        }
        views.iter().any(|view| view.up).then_some(views)
    }

    fn probe(&mut self, scene: Scene<'_>, out: &mut Vec<Action>) {
        let oracle = Oracle { now: scene.now, hosts: scene.hosts, work: 0.0 };
        let sight = Sight { now: scene.now, hosts: &self.views, oracle };
        let probes = self.dispatcher.probes(&sight, &mut self.random);
        out.extend(probes.into_iter().map(|host| Action::Probe { host }));
    }

    /// Sends those that wait, as long as there is a host for the first.
    fn dispatch(&mut self, scene: Scene<'_>, out: &mut Vec<Action>) {
        while let Some(request) = self.waiting.front().copied() {
            if !self.send(scene, &scene.view(request), out) {
                return;
            }
            self.waiting.pop_front();
        }
    }

    fn hear(&mut self, now: f64, host: usize, report: &LoadReport) {
        self.views[host].report = Some((now, *report));
        self.dispatcher.reported(now, host, report);
    }

    /// Notes a failure; false where there have been too many.
    fn may_retry(&mut self, request: usize, host: usize) -> bool {
        let failures = self.failures.entry(request).or_default();
        failures.push(host);
        failures.len() < TRIES_MAX
    }
}

impl Proxy for Ordinary {
    fn join(&mut self, now: f64, kind: &HostKind) {
        self.views.push(HostView {
            cores: kind.cores,
            weight: kind.speed * f64::from(kind.cores),
            up: false,
            up_since: now,
            in_flight: 0,
            report: None,
        });
    }

    fn ready(&mut self, scene: Scene<'_>, host: usize, out: &mut Vec<Action>) {
        (self.views[host].up, self.views[host].up_since) = (true, scene.now);
        self.dispatch(scene, out);
    }

    fn down(&mut self, _: f64, host: usize) {
        self.views[host].up = false;
    }

    fn drain(&mut self, _: f64, host: usize) {
        self.views[host].up = false;
    }

    fn leave(&mut self, _: f64, host: usize) {
        self.views[host].up = false;
    }

    fn arrive(&mut self, scene: Scene<'_>, request: usize, out: &mut Vec<Action>) {
        if !self.waiting.is_empty() || !self.send(scene, &scene.view(request), out) {
            self.waiting.push_back(request);
        }
        self.probe(scene, out);
    }

    fn answer(&mut self, scene: Scene<'_>, answer: &Answer, out: &mut Vec<Action>) {
        self.views[answer.host].in_flight -= 1;
        self.failures.remove(&answer.request);
        self.dispatcher.completed(&Completion {
            now: scene.now,
            host: answer.host,
            request: scene.view(answer.request),
            response: answer.response,
            work: scene.workload.requests[answer.request].work,
            report: answer.report,
        });
        if let Some(report) = answer.report {
            self.hear(scene.now, answer.host, &report);
        }
        self.dispatch(scene, out);
    }

    fn fail(
        &mut self,
        scene: Scene<'_>,
        (request, host): (usize, usize),
        _: Failure,
        out: &mut Vec<Action>,
    ) {
        self.views[host].in_flight -= 1;
        let view = scene.view(request);
        self.dispatcher.failed(scene.now, host, &view);
        if !self.may_retry(request, host) {
            self.failures.remove(&request);
            out.push(Action::Shed { request });
        } else if !self.send(scene, &view, out) {
            self.waiting.push_back(request);
        }
        self.dispatch(scene, out);
    }

    fn report(
        &mut self,
        scene: Scene<'_>,
        host: usize,
        report: &LoadReport,
        out: &mut Vec<Action>,
    ) {
        self.hear(scene.now, host, report);
        self.dispatch(scene, out);
    }

    fn probe_replied(&mut self, now: f64, host: usize, reply: &ProbeReply) {
        self.dispatcher.probe_replied(now, host, reply);
    }

    fn idle(&mut self, scene: Scene<'_>, host: usize, out: &mut Vec<Action>) {
        self.dispatcher.idle(scene.now, host);
        self.dispatch(scene, out);
    }

    fn n_waiting(&self) -> usize {
        self.waiting.len()
    }
}
