use std::time::Duration;

use super::*;
use crate::estimate::Source;
use crate::fleet::Path;
use crate::host::{Discipline, HostSpec};
use crate::observe::HostReport;
use crate::request::RequestId;
use crate::units::{Speed, Work};

fn hosts_policy() -> HostPolicy {
    HostPolicy { warm_up: Duration::from_secs(2), ..HostPolicy::for_tests() }
}

fn schedule(subset: usize, shuffle: bool) -> Schedule {
    Schedule::new(&SchedulePolicy {
        filters: filters::ALL.to_vec(),
        weighers: weighers::ALL.iter().map(|weigher| (*weigher, 1.0)).collect(),
        host_subset_size: subset,
        shuffle_best_same_weighed_hosts: shuffle,
        hold: None,
    })
}

/// A fleet of `n` hosts with random claims, some of them failing, some ejected; of one discipline,
/// or of all.
fn fleet(random: &mut Random, n: usize) -> Fleet {
    let mut fleet = Fleet::new(hosts_policy());
    let mut request = 0;
    let disciplines = [Discipline::Fcfs, Discipline::Srpt, Discipline::Ps];
    let only = disciplines.get(random.below(6)).copied();
    for _ in 0..n {
        let discipline = only.unwrap_or(disciplines[random.below(3)]);
        let discipline = Some(discipline);
        let speed = [1.0, 1.0, 1.0, 0.5, 4.0][random.below(5)];
        let speed = Speed::from_reference_cores(speed).unwrap();
        let cores = 1 + random.below(3) as u32;
        let spec = HostSpec { name: String::new(), cores, speed, discipline, price: 1.0 };
        let host = fleet.join(Time::ZERO, spec);
        if random.below(10) != 0 {
            fleet.ready(Time::ZERO, host);
        }
        if random.below(5) == 0 {
            fleet.prefer(host, [0.25, 3.0][random.below(2)]);
        }
        for _ in 0..random.below(5) {
            request += 1;
            let work = Work::saturating(random.unit() * 4.0);
            fleet.claim(Time::ZERO, host, RequestId(request), work);
        }
        for _ in 0..random.below(4).saturating_sub(1) {
            fleet.fail(Time::ZERO, host, Path::UNKNOWN);
        }
    }
    fleet
}

fn demand(hosts: &HostPolicy, now: f64, work: f64, trusted: bool) -> Demand<'_> {
    let mean = Work::saturating(work);
    let estimate = Estimate { mean, p90: mean, source: Source::Model, trusted };
    Demand { now: Time::from_secs_f64(now), estimate, tried: &[], hosts, hold: None }
}

/// Something happens to a host: a claim, the end of one, a report, a failure, its end.
fn happen(random: &mut Random, fleet: &mut Fleet, now: Time, request: u64) {
    let hosts = fleet.hosts();
    let Some(host) = hosts.get(random.below(hosts.len())) else { return };
    let (id, claim) = (host.id, host.claims.first().copied());
    match random.below(8) {
        0 => drop(fleet.leave(id)),
        1 => drop(fleet.fail(now, id, Path::UNKNOWN)),
        2 | 3 => {
            let report = HostReport {
                in_flight: Some(random.below(5) as u32),
                work_left: Some(Work::saturating(random.unit())),
                ..HostReport::default()
            };
            fleet.report(now, id, &report);
        }
        4 | 5 => {
            if let Some(request) = claim.and_then(|claim| claim.request) {
                fleet.release(now, id, request);
            }
        }
        _ => {
            fleet.claim(now, id, RequestId(1000 + request), Work::saturating(random.unit()));
        }
    }
}

#[test]
fn hosts_that_are_not_looked_at_would_not_have_been_picked() {
    let hosts = hosts_policy();
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let n_hosts = 1 + random.below(400);
        let mut fleet = fleet(&mut random, n_hosts);
        let (subset, shuffle) = (1 + random.below(3), random.below(2) == 0);
        let mut now = random.unit() * 5.0;
        for step in 0..8 {
            let work = random.unit() * 3.0;
            let demand = demand(&hosts, now, work, random.below(4) != 0);
            let rank = |fleet: &mut Fleet, prunes: bool| {
                let mut schedule = schedule(subset, shuffle);
                schedule.prunes = prunes;
                let ranking = schedule.rank(&demand, fleet, &mut Random::new(seed));
                ranking.map(|ranking| (ranking.best, ranking.delay))
            };
            let of_all = rank(&mut fleet.clone(), false);
            assert_eq!(rank(&mut fleet, true), of_all, "seed {seed} step {step}");
            fleet.check_invariants();
            for n in 0..random.below(20) as u64 {
                happen(&mut random, &mut fleet, demand.now, 20 * step + n);
            }
            now += random.unit() * random.unit();
        }
    }
}

#[test]
fn the_ranking_is_that_of_the_explanation() {
    let hosts = hosts_policy();
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let mut fleet = fleet(&mut random, 150);
        let demand = demand(&hosts, 1.0, random.unit() * 3.0, true);
        fleet.advance(demand.now);
        let mut schedule = schedule(1, false);
        let account = schedule.explain(&demand, &fleet);
        let ranking = schedule.rank(&demand, &mut fleet, &mut random).unwrap();
        let best = &account.hosts[0];
        assert_eq!((ranking.best, ranking.delay), (best.id, best.delay), "seed {seed}");
    }
}

#[test]
fn closed_hosts_are_passed_over_and_mostly_without_a_look() {
    let hosts = hosts_policy();
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let n_hosts = 1 + random.below(400);
        let mut fleet = fleet(&mut random, n_hosts);
        let hold = Hold::at([0.0, 1.0, 8.0][random.below(3)]);
        let trusted = random.below(4) != 0;
        let mut now = random.unit() * 2.0;
        for step in 0..8 {
            let demand = demand(&hosts, now, random.unit() * 3.0, trusted);
            let demand = Demand { hold: Some(hold), ..demand };
            let of = Ranking { best: HostId(0), delay: Delay::default(), is_waived: false };
            let rank = |fleet: &mut Fleet, prunes: bool| {
                let mut schedule = schedule(1, false);
                schedule.prunes = prunes;
                let ranking = schedule.rank_open(&demand, fleet, &mut Random::new(seed), &of);
                ranking.map(|ranking| (ranking.best, ranking.delay))
            };
            let mut all = fleet.clone();
            let of_all = rank(&mut all, false);
            assert_eq!(rank(&mut fleet, true), of_all, "seed {seed} step {step}");
            let open = all.hosts().iter().filter(|host| hold.is_open(&demand, host));
            let passes = |host: &&HostState| filters::ALL.iter().all(|f| f.passes(&demand, host));
            assert_eq!(of_all.is_none(), open.filter(passes).count() == 0, "seed {seed}");
            for n in 0..random.below(20) as u64 {
                happen(&mut random, &mut fleet, demand.now, 20 * step + n);
            }
            now += random.unit() * random.unit();
        }
    }
}

#[test]
fn a_weight_is_never_above_its_bound_or_zero() {
    let hosts = hosts_policy();
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut fleet = fleet(&mut random, 20);
        let demand = demand(&hosts, 3.0, random.unit() * 3.0, random.below(2) != 0);
        let glances = fleet.glances().hosts().to_vec();
        fleet.advance(demand.now);
        for (host, glance) in fleet.hosts().iter().zip(&glances) {
            for weigher in weighers::ALL {
                let weight = weigher.weight(&demand, host).0;
                let mut most = [0.0];
                weigher.bound(&demand, &[*glance], 1.0, &mut most);
                let [most] = most;
                let name = weigher.name();
                assert!(weight.is_finite() && weight <= 0.0, "seed {seed} {name} {weight}");
                assert!(weight <= most + 1e-9, "seed {seed} {name} {weight} above {most} {host:?}");
            }
        }
    }
}

#[test]
fn seconds_count_less_on_a_host_that_is_preferred() {
    let hosts = HostPolicy { warm_up: Duration::ZERO, ..hosts_policy() };
    let mut fleet = Fleet::new(hosts.clone());
    for _ in 0..2 {
        let discipline = Some(Discipline::Fcfs);
        let spec =
            HostSpec { name: String::new(), cores: 1, speed: Speed::ONE, discipline, price: 1.0 };
        let host = fleet.join(Time::ZERO, spec);
        fleet.ready(Time::ZERO, host);
    }
    let [plain, other] = [0, 1].map(HostId);
    // A request of one second adds 1 s to the first host, and 2.9 s to the other.
    fleet.claim(Time::ZERO, other, RequestId(1), Work::saturating(1.9));
    let demand = demand(&hosts, 0.0, 1.0, true);
    let mut best = |preference: f64| {
        assert!(fleet.prefer(other, preference));
        let mut fleet = fleet.clone();
        let ranking = schedule(1, false).rank(&demand, &mut fleet, &mut Random::new(1)).unwrap();
        // What it costs is told as it is.
        let expected = if ranking.best == plain { 1.0 } else { 2.9 };
        assert!((ranking.delay.total().0 - expected).abs() < 1e-9, "{:?}", ranking.delay);
        ranking.best
    };
    assert_eq!([1.0, 2.8, 3.0, 0.5].map(&mut best), [plain, plain, other, plain]);
    assert!(!fleet.prefer(HostId(7), 2.0), "there is no such host");
}

#[test]
fn a_subset_of_the_best_is_picked_from_evenly() {
    let hosts = hosts_policy();
    let mut fleet = Fleet::new(hosts.clone());
    for speed in [1.0, 0.9, 0.5] {
        let speed = Speed::from_reference_cores(speed).unwrap();
        let discipline = Some(Discipline::Ps);
        let spec = HostSpec { name: String::new(), cores: 1, speed, discipline, price: 1.0 };
        let host = fleet.join(Time::ZERO, spec);
        fleet.ready(Time::ZERO, host);
    }
    let mut schedule = schedule(2, false);
    let mut random = Random::new(1);
    let demand = demand(&hosts, 10.0, 1.0, true);
    let mut picked = [0; 3];
    for _ in 0..1000 {
        let ranking = schedule.rank(&demand, &mut fleet, &mut random).unwrap();
        picked[ranking.best.0 as usize] += 1;
    }
    assert!(picked[2] == 0 && 450 < picked[0] && 450 < picked[1], "{picked:?}");
}

#[test]
fn the_wait_on_a_host_that_serves_in_order_of_arrival_is_known_at_a_glance() {
    let hosts = hosts_policy();
    let mut fleet = Fleet::new(hosts.clone());
    let (name, discipline) = (String::new(), Some(Discipline::Fcfs));
    let speed = Speed::from_reference_cores(2.0).unwrap();
    let host = fleet.join(Time::ZERO, HostSpec { name, cores: 2, speed, discipline, price: 1.0 });
    for (request, work) in [(1, 4.0), (2, 4.0), (3, 3.0), (4, 5.0)] {
        fleet.claim(Time::ZERO, host, RequestId(request), Work::saturating(work));
    }
    let glance = fleet.glances().hosts()[0];
    // The third claim begins after 2 s and ends after 3.5 s. By 5 s the first two have outlived
    // their estimates, and the wait is longer than was known.
    for (now, wait) in [(0.0, 3.5), (1.0, 2.5), (1.9, 1.6), (5.0, 0.0)] {
        let demand = demand(&hosts, now, 1.0, true);
        fleet.advance(demand.now);
        let least = delay::total_min(&demand, &glance).0;
        let total = Delay::of(&demand, &fleet.hosts()[0]).total().0;
        assert!(least <= total, "{now}: {least} is more than {total}");
        assert!(wait + 0.5 - 1e-6 <= least, "{now}: {least}");
    }
}
