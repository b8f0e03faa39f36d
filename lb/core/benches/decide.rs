//! The cost of one decision: estimate, schedule, admit, claim; and giving the claim back.
//!
//! A fleet of two-core hosts in steady state at load 0.9: requests arrive, and end when the host
//! should have run them. One iteration is one arrival and the completions until the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::{Arrival, Balancer};
use weighbridge_core::features::{FeatureSet, Features};
use weighbridge_core::host::{Discipline, HostSpec};
use weighbridge_core::observe::Outcome;
use weighbridge_core::policy::{
    HostPolicy, LearnPolicy, Policy, QueueDiscipline, QueuePolicy, RetryPolicy, RoutePolicy,
    ScalePolicy, ScaleRule, SchedulePolicy,
};
use weighbridge_core::random::Random;
use weighbridge_core::request::{RequestId, RouteId};
use weighbridge_core::schedule::{filters, weighers};
use weighbridge_core::units::{Speed, Time, Work};

/// Fraction of the fleet's capacity that is asked for.
const LOAD: f64 = 0.9;

/// Mean work of the requests, in seconds.
const WORK_MEAN: f64 = 0.029;

/// Decisions over which allocations are counted.
const DECISIONS: u64 = 1000;

fn policy() -> Policy {
    let secs = Duration::from_secs;
    Policy {
        routes: vec![RoutePolicy {
            name: "a".to_owned(),
            features: FeatureSet::default(),
            prior: Work::saturating(1.0),
            work_min: Work::saturating(1e-4),
            work_max: Work::saturating(100.0),
            patience: secs(3600),
            idempotent: true,
        }],
        schedule: SchedulePolicy {
            filters: filters::ALL.iter().map(|filter| filter.name().to_owned()).collect(),
            weighers: weighers::ALL.iter().map(|one| (one.name().to_owned(), 1.0)).collect(),
            host_subset_size: 1,
            shuffle_best_same_weighed_hosts: false,
            alternates: 2,
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
            rule: ScaleRule::CpuAndBacklog,
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
    }
}

/// A fleet at load, a clock that goes on, and requests of random size.
struct World {
    balancer: Balancer,
    random: Random,
    /// Nanoseconds between two arrivals.
    interval: u64,
    nanos: u64,
    next: u64,
    /// When each request ends.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
}

impl World {
    fn new(n_hosts: usize, discipline: Discipline) -> World {
        let mut balancer = Balancer::new(policy(), 1);
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
        let interval = WORK_MEAN / (LOAD * 2.0 * n_hosts as f64) * 1e9;
        let ends = BinaryHeap::new();
        let interval = interval as u64;
        let mut world = World { balancer, random, interval, nanos: 0, next: 0, ends };
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
            let outcome = Outcome { success: true, cost: None, elapsed: Duration::ZERO, build: 0 };
            self.balancer.complete(now, RequestId(id), &outcome);
        }
        self.next += 1;
        let work = (0.01 / (1.0 - self.random.unit()).powf(0.7)).min(1.0);
        let arrival = Arrival {
            id: RequestId(self.next),
            route: RouteId(0),
            features: Features::default(),
            known: Work::from_cpu_secs(work),
            body_bytes: 1000,
        };
        if let Verdict::Forward(placement) = black_box(self.balancer.arrive(now, arrival)) {
            let end = self.nanos + ((placement.added_delay.0 + work) * 1e9) as u64;
            self.ends.push(Reverse((end, self.next)));
        }
    }
}

fn decide(criterion: &mut Criterion) {
    for (name, discipline) in
        [("fcfs", Discipline::Fcfs), ("srpt", Discipline::Srpt), ("ps", Discipline::Ps)]
    {
        let mut group = criterion.benchmark_group(format!("decide/{name}"));
        for n_hosts in [10, 100, 1000, 10_000] {
            let mut world = World::new(n_hosts, discipline);
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
