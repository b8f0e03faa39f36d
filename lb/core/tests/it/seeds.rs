//! Random events, thousands of them for each of many seeds: whatever comes in whatever order, the
//! invariants hold after each event, every claim is released once, and none is left at the end.
//!
//! A failure prints the command that replays its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::{Ask, Balancer, JobAsk, Policy};
use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::fleet::Path;
use weighbridge_core::host::{Discipline, HostId, HostSpec};
use weighbridge_core::lambda::Lambda;
use weighbridge_core::observe::{Failure, HostReport, Outcome, RequestCost};
use weighbridge_core::policy::{
    FunctionId, FunctionPolicy, HostPolicy, LambdaPolicy, LearnPolicy, QueueDiscipline,
    QueuePolicy, RetryPolicy, RoutePolicy,
};
use weighbridge_core::random::Random;
use weighbridge_core::request::{RequestId, RouteId};
use weighbridge_core::scale::{ScalePolicy, rules};
use weighbridge_core::schedule::{SchedulePolicy, filters, weighers};
use weighbridge_core::share::{ClassId, ClassPolicy, CpuQuota, Quota, RULES, SharePolicy, Terms};
use weighbridge_core::units::{Speed, Time, Work};

const SEEDS: u64 = 64;
const EVENTS: usize = 1500;

/// One run: the balancer, and what the world outside believes of it.
struct World {
    random: Random,
    balancer: Balancer,
    /// Whether it asks, before a request arrives, what would become of it.
    foresees: bool,
    /// Whether requests say whose they are.
    names_clients: bool,
    now: f64,
    next_request: u64,
    /// Requests that the balancer has not finished with, and where they are.
    open: BTreeMap<RequestId, Place>,
    hosts: BTreeSet<HostId>,
    /// Everything that was said: equal runs say equal things.
    said: Vec<String>,
}

/// Whether an explanation's verdict says what `verdict` is.
fn is_of(explained: &str, verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Forward(placement) => {
            explained.starts_with(&format!("forward to {} (", placement.host.0))
        }
        Verdict::Lambda(_) => explained.starts_with("lambda ("),
        Verdict::Queue { .. } => explained.starts_with("queue: "),
        Verdict::Shed(reason) => explained == format!("shed: {reason}"),
        Verdict::Later => explained == "later",
    }
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Host(HostId),
    Lambda,
    Queue,
}

#[test]
fn no_claim_is_lost_or_released_twice_whatever_happens() {
    sweep(World::run);
}

#[test]
fn an_explanation_says_what_an_arrival_then_gets() {
    sweep(|seed| World::new(seed, true).play());
}

fn sweep(run: impl Fn(u64) -> Vec<String>) {
    for seed in seeds() {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("replay: CORE_SEED={seed:#x} cargo test -p weighbridge-core --test it seeds");
            std::panic::resume_unwind(cause);
        }
    }
}

#[test]
fn equal_seeds_give_equal_verdicts() {
    assert_eq!(World::run(7), World::run(7));
    assert_ne!(World::run(7), World::run(8));
}

#[test]
fn whose_requests_are_means_nothing_where_nothing_is_shared() {
    for seed in 0..SEEDS / 2 {
        let play = |names_clients| {
            let mut world = World::new(seed, false);
            let policy = Policy { share: None, ..world.balancer.policy().clone() };
            world.balancer = Balancer::new(policy, seed);
            World { names_clients, ..world }.play()
        };
        assert_eq!(play(true), play(false), "seed {seed}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may be told its seed")]
fn seeds() -> Vec<u64> {
    let given = std::env::var("CORE_SEED").ok();
    let parse = |text: String| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    given.map_or_else(|| (0..SEEDS).collect(), |text| vec![parse(text)])
}

impl World {
    fn run(seed: u64) -> Vec<String> {
        World::new(seed, false).play()
    }

    fn new(seed: u64, foresees: bool) -> World {
        let mut random = Random::new(seed);
        let balancer = Balancer::new(policy(&mut random), seed);
        World {
            random,
            balancer,
            foresees,
            names_clients: true,
            now: 0.0,
            next_request: 0,
            open: BTreeMap::new(),
            hosts: BTreeSet::new(),
            said: Vec::new(),
        }
    }

    fn play(mut self) -> Vec<String> {
        for _ in 0..EVENTS {
            self.step();
            if self.balancer.has_displaced() {
                self.dispatch();
            }
            self.check();
        }
        self.end();
        self.said
    }

    fn step(&mut self) {
        self.now += self.random.unit() * self.random.unit() * 0.5;
        match self.random.below(100) {
            0..35 => self.arrive(),
            35..55 => self.complete(),
            55..62 => self.fail(),
            62..67 => self.abandon(),
            67..80 => self.dispatch(),
            80..83 => self.report(),
            83..86 => self.probed(),
            86..89 => self.join(),
            89..92 => self.ready(),
            92 => self.drain(),
            93 => self.leave(),
            94..97 => self.tick(),
            97 => self.explain(),
            98 => self.now += self.random.unit() * 1000.0,
            _ => self.now = (self.now - self.random.unit() * 10.0).max(0.0),
        }
    }

    /// The core's own invariants, and that it agrees with the world on who is where.
    fn check(&self) {
        self.balancer.check_invariants();
        let in_flight: usize = self.balancer.hosts().map(|host| host.in_flight as usize).sum();
        let on_host =
            |place: &Place| matches!(place, Place::Host(host) if self.hosts.contains(host));
        let count = |is: &dyn Fn(&Place) -> bool| self.open.values().filter(|p| is(p)).count();
        assert_eq!(in_flight, count(&on_host), "a claim for each request on a host that is there");
        let waiting = count(&|place| *place == Place::Queue);
        assert_eq!(self.balancer.waiting().requests, waiting, "a place for each that waits");
        let running = self.balancer.lambda().map_or(0, Lambda::running);
        assert_eq!(running, count(&|place| *place == Place::Lambda), "a run for each on Lambda");
    }

    /// All requests end: nothing may be left of them.
    fn end(&mut self) {
        while let Some((id, _)) = self.open.pop_first() {
            self.balancer.abandon(self.now(), id);
        }
        self.check();
        for host in self.balancer.hosts() {
            let left = host.claims.iter().filter(|claim| claim.request.is_some()).count();
            assert_eq!((left, host.in_flight), (0, 0), "every claim is gone");
        }
        assert_eq!(self.balancer.waiting().work, Work::ZERO, "nothing waits");
        for client in self.balancer.shares().clients(self.now()) {
            let left = (client.here, client.running_cpu_seconds);
            assert_eq!(left, (0, 0.0), "what is charged is settled: {client:?}");
            self.said.push(format!("{} has had {}", client.client, client.used_cpu_seconds));
        }
        if let Some(lambda) = self.balancer.lambda() {
            assert_eq!(lambda.running(), 0, "nothing runs on Lambda");
            self.said.push(format!("{} USD", lambda.usd_total()));
        }
    }

    fn now(&self) -> Time {
        Time::from_secs_f64(self.now)
    }

    /// What the verdict says of a request, in the world's books.
    fn note(&mut self, id: RequestId, verdict: &Verdict) {
        self.said.push(format!("{} {verdict:?}", id.0));
        match verdict {
            Verdict::Forward(placement) => {
                let host = self.balancer.host(placement.host).expect("forwarded to a host");
                self.open.insert(id, Place::Host(host.id));
            }
            Verdict::Queue { .. } => {
                self.open.insert(id, Place::Queue);
            }
            Verdict::Lambda(_) => {
                self.open.insert(id, Place::Lambda);
            }
            Verdict::Shed(_) | Verdict::Later => {
                self.open.remove(&id);
            }
        }
    }

    fn arrive(&mut self) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let size = 0.001 / (1.0 - self.random.unit());
        let ask = Ask {
            path: Path::UNKNOWN,
            is_idempotent: true,
            route: RouteId(self.random.below(2) as u16),
            features: Features::default(),
            known: Work::from_cpu_secs(size).filter(|_| self.random.below(3) != 0),
            body_bytes: self.random.below(1000) as u64,
            event_bytes: Some(self.random.below(1000) as u64).filter(|bytes| 100 < *bytes),
            job: self.job(),
            terms: self.terms(),
        };
        let is_job = ask.job.is_some();
        // Not always: asking brings the hosts to now.
        let is_asked = self.foresees && !id.0.is_multiple_of(3);
        let foreseen = is_asked.then(|| self.balancer.explain(self.now(), &ask).verdict);
        let verdict = self.balancer.arrive(self.now(), id, ask);
        if let Some(foreseen) = foreseen {
            assert!(is_of(&foreseen, &verdict), "foreseen: `{foreseen}`, came: {verdict:?}");
        }
        match &verdict {
            Verdict::Forward(_) | Verdict::Lambda(_) => {}
            Verdict::Queue { .. } | Verdict::Shed(_) => assert!(!is_job, "{verdict:?}"),
            Verdict::Later => assert!(is_job, "a client is not told to come later"),
        }
        self.note(id, &verdict);
    }

    /// Whose a request is, of a few clients or of nobody, and now and then until when it is of use.
    fn terms(&mut self) -> Terms {
        let names = ["a", "b", "c", "d", "member of gold", "e", "f", "g", "h"];
        let name = names.get(self.random.below(names.len() + 2));
        let class = ClassId(self.random.below(3) as u8);
        let left = self.random.unit() * 3.0;
        let time_left = (self.random.below(4) == 0).then(|| secs(left));
        let client = name.filter(|_| self.names_clients).map(|name| (*name).into());
        Terms { client, class, time_left }
    }

    /// One of four is a job, and one of eight jobs is to be alone.
    fn job(&mut self) -> Option<JobAsk> {
        let (weight, alone) = (0.1 + self.random.unit(), self.random.below(8) == 0);
        Some(JobAsk { weight, alone }).filter(|_| self.random.below(4) == 0)
    }

    /// A request that was sent somewhere; mostly one that is known, and sometimes any number.
    fn sent(&mut self) -> RequestId {
        let sent = self.open.iter().filter(|(_, place)| **place != Place::Queue);
        let sent: Vec<RequestId> = sent.map(|(id, _)| *id).collect();
        match sent.get(self.random.below(sent.len())) {
            Some(id) if self.random.below(20) != 0 => *id,
            Some(_) | None => RequestId(self.next_request + 1),
        }
    }

    fn host(&mut self) -> HostId {
        let host = self.hosts.iter().nth(self.random.below(self.hosts.len().max(1))).copied();
        host.filter(|_| self.random.below(20) != 0).unwrap_or(HostId(u32::MAX))
    }

    fn complete(&mut self) {
        let id = self.sent();
        let cost = RequestCost { cpu_seconds: Some(self.random.unit()), ..RequestCost::default() };
        let outcome = Outcome {
            success: self.random.below(10) != 0,
            cost: Some(cost).filter(|_| self.random.below(10) != 0),
            elapsed: Duration::from_secs_f64(self.random.unit()),
            build: 0,
            cold_start: [None, Some(true), Some(false)][self.random.below(3)],
        };
        let learned = self.balancer.complete(self.now(), id, &outcome);
        let known = self.open.remove(&id).is_some();
        assert!(known || learned.is_none(), "what is not known teaches nothing");
        self.said.push(format!("{} {learned:?}", id.0));
    }

    fn fail(&mut self) {
        let id = self.sent();
        let failure = match self.random.below(6) {
            0 => Failure::Connect,
            1 => Failure::Refused,
            2 => Failure::BeforeResponse,
            3 => Failure::Timeout,
            4 => Failure::TooLong,
            _ => Failure::AfterResponse,
        };
        let failed = self.open.get(&id).copied();
        let verdict = self.balancer.fail(self.now(), id, failure);
        if let Verdict::Forward(placement) = &verdict {
            assert_ne!(
                Some(Place::Host(placement.host)),
                failed,
                "not to the host that has just failed it"
            );
        }
        assert!(
            failed != Some(Place::Lambda) || !matches!(verdict, Verdict::Lambda(_)),
            "not to Lambda, which has just failed it"
        );
        self.note(id, &verdict);
    }

    fn abandon(&mut self) {
        let id = match self.open.keys().nth(self.random.below(self.open.len().max(1))) {
            Some(id) => *id,
            None => RequestId(u64::MAX),
        };
        self.balancer.abandon(self.now(), id);
        self.open.remove(&id);
    }

    fn dispatch(&mut self) {
        for (id, verdict) in self.balancer.dispatch(self.now()) {
            assert_eq!(self.open.get(&id), Some(&Place::Queue), "only what waits is dispatched");
            self.note(id, &verdict);
        }
    }

    fn report(&mut self) {
        let host = self.host();
        let wild = [f64::NAN, f64::INFINITY, -1.0, 1e300, 0.5, 0.0, 1.0, 0.95];
        let mut number =
            || Some(wild[self.random.below(wild.len())]).filter(|_| self.random.below(4) != 0);
        let report = HostReport {
            cpu_utilization: number(),
            mem_utilization: number(),
            application_utilization: number(),
            in_flight: number().map(|number| (number * 8.0) as u32),
            work_left: number().and_then(Work::from_cpu_secs),
            speed: number().and_then(Speed::from_reference_cores),
            slots: number().map(|number| (number * 4.0) as u32),
            discipline: self.discipline(),
        };
        self.balancer.report(self.now(), host, &report);
    }

    fn probed(&mut self) {
        let (host, answered) = (self.host(), self.random.below(3) != 0);
        self.balancer.probed(self.now(), host, answered);
    }

    fn discipline(&mut self) -> Option<Discipline> {
        let all = [Discipline::Fcfs, Discipline::Ps, Discipline::Srpt].map(Some);
        all.get(self.random.below(4)).copied().flatten()
    }

    fn join(&mut self) {
        let discipline = self.discipline();
        let speed = Speed::from_reference_cores(0.25 + 4.0 * self.random.unit()).unwrap();
        let cores = 1 + self.random.below(4) as u32;
        let spec = HostSpec { name: String::new(), cores, speed, discipline, price: 1.0 };
        let host = self.balancer.join(self.now(), spec);
        assert!(self.hosts.insert(host), "an id is never used again");
    }

    fn ready(&mut self) {
        let host = self.host();
        self.balancer.ready(self.now(), host);
    }

    fn drain(&mut self) {
        let host = self.host();
        self.balancer.drain(self.now(), host);
    }

    fn leave(&mut self) {
        let host = self.host();
        self.balancer.leave(self.now(), host);
        self.hosts.remove(&host);
    }

    fn tick(&mut self) {
        let tick = self.balancer.tick(self.now());
        self.said.push(format!("{tick:?}"));
        for host in tick.plan.drain.iter().chain(&tick.plan.replace) {
            assert!(self.hosts.contains(host), "a plan drains hosts that are there");
        }
        assert!(
            tick.plan.launch == 0 || tick.plan.drain.is_empty(),
            "a plan does not launch what it drains"
        );
    }

    fn explain(&mut self) {
        let known = Work::from_cpu_secs(self.random.unit());
        let now = self.now();
        let ask = Ask {
            path: Path::UNKNOWN,
            is_idempotent: true,
            route: RouteId(0),
            features: Features::default(),
            known,
            body_bytes: 50,
            event_bytes: Some(50),
            job: None,
            terms: Terms::default(),
        };
        let account = self.balancer.explain(now, &ask);
        self.said.push(account.to_string());
    }
}

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

/// A policy that differs from seed to seed where that matters.
fn policy(random: &mut Random) -> Policy {
    let route = |name: &str, idempotent| RoutePolicy {
        name: name.to_owned(),
        features: FeatureSet::default(),
        prior: Work::saturating(0.2),
        work_min: Work::saturating(1e-4),
        work_max: Work::saturating(100.0),
        patience: secs(0.05),
        idempotent: Some(idempotent),
        tries_max: None,
        function: None,
    };
    let lambda = lambda(random);
    let spills = |route: RoutePolicy, n: u16| RoutePolicy {
        function: lambda.as_ref().map(|_| FunctionId(n)),
        ..route
    };
    Policy {
        routes: vec![spills(route("a", true), 0), spills(route("b", false), 1)],
        schedule: SchedulePolicy {
            filters: filters::ALL.to_vec(),
            weighers: weighers::ALL.iter().map(|weigher| (*weigher, 1.0)).collect(),
            host_subset_size: 1 + random.below(3),
            shuffle_best_same_weighed_hosts: random.below(2) == 0,
            hold: [None, Some(1.0), Some(8.0)][random.below(3)],
        },
        queue: QueuePolicy {
            discipline: [QueueDiscipline::Fcfs, QueueDiscipline::Sept, QueueDiscipline::Edf]
                [random.below(3)],
            requests_max: random.below(40),
            bytes_max: 10_000,
            wait_max: secs(10.0),
            age_floor: secs(1.0),
            age_factor: 2.0,
        },
        hosts: hosts(random),
        retry: RetryPolicy { tries_max: 3, budget_fraction: 0.5, budget_floor: 5 },
        learn: LearnPolicy {
            window: 100,
            observations_min: 20,
            retrain_after: 50,
            drift_error_max: 1.0,
        },
        scale: ScalePolicy {
            rule: rules::ALL[random.below(rules::ALL.len())],
            hosts_min: 1,
            hosts_max: 8,
            cpu_high: 0.7,
            cpu_low: 0.2,
            cpu_target: 0.6,
            backlog_max: secs(2.0),
            stable_window: secs(5.0),
            panic_window: secs(1.0),
            panic_factor: 2.0,
            boot_time: secs(0.2),
            boot_timeout: secs(5.0),
        },
        lambda,
        share: share(random),
    }
}

/// Two classes and a few clients, in half of the worlds.
fn share(random: &mut Random) -> Option<SharePolicy> {
    let quota = |random: &mut Random| Quota {
        cpu: (random.below(3) == 0)
            .then(|| CpuQuota { work: Work::saturating(2.0), window: secs(5.0) }),
        cores: (random.below(3) == 0).then_some(4),
    };
    let class = |name: &str, random: &mut Random| ClassPolicy {
        name: name.to_owned(),
        priority: random.below(2) as u8,
        weight: 0.5 + random.unit(),
        clients: vec![format!("member of {name}")],
        quota: quota(random),
        client_quota: quota(random),
    };
    let classes = vec![class("gold", random), class("free", random)];
    let rule = RULES[random.below(RULES.len())];
    let half_life = secs(0.05 + random.unit());
    let clients_max = 1 + random.below(6);
    let slack = [0.0, 1.5][random.below(2)];
    (random.below(2) == 0).then_some(SharePolicy { rule, half_life, slack, clients_max, classes })
}

/// Hosts that are ejected soon.
fn hosts(random: &mut Random) -> HostPolicy {
    HostPolicy {
        in_flight_max_per_core: 1 + random.below(8),
        memory_utilization_max: 0.9,
        eject_failures: 3,
        eject_base: secs(2.0),
        eject_max: secs(20.0),
        eject_fraction_max: 0.5,
        warm_up: secs(5.0),
        report_age_max: secs(3.0),
    }
}

/// Cheap or dear, or none at all.
fn lambda(random: &mut Random) -> Option<LambdaPolicy> {
    let usd_per_hour_max = [1e-4, 1e-3, 1.0].get(random.below(4)).copied()?;
    let mut function = |name: &str| FunctionPolicy {
        name: name.to_owned(),
        concurrency_max: random.below(5),
        memory_gb: 1.769,
        speed: Speed::ONE,
        cold_start: secs(random.unit()),
        payload_bytes_max: 800,
    };
    Some(LambdaPolicy {
        functions: vec![function("a"), function("b")],
        usd_per_hour_max,
        usd_per_gb_second: 1.666_67e-5,
        usd_per_request: 2e-7,
    })
}
