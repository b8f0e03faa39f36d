//! The world in virtual time: clients, balancers, the network, hosts, and what goes wrong.
//!
//! Events happen in the order of their instants, and those of one instant in the order in which
//! they were foretold. The same workload, policy and seed give the same run, bit for bit.

mod events;
mod faults;
mod fleet;
mod functions;
mod requests;

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use weighbridge_core::observe::Failure;
use weighbridge_core::random::Random;
use weighbridge_schedule::Owner;

use super::autoscalers::Autoscaler;
use super::functions::{Function, Run};
use super::host::{Host, LoadReport};
use super::measure::{Measured, Record};
use super::policies::{ProbeReply, Shape};
use super::proxy::{Action, Proxy, Scene};
use super::random::stream;
use super::scenario::Scenario;
use super::workload::Workload;

/// A run in progress.
#[derive(Debug)]
pub(super) struct World<'a> {
    scenario: &'a Scenario,
    workload: &'a Workload,
    shape: Shape,
    now: f64,
    agenda: BinaryHeap<Reverse<Foretold>>,
    foretold: u64,
    random: Random,
    /// Of crashes and of slow spells: streams of their own, so that every policy meets the same
    /// ones.
    crashes: Random,
    slow_spells: Random,
    /// Of runs on Lambda.
    of_functions: Random,
    proxies: Vec<Box<dyn Proxy>>,
    autoscaler: Option<Box<dyn Autoscaler>>,
    hosts: Vec<Host>,
    functions: Vec<Function>,
    flights: Vec<Flight>,
    /// Requests that have an answer, or will never have one.
    n_ended: usize,
    /// Requests that are at functions, or on the way there or back.
    n_invoked: usize,
    fleet: fleet::Account,
    /// The wake that is foretold for each proxy.
    wakes: Vec<f64>,
}

/// An event to come.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The next request comes.
    Arrive(usize),
    /// What a host foretold in that version.
    Host(usize, u64),
    /// A request reaches its host.
    Reach(Attempt),
    /// A response reaches the balancer.
    Answer(Attempt, f64, Option<LoadReport>),
    /// The balancer learns that a host has failed a request.
    Fail(Attempt, Failure),
    /// A request reaches a function.
    Invoke(Attempt, usize),
    /// A function has done with a request.
    RunEnd(Attempt, Run),
    /// Its response reaches the balancer.
    RunAnswer(Attempt, Run),
    /// The balancer learns that a function brings no response, or waits for it no longer.
    RunFail(Attempt, Failure),
    /// A load report reaches a balancer by itself.
    Report(usize, usize, LoadReport),
    /// A balancer asks all hosts for their report.
    Poll(usize),
    /// A host that was asked for its report has sent it, or has refused the connection.
    Polled(usize, usize, Option<LoadReport>),
    /// A probe reaches a host.
    Probe(usize, usize),
    /// Its reply reaches the balancer.
    Probed(usize, usize, ProbeReply),
    /// A host says to a balancer that it is idle.
    Idle(usize, usize),
    /// A host has booted.
    Ready(usize),
    /// The health checks find that a host is down, or well again.
    Detect(usize, bool),
    /// Some host crashes.
    Crash,
    /// A crashed host is well again.
    Recover(usize),
    /// Some host gets slow.
    Slow,
    /// A slow host is well again.
    Fast(usize),
    /// A balancer's tick.
    Tick(usize),
    /// The autoscaler's tick.
    Scale,
    /// A request may have waited too long at a balancer.
    Wake(usize),
}

/// One try of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Attempt {
    request: usize,
    n: u32,
}

#[derive(Debug)]
struct Foretold {
    at: f64,
    n: u64,
    event: Event,
}

/// What the world knows of a request.
#[derive(Debug, Clone, Copy, Default)]
struct Flight {
    /// Which try this is; those before it are over.
    n: u32,
    host: usize,
    /// When this try was sent.
    sent: f64,
    /// The estimate that was sent with it.
    estimate: Option<f64>,
    /// Where its client stood then.
    owner: Owner,
    /// When it reached its host, and how many were there.
    reached: (f64, u32),
    /// When it was answered.
    answered: Option<f64>,
    ended: bool,
    /// Whether it is at a function, or on the way there or back.
    is_invoked: bool,
}

// === impl World ===

impl<'a> World<'a> {
    /// A world in which nothing has happened. `proxies`: one for each balancer of the scenario.
    pub(super) fn new(
        scenario: &'a Scenario,
        workload: &'a Workload,
        shape: Shape,
        proxies: Vec<Box<dyn Proxy>>,
        autoscaler: Option<Box<dyn Autoscaler>>,
    ) -> World<'a> {
        let mut world = World {
            scenario,
            workload,
            shape,
            now: 0.0,
            agenda: BinaryHeap::new(),
            foretold: 0,
            random: Random::new(stream(scenario.seed, 5)),
            crashes: Random::new(stream(scenario.seed, 6)),
            slow_spells: Random::new(stream(scenario.seed, 7)),
            of_functions: Random::new(stream(scenario.seed, 8)),
            wakes: vec![f64::INFINITY; proxies.len()],
            proxies,
            autoscaler,
            hosts: Vec::new(),
            functions: scenario.functions.iter().cloned().map(Function::new).collect(),
            flights: vec![Flight::default(); workload.requests.len()],
            n_ended: 0,
            n_invoked: 0,
            fleet: fleet::Account::default(),
        };
        world.begin();
        world
    }

    /// Runs until every request has ended.
    pub(super) fn run(mut self, policy: &str, progress: &mut dyn FnMut(usize, usize)) -> Measured {
        let n_all = self.workload.requests.len();
        while self.n_ended < n_all {
            let Some(Reverse(next)) = self.agenda.pop() else { break };
            self.now = next.at;
            self.happen(next.event);
            self.check_functions();
            progress(self.n_ended, n_all);
        }
        self.end(policy)
    }

    fn begin(&mut self) {
        self.start_fleet();
        if let Some(first) = self.workload.requests.first() {
            self.at(first.at, Event::Arrive(0));
        }
        for proxy in 0..self.proxies.len() {
            self.at(self.scenario.reports.interval, Event::Poll(proxy));
            if let Some(every) = self.proxies[proxy].tick_every() {
                self.at(every, Event::Tick(proxy));
            }
        }
        if let (Some(scale), true) = (self.scenario.scale, self.autoscaler.is_some()) {
            self.at(scale.tick, Event::Scale);
        }
        self.foretell_crash();
        self.foretell_slow();
    }

    fn end(mut self, policy: &str) -> Measured {
        debug_assert!(
            self.hosts.iter().all(|host| host.n_requests() == 0),
            "no host has a request"
        );
        debug_assert!(
            self.proxies.iter().all(|proxy| proxy.n_waiting() == 0),
            "no request waits for a host"
        );
        debug_assert!(self.n_invoked == 0, "no request is at a function");
        let usage = self.stop_fleet();
        let records = self.workload.measured.clone().map(|request| {
            let drawn = &self.workload.requests[request];
            let answered = self.flights[request].answered;
            Record {
                at: drawn.at,
                work: drawn.work,
                response: answered.map(|at| at - drawn.at),
                route: drawn.route,
                client: drawn.client,
                answer_by: drawn.time_left.map(|left| drawn.at + left),
            }
        });
        Measured {
            policy: policy.to_owned(),
            clients: self.scenario.clients.iter().map(|client| client.name.clone()).collect(),
            largest_client: self.scenario.largest_client(),
            records: records.collect(),
            usage,
            runs: self.counts_of_runs(),
            samples: self.fleet.take_samples(),
            length: self.now,
        }
    }

    fn at(&mut self, at: f64, event: Event) {
        self.foretold += 1;
        self.agenda.push(Reverse(Foretold { at, n: self.foretold, event }));
    }

    /// After half a round trip: at once where there is none.
    fn after_trip(&mut self, event: Event) {
        self.at(self.now + self.scenario.round_trip / 2.0, event);
    }

    /// Lets one proxy speak, and does what it asks for.
    fn tell(
        &mut self,
        proxy: usize,
        tell: impl FnOnce(&mut dyn Proxy, Scene<'_>, &mut Vec<Action>),
    ) {
        let scene = Scene { now: self.now, workload: self.workload, hosts: &self.hosts };
        let mut actions = Vec::new();
        tell(self.proxies[proxy].as_mut(), scene, &mut actions);
        for action in actions {
            self.act(proxy, action);
        }
        let wake = self.proxies[proxy].next_wake().unwrap_or(f64::INFINITY);
        if wake < self.wakes[proxy] {
            self.wakes[proxy] = wake;
            self.at(wake, Event::Wake(proxy));
        }
    }

    /// Lets all proxies speak.
    fn tell_all(&mut self, tell: impl Fn(&mut dyn Proxy, Scene<'_>, &mut Vec<Action>)) {
        for proxy in 0..self.proxies.len() {
            self.tell(proxy, &tell);
        }
    }
}

// === impl Foretold ===

impl PartialEq for Foretold {
    fn eq(&self, other: &Foretold) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Foretold {}

impl PartialOrd for Foretold {
    fn partial_cmp(&self, other: &Foretold) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Foretold {
    fn cmp(&self, other: &Foretold) -> Ordering {
        self.at.total_cmp(&other.at).then(self.n.cmp(&other.n))
    }
}
