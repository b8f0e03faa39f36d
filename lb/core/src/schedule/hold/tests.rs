use super::*;
use crate::estimate::{Estimate, Source};
use crate::fleet::Fleet;
use crate::host::HostSpec;
use crate::policy::HostPolicy;
use crate::random::Random;
use crate::request::RequestId;
use crate::units::{Seconds, Speed, Time, Work};

const HOLD: Hold = Hold::at(8.0);

fn demand(hosts: &HostPolicy, now: f64, work: f64, trusted: bool) -> Demand<'_> {
    let mean = Work::saturating(work);
    let estimate = Estimate { mean, p90: mean, source: Source::Model, trusted };
    Demand { now: Time::from_secs_f64(now), estimate, tried: &[], hosts, hold: Some(HOLD) }
}

/// One host of speed 1 with those claims.
fn fleet(discipline: Discipline, cores: u32, claims: &[f64]) -> Fleet {
    let mut fleet = Fleet::new(HostPolicy::for_tests());
    let (name, discipline) = (String::new(), Some(discipline));
    let host =
        fleet.join(Time::ZERO, HostSpec { name, cores, speed: Speed::ONE, discipline, price: 1.0 });
    for (n, work) in claims.iter().enumerate() {
        fleet.claim(Time::ZERO, host, RequestId(n as u64), Work::saturating(*work));
    }
    fleet
}

/// Whether a host with those claims is open to a request of that work.
fn is_open(discipline: Discipline, cores: u32, claims: &[f64], work: f64) -> bool {
    let hosts = HostPolicy::for_tests();
    HOLD.is_open(&demand(&hosts, 0.0, work, true), &fleet(discipline, cores, claims).hosts()[0])
}

#[test]
fn a_host_that_shares_its_time_is_closed_while_it_has_as_many_small_requests_as_cores() {
    assert!(!is_open(Discipline::Ps, 1, &[1.0], 1.0));
    assert!(!is_open(Discipline::Ps, 2, &[1.0, 7.9], 1.0));
    assert!(is_open(Discipline::Ps, 2, &[1.0, 8.1], 1.0));
}

#[test]
fn small_requests_pass_giants_freely() {
    assert!(is_open(Discipline::Ps, 1, &[100.0, 100.0, 100.0], 1.0));
    assert!(!is_open(Discipline::Ps, 1, &[1.0], 100.0));
}

#[test]
fn a_host_with_a_free_core_is_open() {
    for discipline in Discipline::ALL {
        assert!(is_open(discipline, 2, &[1.0], 100.0), "{discipline:?}");
    }
}

#[test]
fn a_host_that_serves_in_order_of_arrival_is_open_only_for_what_covers_a_round_trip() {
    let hosts = HostPolicy::for_tests();
    let mut host = fleet(Discipline::Fcfs, 1, &[0.5]).hosts()[0].clone();
    for (round_trip, expected) in [(0.0, false), (0.4, false), (0.6, true)] {
        host.round_trip = Seconds(round_trip);
        let open = HOLD.is_open(&demand(&hosts, 0.0, 1.0, true), &host);
        assert_eq!(open, expected, "{round_trip}");
    }
}

#[test]
fn a_host_that_serves_in_order_of_arrival_gets_no_more_than_it_runs_of_unknown_sizes() {
    let hosts = HostPolicy::for_tests();
    let fleet = fleet(Discipline::Fcfs, 2, &[0.5, 0.5]);
    let unknown = demand(&hosts, 0.0, 1.0, false);
    assert!(!Hold::NO_ORDER.is_open(&unknown, &fleet.hosts()[0]));
}

#[test]
fn a_host_that_orders_its_requests_is_never_closed() {
    assert!(is_open(Discipline::Srpt, 1, &[1.0, 1.0, 1.0], 1.0));
    assert!(!HOLD.concerns(Discipline::Srpt));
}

#[test]
fn what_cannot_be_ordered_is_not_held_by_a_host_that_shares_its_time() {
    let hosts = HostPolicy::for_tests();
    let fleet = fleet(Discipline::Ps, 1, &[1.0, 1.0]);
    assert!(Hold::NO_ORDER.is_open(&demand(&hosts, 0.0, 1.0, false), &fleet.hosts()[0]));
}

#[test]
fn a_giant_that_was_mistaken_for_a_small_request_closes_its_host_until_that_shows() {
    let hosts = HostPolicy::for_tests();
    let mut fleet = fleet(Discipline::Ps, 1, &[0.1]);
    // It has run for so long, and is believed to run for as long again.
    for (now, expected) in [(0.05, false), (1.0, false), (2.0, true)] {
        let demand = demand(&hosts, now, 0.1, true);
        fleet.advance(demand.now);
        assert_eq!(HOLD.is_open(&demand, &fleet.hosts()[0]), expected, "at {now}");
    }
}

/// Whether a host with those claims is open to a job of that work.
fn is_open_to_job(order: Option<JobOrder>, of: (Discipline, u32, &[f64]), work: f64) -> bool {
    let (discipline, cores, claims) = of;
    let hosts = HostPolicy::for_tests();
    let fleet = fleet(discipline, cores, claims);
    Hold::of_job(order).is_open(&demand(&hosts, 0.0, work, true), &fleet.hosts()[0])
}

/// As if it had a weight of 1, and 0.1 s of patience.
const ORDER: JobOrder = JobOrder { ratio: Some(8.0), patience: Seconds(0.1) };

#[test]
fn a_job_goes_to_a_free_core_whatever_is_known_of_it() {
    for discipline in Discipline::ALL {
        for order in [None, Some(ORDER)] {
            assert!(is_open_to_job(order, (discipline, 2, &[1.0]), 100.0), "{discipline:?}");
        }
        assert!(!is_open_to_job(None, (discipline, 1, &[100.0]), 0.1), "{discipline:?}");
    }
}

#[test]
fn a_short_job_goes_to_a_host_that_orders_by_size_while_giants_run_there() {
    assert!(is_open_to_job(Some(ORDER), (Discipline::Srpt, 1, &[100.0, 100.0]), 1.0));
    assert!(!is_open_to_job(Some(ORDER), (Discipline::Srpt, 1, &[1.0, 100.0]), 1.0));
    assert!(is_open_to_job(Some(ORDER), (Discipline::Srpt, 1, &[0.1, 100.0]), 1.0));
}

#[test]
fn where_nothing_is_held_a_job_waits_for_a_free_core_of_a_host_that_shares_its_time() {
    let unheld = JobOrder { ratio: None, ..ORDER };
    assert!(is_open_to_job(Some(ORDER), (Discipline::Ps, 1, &[100.0]), 1.0));
    assert!(!is_open_to_job(Some(unheld), (Discipline::Ps, 1, &[100.0]), 1.0));
}

#[test]
fn a_job_that_is_to_be_alone_waits_for_a_host_with_nothing_to_do() {
    let hosts = HostPolicy::for_tests();
    for (claims, expected) in [(&[][..], true), (&[0.1], false)] {
        let fleet = fleet(Discipline::Srpt, 4, claims);
        let demand = demand(&hosts, 0.0, 1.0, true);
        assert_eq!(Hold::ALONE.is_open(&demand, &fleet.hosts()[0]), expected);
    }
}

#[test]
fn a_glance_never_says_that_an_open_host_is_closed() {
    let hosts = HostPolicy::for_tests();
    let (mut n_closed, mut n_seen) = (0, 0);
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let discipline = Discipline::ALL[random.below(3)];
        let cores = 1 + random.below(3) as u32;
        let claims: Vec<f64> = (0..random.below(6)).map(|_| 0.01 + random.unit()).collect();
        let mut fleet = fleet(discipline, cores, &claims);
        let glance = fleet.glances().hosts()[0];
        let demand = demand(&hosts, random.unit(), random.unit(), random.below(4) != 0);
        fleet.advance(demand.now);
        let order = JobOrder {
            ratio: Some(8.0).filter(|_| random.below(2) == 0),
            patience: Seconds(random.unit()),
        };
        let order = Some(order).filter(|_| random.below(3) != 0);
        let hold = [HOLD, Hold::of_job(order), Hold::ALONE][random.below(3)];
        let is_open = hold.is_open(&demand, &fleet.hosts()[0]);
        let may_be = hold.may_be_open(&demand, &glance);
        assert!(may_be || !is_open, "seed {seed} {discipline:?} {cores} {claims:?}");
        n_closed += u32::from(!may_be);
        n_seen += u32::from(!is_open);
    }
    assert!(n_seen / 3 < n_closed, "{n_closed} of {n_seen} closed hosts show it at a glance");
}
