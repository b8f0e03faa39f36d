//! Weighbridge in the simulated world: the production balancer, unchanged, with its production
//! defaults.
//!
//! A request's prediction is its one feature, so that estimates take the production path: a model,
//! the route's bounds, the drift gate. Where the gate is closed the host is told nothing, and
//! believes of a request what its route usually takes.

mod config;
mod jobs;

pub(crate) use jobs::job_limits;
mod models;

use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;
use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::{Ask, Balancer};
use weighbridge_core::features::Features;
use weighbridge_core::fleet::Path;
use weighbridge_core::host::{HostId, HostSpec};
use weighbridge_core::jobs::Line;
use weighbridge_core::lambda::Lambda;
use weighbridge_core::observe::{Failure, HostReport, Outcome, RequestCost};
use weighbridge_core::request::{RequestId, RouteId};
use weighbridge_core::share::{ClassId, Terms};
use weighbridge_core::units::{Speed, Time, Work};
use weighbridge_schedule::Owner;

use super::host::{HostKind, LoadReport};
use super::proxy::{Action, Answer, Proxy, Ran, Scene};
use super::scenario::{Learning, Scenario};
use super::workload::Request;

pub use config::{HostBounds, Routes, Settings};

/// Counts of one CPU-second of the reference core.
const INSTRUCTIONS: f64 = 1e9;

/// Those that wait are asked again after so many seconds at the latest, as in the proxy.
const ASK_SECS: f64 = 0.02;

/// Every request fits into an event.
const EVENT_BYTES: u64 = 1;

/// The build of all hosts and functions.
const BUILD: u64 = 1;

/// See the module.
#[derive(Debug)]
pub(super) struct Weighbridge {
    balancer: Balancer,
    learning: Learning,
    /// Seconds between two ticks.
    tick: f64,
    /// Whether the balancer's own plans are carried out.
    scales: bool,
    /// When those that wait were last asked again.
    asked: f64,
    /// The jobs that wait, where every request is a job.
    line: Option<Line>,
    /// The clients of the scenario, with their classes.
    clients: Vec<(Arc<str>, ClassId)>,
    /// Whether the balancer is told until when requests are of use.
    tells_deadlines: bool,
}

// === impl Weighbridge ===

impl Weighbridge {
    /// With the scenario's configuration, which has been checked. `scales`: its own plans are
    /// carried out, where the scenario lets the fleet be sized.
    pub(super) fn new(scenario: &Scenario, scales: bool, seed: u64) -> Weighbridge {
        let mut balancer = Balancer::new(scenario.weighbridge.policy.clone(), seed);
        models::prepare(&mut balancer, scenario, seed);
        Weighbridge {
            balancer,
            learning: scenario.learning,
            tick: scenario.weighbridge.tick.as_secs_f64(),
            scales: scales && scenario.scale.is_some(),
            asked: 0.0,
            line: None,
            clients: clients(scenario),
            tells_deadlines: scenario.tells_deadlines,
        }
    }

    /// What the balancer is asked for a request.
    fn ask(&self, scene: Scene<'_>, request: usize) -> Ask {
        let drawn = &scene.workload.requests[request];
        Ask {
            path: Path::UNKNOWN,
            is_idempotent: true,
            route: RouteId(drawn.route),
            features: Features(smallvec![drawn.predicted]),
            known: None,
            body_bytes: 0,
            event_bytes: self.balancer.policy().lambda.is_some().then_some(EVENT_BYTES),
            job: None,
            terms: self.terms(drawn),
        }
    }

    /// Whose a request is, and until when it is of use.
    fn terms(&self, drawn: &Request) -> Terms {
        let client = self.clients.get(usize::from(drawn.client));
        Terms {
            client: client.map(|(name, _)| Arc::clone(name)),
            class: client.map_or_else(ClassId::default, |(_, class)| *class),
            time_left: drawn
                .time_left
                .filter(|_| self.tells_deadlines)
                .map(Duration::from_secs_f64),
        }
    }

    fn act(&mut self, scene: Scene<'_>, request: usize, verdict: &Verdict, out: &mut Vec<Action>) {
        match verdict {
            Verdict::Forward(placement) => out.push(Action::Send {
                request,
                host: placement.host.0 as usize,
                estimate: placement.estimate.trusted_mean().map(Work::as_cpu_secs),
                owner: placement.order.map_or_else(Owner::default, |order| Owner {
                    priority: order.priority,
                    attained_secs: order.excess,
                }),
            }),
            Verdict::Lambda(invocation) => {
                self.check_spending(scene.now);
                let function = usize::from(invocation.function.0);
                out.push(Action::Invoke { request, function });
            }
            // Until now there was nobody to ask.
            Verdict::Queue { .. } if self.balancer.waiting().requests == 1 => {
                self.asked = scene.now;
            }
            Verdict::Queue { .. } => {}
            Verdict::Shed(_) | Verdict::Later => out.push(Action::Shed { request }),
        }
    }

    /// Panics in debug builds where a run has begun that the hour's budget does not bear.
    fn check_spending(&self, now: f64) {
        let spent = self.balancer.lambda().map_or(0.0, |lambda| lambda.usd_of_last_hour(time(now)));
        let most =
            self.balancer.policy().lambda.as_ref().map_or(0.0, |policy| policy.usd_per_hour_max);
        // Sums of many small amounts are rounded.
        debug_assert!(spent <= most * (1.0 + 1e-9), "no run begins that may not be paid for");
    }

    /// A try has brought no answer, whether at a host or at a function.
    fn failed(
        &mut self,
        scene: Scene<'_>,
        request: usize,
        failure: Failure,
        out: &mut Vec<Action>,
    ) {
        let verdict = self.balancer.fail(time(scene.now), RequestId(request as u64), failure);
        let is_over = matches!(verdict, Verdict::Shed(_) | Verdict::Later);
        if !is_over || !self.send(scene, request) {
            self.act(scene, request, &verdict, out);
        }
        self.dispatch(scene, out);
    }

    /// Sends those that may go now, as the proxy does after every event.
    fn dispatch(&mut self, scene: Scene<'_>, out: &mut Vec<Action>) {
        self.asked = scene.now;
        if 0 < self.balancer.waiting().requests || self.balancer.has_displaced() {
            for (id, verdict) in self.balancer.dispatch(time(scene.now)) {
                self.act(scene, id.0 as usize, &verdict, out);
            }
        }
        self.fill(scene, out);
    }
}

impl Proxy for Weighbridge {
    fn join(&mut self, now: f64, kind: &HostKind) {
        self.balancer.join(
            time(now),
            HostSpec {
                name: String::new(),
                cores: kind.cores,
                // The default: speeds are learned.
                speed: Speed::ONE,
                discipline: Some(kind.discipline),
                price: 1.0,
            },
        );
    }

    fn ready(&mut self, scene: Scene<'_>, host: usize, out: &mut Vec<Action>) {
        self.balancer.ready(time(scene.now), id(host));
        self.dispatch(scene, out);
    }

    /// Nothing happens: the balancer has no separate health check for hosts that are ready. It asks
    /// them for their load, and ejects those that fail requests.
    fn down(&mut self, _: f64, _: usize) {}

    fn drain(&mut self, now: f64, host: usize) {
        self.balancer.drain(time(now), id(host));
    }

    fn leave(&mut self, now: f64, host: usize) {
        self.balancer.leave(time(now), id(host));
    }

    fn arrive(&mut self, scene: Scene<'_>, request: usize, out: &mut Vec<Action>) {
        if self.send(scene, request) {
            return self.dispatch(scene, out);
        }
        let ask = self.ask(scene, request);
        let verdict = self.balancer.arrive(time(scene.now), RequestId(request as u64), ask);
        self.act(scene, request, &verdict, out);
        if self.balancer.has_displaced() {
            self.dispatch(scene, out);
        }
    }

    fn answer(&mut self, scene: Scene<'_>, answer: &Answer, out: &mut Vec<Action>) {
        let now = time(scene.now);
        // The cost travels with the report, and is lost with it.
        let cost = answer.report.map(|_| cost(scene, answer.request, answer.cpu_secs));
        let outcome = Outcome {
            success: true,
            cost,
            elapsed: Duration::from_secs_f64(answer.response),
            build: BUILD,
            cold_start: None,
        };
        // The report was made when the host had done with the request: its claim is gone first.
        self.balancer.complete(now, RequestId(answer.request as u64), &outcome);
        if let Some(report) = &answer.report {
            self.balancer.report(now, id(answer.host), &reported(report));
        }
        self.dispatch(scene, out);
    }

    fn fail(
        &mut self,
        scene: Scene<'_>,
        (request, _): (usize, usize),
        failure: Failure,
        out: &mut Vec<Action>,
    ) {
        self.failed(scene, request, failure, out);
    }

    fn ran(&mut self, scene: Scene<'_>, ran: &Ran, out: &mut Vec<Action>) {
        let outcome = Outcome {
            success: true,
            cost: Some(cost(scene, ran.request, ran.cpu_secs)),
            elapsed: Duration::from_secs_f64(ran.response),
            build: BUILD,
            cold_start: Some(ran.is_cold),
        };
        self.balancer.complete(time(scene.now), RequestId(ran.request as u64), &outcome);
        self.dispatch(scene, out);
    }

    fn run_failed(
        &mut self,
        scene: Scene<'_>,
        request: usize,
        failure: Failure,
        out: &mut Vec<Action>,
    ) {
        self.failed(scene, request, failure, out);
    }

    fn n_invoked(&self) -> usize {
        self.balancer.lambda().map_or(0, Lambda::running)
    }

    fn report(
        &mut self,
        scene: Scene<'_>,
        host: usize,
        report: &LoadReport,
        out: &mut Vec<Action>,
    ) {
        self.balancer.report(time(scene.now), id(host), &reported(report));
        self.dispatch(scene, out);
    }

    fn polled(
        &mut self,
        scene: Scene<'_>,
        host: usize,
        report: Option<&LoadReport>,
        out: &mut Vec<Action>,
    ) {
        self.balancer.probed(time(scene.now), id(host), report.is_some());
        match report {
            Some(report) => self.report(scene, host, report, out),
            None => self.dispatch(scene, out),
        }
    }

    fn tick(&mut self, scene: Scene<'_>, leads: bool, out: &mut Vec<Action>) {
        let tick = self.balancer.tick(time(scene.now));
        if leads && self.scales {
            out.extend((0..tick.plan.launch).map(|_| Action::Launch));
            let ended = tick.plan.drain.iter().chain(&tick.plan.replace);
            out.extend(ended.map(|host| Action::Drain { host: host.0 as usize }));
        }
        match self.learning {
            Learning::Frozen => {}
            Learning::Live | Learning::Cold => {
                for route in tick.train {
                    models::train(&mut self.balancer, route);
                }
            }
        }
        self.dispatch(scene, out);
    }

    fn tick_every(&self) -> Option<f64> {
        Some(self.tick)
    }

    fn wake(&mut self, scene: Scene<'_>, out: &mut Vec<Action>) {
        self.dispatch(scene, out);
    }

    fn next_wake(&self) -> Option<f64> {
        // A little later: what is rounded down would come too early.
        let expiry = self.balancer.next_expiry().map(|at| at.as_secs_f64() - WARM_SECS + 1e-6);
        let ask = expiry.map(|expiry| expiry.min(self.asked + ASK_SECS));
        let look = (0 < self.n_in_line()).then_some(self.asked + jobs::POLL_SECS);
        [ask, look].into_iter().flatten().min_by(f64::total_cmp)
    }

    fn n_waiting(&self) -> usize {
        self.balancer.waiting().requests + self.n_in_line()
    }
}

/// The clients, with the classes that they are of.
fn clients(scenario: &Scenario) -> Vec<(Arc<str>, ClassId)> {
    let classes: Vec<&str> = scenario
        .weighbridge
        .policy
        .share
        .iter()
        .flat_map(|share| &share.classes)
        .map(|class| class.name.as_str())
        .collect();
    let clients = scenario.clients.iter().map(|client| {
        let class = classes.iter().position(|name| *name == client.class);
        (client.name.as_str().into(), ClassId(class.unwrap_or_default() as u8))
    });
    clients.collect()
}

/// What a request cost, as it was measured.
fn cost(scene: Scene<'_>, request: usize, cpu_secs: f64) -> RequestCost {
    RequestCost {
        instructions: Some(scene.workload.requests[request].work * INSTRUCTIONS),
        cpu_seconds: Some(cpu_secs),
        ..RequestCost::default()
    }
}

/// What there is at the start has been there for so long: it is warm.
const WARM_SECS: f64 = 3600.0;

/// The balancer's clock: the origin before the start, an hour later from then on.
fn time(secs: f64) -> Time {
    if secs <= 0.0 { Time::ZERO } else { Time::from_secs_f64(secs + WARM_SECS) }
}

/// Hosts join every balancer in the same order, so that they have the same numbers everywhere.
fn id(host: usize) -> HostId {
    HostId(host as u32)
}

fn reported(report: &LoadReport) -> HostReport {
    HostReport {
        cpu_utilization: Some(report.cpu_utilization),
        mem_utilization: None,
        application_utilization: Some(report.application_utilization),
        in_flight: Some(report.in_flight),
        work_left: Work::from_cpu_secs(report.work_left),
        slots: Some(report.slots),
        ..HostReport::default()
    }
}

#[cfg(test)]
mod tests;
