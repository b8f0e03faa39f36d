//! The cost of one decision: features, estimate, schedule, admit, claim; and giving the claim back.
//!
//! A fleet of two-core hosts in steady state at load 0.9: requests arrive, and end when the host
//! should have run them; on `fcfs` hosts when their cores have, for what is believed of waits there
//! is at times too long, and a fleet that took so long would fall behind for ever. One iteration is
//! one arrival and the completions until the next. A trained model estimates by the query, a header
//! and the body's length; what looking into bodies costs besides is in the benchmark `estimate`.
//!
//! `cargo bench -p weighbridge-core --bench decide`

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::{Ask, Balancer, Policy};
use weighbridge_core::features::{FeatureSet, extractors};
use weighbridge_core::fleet::Path;
use weighbridge_core::host::{Discipline, HostId, HostSpec};
use weighbridge_core::learn::train;
use weighbridge_core::observe::{Observation, Outcome, RequestCost};
use weighbridge_core::policy::{
    HostPolicy, LearnPolicy, QueueDiscipline, QueuePolicy, RetryPolicy, RoutePolicy,
};
use weighbridge_core::random::Random;
use weighbridge_core::request::{RequestId, RequestSpec, RouteId};
use weighbridge_core::scale::{ScalePolicy, rules};
use weighbridge_core::schedule::{SchedulePolicy, filters, weighers};
use weighbridge_core::share::Terms;
use weighbridge_core::units::{Speed, Time, Work};

/// Fraction of the fleet's capacity that is asked for.
const LOAD: f64 = 0.9;

/// What the model sees.
const FEATURES: [&str; 4] =
    ["query.width * query.height", "query.width + query.height", "header.x-depth", "body.bytes"];

/// Requests are these, over and over.
const REQUESTS: usize = 1024;

/// Decisions over which allocations are counted.
const DECISIONS: u64 = 1000;

fn features() -> FeatureSet {
    FeatureSet::parse(&FEATURES.map(str::to_owned), extractors::ALL)
        .expect("the benchmark's features are well-formed")
}

fn policy(hold: Option<f64>) -> Policy {
    let secs = Duration::from_secs;
    Policy {
        routes: vec![RoutePolicy {
            name: "a".to_owned(),
            features: features(),
            prior: Work::saturating(1.0),
            work_min: Work::saturating(1e-4),
            work_max: Work::saturating(100.0),
            patience: secs(3600),
            idempotent: Some(true),
            tries_max: None,
            function: None,
        }],
        schedule: SchedulePolicy {
            filters: filters::ALL.to_vec(),
            weighers: weighers::ALL.iter().map(|weigher| (*weigher, 1.0)).collect(),
            host_subset_size: 1,
            shuffle_best_same_weighed_hosts: false,
            hold,
        },
        queue: QueuePolicy {
            discipline: QueueDiscipline::Sept,
            requests_max: 1000,
            bytes_max: 1 << 30,
            wait_max: secs(30),
            age_floor: secs(5),
            age_factor: 2.0,
        },
        hosts: HostPolicy {
            in_flight_max_per_core: 64,
            memory_utilization_max: 0.9,
            eject_failures: 5,
            eject_base: secs(5),
            eject_max: secs(60),
            eject_fraction_max: 0.5,
            warm_up: secs(0),
            report_age_max: secs(5),
        },
        retry: RetryPolicy { tries_max: 3, budget_fraction: 0.2, budget_floor: 10 },
        learn: LearnPolicy {
            window: 1000,
            observations_min: 20,
            retrain_after: 100,
            drift_error_max: 1.0,
        },
        scale: ScalePolicy {
            rule: rules::ALL[0],
            hosts_min: 1,
            hosts_max: 20_000,
            cpu_high: 0.7,
            cpu_low: 0.2,
            cpu_target: 0.6,
            backlog_max: secs(10),
            stable_window: secs(60),
            panic_window: secs(5),
            panic_factor: 3.0,
            boot_time: secs(2),
            boot_timeout: secs(60),
        },
        lambda: None,
        share: None,
    }
}

/// A request before it runs.
struct Sent {
    query: String,
    depth: String,
    body_bytes: u64,
    /// What it will cost, in seconds.
    work: f64,
}

impl Sent {
    /// One of a heavy-tailed mix.
    fn new(random: &mut Random) -> Sent {
        let work = (0.01 / (1.0 - random.unit()).powf(0.7)).min(1.0);
        let side = 100 + random.below(900);
        let (width, height) = (side, (work * 1e8 / side as f64) as usize);
        Sent {
            query: format!("name=abc&width={width}&height={height}&mode=1"),
            depth: (1 + random.below(8)).to_string(),
            body_bytes: 1000 + random.below(100_000) as u64,
            work,
        }
    }

    /// What a proxy does of it before it asks the balancer.
    fn ask(&self, features: &FeatureSet) -> Ask {
        let headers = [
            ("host", "weighbridge"),
            ("content-type", "image/png"),
            ("x-depth", self.depth.as_str()),
        ];
        let (query, body_bytes) = (self.query.as_str(), self.body_bytes);
        let spec =
            RequestSpec { query, headers: &headers, body_bytes: Some(body_bytes), body: b"" };
        let features = features.extract(&spec);
        Ask {
            path: Path::UNKNOWN,
            is_idempotent: true,
            route: RouteId(0),
            features,
            known: None,
            body_bytes,
            event_bytes: None,
            job: None,
            terms: Terms::default(),
        }
    }
}

/// Teaches `balancer` a model of what `requests` cost.
fn teach(balancer: &mut Balancer, features: &FeatureSet, requests: &[Sent]) {
    for request in requests.iter().take(500) {
        balancer.restore(&Observation {
            route: RouteId(0),
            features: request.ask(features).features,
            estimated: None,
            cost: RequestCost::default(),
            work: Work::saturating(request.work),
            speed: Speed::ONE,
            build: 0,
        });
    }
    let model = train(&balancer.start_training(Time::ZERO, RouteId(0)), 1).expect("500 are enough");
    assert!(balancer.install(RouteId(0), model), "the model is of these features");
}

/// A fleet at load, a clock that goes on, and requests of random size.
struct World {
    balancer: Balancer,
    features: FeatureSet,
    requests: Vec<Sent>,
    /// Nanoseconds between two arrivals.
    interval: u64,
    nanos: u64,
    next: u64,
    /// When each request ends.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    discipline: Discipline,
    /// When each core of each host has done with what it has been given.
    free: Vec<[u64; 2]>,
}

impl World {
    fn new(n_hosts: usize, discipline: Discipline, hold: Option<f64>) -> World {
        let mut balancer = Balancer::new(policy(hold), 1);
        let mut random = Random::new(2);
        for n in 0..n_hosts {
            // No two learn quite the same speed.
            let speed = Speed::from_reference_cores(1.0 + 0.02 * random.unit());
            let Some(speed) = speed else { continue };
            let (name, discipline) = (n.to_string(), Some(discipline));
            let spec = HostSpec { name, cores: 2, speed, discipline, price: 1.0 };
            let host = balancer.join(Time::ZERO, spec);
            balancer.ready(Time::ZERO, host);
        }
        let features = features();
        let requests: Vec<Sent> = (0..REQUESTS).map(|_| Sent::new(&mut random)).collect();
        teach(&mut balancer, &features, &requests);
        // Of a heavy tail a thousand requests have a mean of their own.
        let work_mean = requests.iter().map(|one| one.work).sum::<f64>() / REQUESTS as f64;
        let interval = work_mean / (LOAD * 2.0 * n_hosts as f64) * 1e9;
        let ends = BinaryHeap::new();
        let interval = interval as u64;
        let mut world = World {
            balancer,
            features,
            requests,
            interval,
            nanos: 0,
            next: 0,
            ends,
            discipline,
            free: vec![[0; 2]; n_hosts],
        };
        for _ in 0..n_hosts * 4 {
            world.step();
        }
        world
    }

    fn step(&mut self) {
        self.nanos += self.interval;
        let now = Time::from_nanos(self.nanos);
        while let Some(Reverse((end, id))) = self.ends.peek().copied() {
            if self.nanos < end {
                break;
            }
            self.ends.pop();
            let (elapsed, cold_start) = (Duration::ZERO, None);
            let outcome = Outcome { success: true, cost: None, elapsed, build: 0, cold_start };
            self.balancer.complete(now, RequestId(id), &outcome);
            if 0 < self.balancer.waiting().requests {
                for (id, verdict) in self.balancer.dispatch(now) {
                    self.follow(id, &verdict);
                }
            }
        }
        self.next += 1;
        let request = &self.requests[self.next as usize % REQUESTS];
        let (id, ask) = (RequestId(self.next), request.ask(&self.features));
        let verdict = black_box(self.balancer.arrive(now, id, ask));
        self.follow(id, &verdict);
    }

    /// A request that has a host runs there.
    fn follow(&mut self, id: RequestId, verdict: &Verdict) {
        if let Verdict::Forward(placement) = verdict {
            let work = self.requests[id.0 as usize % REQUESTS].work;
            let end = match self.discipline {
                Discipline::Fcfs => self.serve(placement.host, work),
                Discipline::Srpt | Discipline::Ps => self.share(placement.host, work),
            };
            self.ends.push(Reverse((end, id.0)));
        }
    }

    /// When `host` has run `work`, with all that it has now sharing its cores.
    fn share(&self, host: HostId, work: f64) -> u64 {
        let secs = self.balancer.host(host).map_or(work, |host| {
            let share = f64::from(host.n_requests()) / f64::from(host.cores);
            work * share.max(1.0) / host.speed.as_reference_cores()
        });
        self.nanos + (secs * 1e9) as u64
    }

    /// When `host` has run `work`, on the core that is free first.
    fn serve(&mut self, host: HostId, work: f64) -> u64 {
        let speed = self.balancer.host(host).map_or(1.0, |host| host.speed.as_reference_cores());
        let cores = &mut self.free[host.0 as usize];
        cores.sort_unstable();
        cores[0] = cores[0].max(self.nanos) + (work / speed * 1e9) as u64;
        cores[0]
    }
}

fn decide(criterion: &mut Criterion) {
    for (name, discipline, hold) in [
        ("fcfs", Discipline::Fcfs, None),
        ("srpt", Discipline::Srpt, None),
        ("ps", Discipline::Ps, None),
        ("fcfs-hold", Discipline::Fcfs, Some(8.0)),
        ("ps-hold", Discipline::Ps, Some(8.0)),
    ] {
        let mut group = criterion.benchmark_group(format!("decide/{name}"));
        for n_hosts in [10, 100, 1000, 10_000] {
            let mut world = World::new(n_hosts, discipline, hold);
            let counted = allocation_counter::measure(|| {
                for _ in 0..DECISIONS {
                    world.step();
                }
            });
            let per = counted.count_total as f64 / DECISIONS as f64;
            println!("decide/{name}/{n_hosts}: {per:.3} allocations per decision");
            group.bench_function(BenchmarkId::from_parameter(n_hosts), |bencher| {
                bencher.iter(|| world.step());
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = decide
}
criterion_main!(benches);
