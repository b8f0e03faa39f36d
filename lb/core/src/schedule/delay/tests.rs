use super::*;
use crate::estimate::{Estimate, Source};
use crate::fleet::Fleet;
use crate::host::HostSpec;
use crate::policy::HostPolicy;
use crate::random::Random;
use crate::request::RequestId;
use crate::units::{Speed, Time, Work};

fn delay(discipline: Discipline, cores: usize, speed: f64, claims: &[f64], x: f64) -> Delay {
    let policy = HostPolicy::for_tests();
    let mut fleet = Fleet::new(policy.clone());
    let speed = Speed::from_reference_cores(speed).unwrap();
    let cores = cores as u32;
    let discipline = Some(discipline);
    let spec = HostSpec { name: String::new(), cores, speed, discipline, price: 1.0 };
    let host = fleet.join(Time::ZERO, spec);
    for (n, work) in claims.iter().enumerate() {
        fleet.claim(Time::ZERO, host, RequestId(n as u64), Work::saturating(*work));
    }
    let mean = Work::saturating(x);
    let estimate = Estimate { mean, p90: mean, source: Source::Model, trusted: true };
    let demand = Demand { now: Time::ZERO, estimate, tried: &[], hosts: &policy, hold: None };
    Delay::of(&demand, fleet.get(host).unwrap())
}

/// When each of `sizes`, in order of arrival, ends on `cores` cores of speed 1: the obvious way, in
/// small steps of who runs when.
fn ends(discipline: Discipline, cores: usize, sizes: &[f64]) -> Vec<f64> {
    let mut left = sizes.to_vec();
    let mut ends = vec![0.0; sizes.len()];
    let mut now = 0.0;
    loop {
        let mut alive: Vec<usize> = (0..sizes.len()).filter(|n| 1e-12 < left[*n]).collect();
        if alive.is_empty() {
            return ends;
        }
        if discipline == Discipline::Srpt {
            alive.sort_by(|a, b| left[*a].total_cmp(&left[*b]));
        }
        let rate = match discipline {
            Discipline::Ps => (cores as f64 / alive.len() as f64).min(1.0),
            Discipline::Srpt | Discipline::Fcfs => {
                alive.truncate(cores);
                1.0
            }
        };
        let least = alive.iter().map(|n| left[*n]).fold(f64::INFINITY, f64::min);
        now += least / rate;
        for n in alive {
            left[n] -= least;
            if left[n] <= 1e-12 {
                ends[n] = now;
            }
        }
    }
}

#[test]
fn delays_are_those_of_a_host_that_runs_to_the_end() {
    let mut random = Random::new(1);
    for _ in 0..3000 {
        let discipline = [Discipline::Fcfs, Discipline::Srpt, Discipline::Ps][random.below(3)];
        let cores = 1 + random.below(4);
        let claims: Vec<f64> = (0..random.below(9)).map(|_| 0.01 + random.unit()).collect();
        let x = 0.01 + random.unit();
        let before: f64 = ends(discipline, cores, &claims).iter().sum();
        let all: Vec<f64> = claims.iter().copied().chain([x]).collect();
        let after = ends(discipline, cores, &all);
        let grown = after.iter().sum::<f64>() - before;

        let delay = delay(discipline, cores, 2.0, &claims, x);
        let case = format!("{discipline:?} {cores} {claims:?} {x}");
        assert!((delay.total().0 * 2.0 - grown).abs() < 1e-9, "{case}: {delay:?}, grown {grown}");
        let wait = after[claims.len()] - x;
        assert!((delay.wait.0 * 2.0 - wait).abs() < 1e-9, "{case}: {delay:?}, waits {wait}");
    }
}

#[test]
fn what_arrives_on_an_srpt_host_overtakes_a_giant_and_makes_it_wait() {
    let delay = delay(Discipline::Srpt, 1, 1.0, &[0.5, 10.0], 2.0);
    assert_eq!((delay.wait.0, delay.others.0, delay.service.0), (0.5, 2.0, 2.0));
}

#[test]
fn what_arrives_on_a_time_sharing_host_slows_others_as_they_slow_it() {
    let delay = delay(Discipline::Ps, 1, 1.0, &[0.5, 10.0], 2.0);
    assert_eq!((delay.wait.0, delay.others.0, delay.service.0), (2.5, 2.5, 2.0));
}

#[test]
fn nothing_waits_while_there_is_a_core_for_each() {
    for discipline in [Discipline::Fcfs, Discipline::Srpt, Discipline::Ps] {
        let delay = delay(discipline, 3, 1.0, &[0.5, 10.0], 2.0);
        assert_eq!(((delay.wait + delay.others).0, delay.service.0), (0.0, 2.0), "{discipline:?}");
    }
}
