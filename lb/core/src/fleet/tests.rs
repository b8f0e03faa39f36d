use super::*;
use crate::host::Discipline;
use crate::observe::HostReport;
use crate::units::Speed;

fn policy() -> HostPolicy {
    let eject_max = Duration::from_secs(15);
    HostPolicy { eject_max, eject_fraction_max: 0.5, ..HostPolicy::for_tests() }
}

fn at(secs: f64) -> Time {
    Time::from_secs_f64(secs)
}

fn fleet(discipline: Discipline, cores: u32, n_hosts: usize) -> Fleet {
    let mut fleet = Fleet::new(policy());
    let discipline = Some(discipline);
    for _ in 0..n_hosts {
        let spec =
            HostSpec { name: String::new(), cores, speed: Speed::ONE, discipline, price: 1.0 };
        let host = fleet.join(Time::ZERO, spec);
        fleet.ready(Time::ZERO, host);
    }
    fleet
}

/// What claims of these sizes have remaining after `secs`, in order of service.
fn check(discipline: Discipline, cores: u32, sizes: &[f64], secs: f64, expected: &str) {
    let mut fleet = fleet(discipline, cores, 1);
    for (n, size) in sizes.iter().enumerate() {
        fleet.claim(Time::ZERO, HostId(0), RequestId(n as u64), Work::saturating(*size));
    }
    fleet.advance(at(secs));
    fleet.check_invariants();
    let text = |claim: &Claim| {
        let (id, remaining) = (claim.request.unwrap().0, claim.remaining.as_cpu_secs());
        format!("{id}:{remaining:.2}")
    };
    let claims: Vec<String> = fleet.hosts()[0].claims.iter().map(text).collect();
    assert_eq!(claims.join(" "), expected);
}

#[test]
fn claims_age_in_order_of_arrival_on_an_fcfs_host() {
    check(Discipline::Fcfs, 1, &[3.0, 1.0], 2.0, "0:1.00 1:1.00");
    check(Discipline::Fcfs, 2, &[3.0, 4.0, 1.0], 2.0, "0:1.00 1:2.00 2:1.00");
}

#[test]
fn the_shortest_claims_age_on_an_srpt_host() {
    check(Discipline::Srpt, 1, &[3.0, 1.0], 0.5, "1:0.50 0:3.00");
    check(Discipline::Srpt, 2, &[3.0, 1.0, 2.0], 0.5, "1:0.50 2:1.50 0:3.00");
}

#[test]
fn claims_share_the_cores_of_a_time_sharing_host() {
    check(Discipline::Ps, 1, &[3.0, 1.0], 1.0, "1:0.50 0:2.50");
    check(Discipline::Ps, 4, &[3.0, 2.0], 1.0, "1:1.00 0:2.00");
}

#[test]
fn a_giant_mistaken_for_a_dwarf_sinks() {
    // It has run for 1 + 1 + 2 seconds by then, and is believed to need 8 in all.
    check(Discipline::Srpt, 1, &[1.0, 3.5], 4.0, "1:3.50 0:4.00");
}

#[test]
fn a_jump_of_the_clock_leaves_every_number_finite() {
    for discipline in [Discipline::Fcfs, Discipline::Ps, Discipline::Srpt] {
        let mut fleet = fleet(discipline, 2, 1);
        for n in 0..6_u32 {
            let work = Work::saturating(f64::from(n) * 1e-3);
            fleet.claim(Time::ZERO, HostId(0), RequestId(u64::from(n)), work);
        }
        fleet.advance(Time::from_nanos(u64::MAX));
        fleet.advance(Time::ZERO);
        fleet.check_invariants();
    }
}

/// A completion that shows a speed, compared with hosts that are known well.
fn shows(speed: f64) -> Completion {
    Completion {
        speed: Some(SpeedSeen { ln_speed: speed.ln(), variance: 0.0 }),
        cpu_secs: Some(0.1),
        elapsed: Duration::from_millis(100),
    }
}

#[test]
fn a_speed_four_times_as_fast_is_found_within_twenty_requests() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 9);
    for n in 0..20_u32 {
        let seen = if n % 2 == 0 { 4.0 / 1.2 } else { 4.0 / 0.8 };
        fleet.complete(at(f64::from(n)), HostId(0), Path::UNKNOWN, &shows(seen));
    }
    let speed = fleet.hosts()[0].speed.as_reference_cores();
    assert!((3.0..4.8).contains(&speed), "{speed}");
}

#[test]
fn one_wild_request_hardly_moves_a_speed_that_is_known() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 1);
    for n in 0..50_u32 {
        fleet.complete(at(f64::from(n)), HostId(0), Path::UNKNOWN, &shows(1.0));
    }
    fleet.complete(at(50.0), HostId(0), Path::UNKNOWN, &shows(1e9));
    let speed = fleet.hosts()[0].speed.as_reference_cores();
    assert!((1.0..1.05).contains(&speed), "{speed}");
}

#[test]
fn all_speeds_together_stay_where_they_were_told() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 2);
    for n in 0..2000_u32 {
        // Each is seen to be faster than the other by as much as makes both ever faster.
        let id = HostId(n % 2);
        let seen = fleet.get(HostId(1 - n % 2)).unwrap().speed.as_reference_cores() * 1.1;
        fleet.complete(at(f64::from(n)), id, Path::UNKNOWN, &shows(seen));
    }
    for host in fleet.hosts() {
        let speed = host.speed.as_reference_cores();
        assert!((0.8..1.3).contains(&speed), "{speed}");
    }
}

#[test]
fn a_wait_for_shorter_requests_is_no_round_trip() {
    let mut fleet = fleet(Discipline::Srpt, 1, 1);
    let host = HostId(0);
    let complete = |fleet: &mut Fleet, now: f64, elapsed: f64| {
        let elapsed = Duration::from_secs_f64(elapsed);
        let completion = Completion { speed: None, cpu_secs: Some(1.0), elapsed };
        fleet.complete(at(now), host, Path::UNKNOWN, &completion);
        fleet.hosts()[0].round_trip.0
    };
    fleet.claim(at(10.0), host, RequestId(1), Work::saturating(1.0));
    fleet.claim(at(10.5), host, RequestId(2), Work::saturating(0.2));
    fleet.release(at(10.7), host, RequestId(2));
    fleet.release(at(11.2), host, RequestId(1));
    assert!(complete(&mut fleet, 11.2, 1.2).abs() < 1e-12, "the first waited for the second");
    fleet.claim(at(20.0), host, RequestId(3), Work::saturating(1.0));
    fleet.release(at(21.2), host, RequestId(3));
    let learned = complete(&mut fleet, 21.2, 1.2);
    assert!((learned - 0.1 * 0.2).abs() < 1e-9, "the third was alone: {learned}");
}

#[test]
fn a_speed_that_cannot_be_is_not_believed() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 1);
    for seen in [1e300, 1e-300, f64::INFINITY, 0.0] {
        fleet.complete(at(1.0), HostId(0), Path::UNKNOWN, &shows(seen));
    }
    let speed = fleet.hosts()[0].speed.as_reference_cores();
    assert!((1.0 / 64.0..=64.0).contains(&speed), "{speed}");
    fleet.check_invariants();
}

#[test]
fn no_number_of_a_report_moves_a_host_beyond_reason() {
    for wild in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
        let mut fleet = fleet(Discipline::Ps, 1, 1);
        let report = HostReport {
            cpu_utilization: Some(wild),
            mem_utilization: Some(wild),
            application_utilization: Some(wild),
            in_flight: Some(wild as u32),
            work_left: Work::from_cpu_secs(wild),
            discipline: None,
            speed: Speed::from_reference_cores(wild),
            slots: Some(wild as u32),
        };
        fleet.report(at(1.0), HostId(0), &report);
        fleet.check_invariants();
        let host = &fleet.hosts()[0];
        assert_eq!((host.speed, host.cores), (Speed::ONE, 1), "{wild}");
        assert!(host.utilization() <= 10.0, "{wild}: {}", host.utilization());
        assert!(host.work_left.as_cpu_secs() <= 64.0 * 600.0, "{wild}: {:?}", host.work_left);
    }
}

#[test]
fn claims_take_the_order_of_a_discipline_that_is_learned() {
    let mut fleet = Fleet::new(policy());
    let spec =
        HostSpec { name: String::new(), cores: 1, speed: Speed::ONE, discipline: None, price: 1.0 };
    let host = fleet.join(Time::ZERO, spec);
    assert_eq!(fleet.hosts()[0].discipline, Discipline::Ps, "until it says so");
    for (n, size) in [4.0, 2.0, 3.0].into_iter().enumerate() {
        fleet.claim(at(0.1 * n as f64), host, RequestId(n as u64), Work::saturating(size));
    }
    for (discipline, expected) in
        [(Discipline::Fcfs, [0, 1, 2]), (Discipline::Srpt, [1, 2, 0]), (Discipline::Ps, [1, 2, 0])]
    {
        let report = HostReport { discipline: Some(discipline), ..HostReport::default() };
        fleet.report(at(0.2), host, &report);
        fleet.check_invariants();
        let claims = fleet.hosts()[0].claims.iter().filter_map(|claim| claim.request);
        assert_eq!(claims.map(|id| id.0).collect::<Vec<_>>(), expected, "{discipline:?}");
    }
}

#[test]
fn what_others_measured_of_the_cpu_goes_before_the_report_until_it_is_too_old() {
    let mut fleet = fleet(Discipline::Srpt, 1, 1);
    let report = HostReport { cpu_utilization: Some(0.2), ..HostReport::default() };
    fleet.report(at(1.0), HostId(0), &report);
    let of = |fleet: &Fleet| (fleet.hosts()[0].utilization(), fleet.hosts()[0].occupancy());
    fleet.tell_cpu(HostId(0), f64::NAN, at(9.0));
    assert_eq!(of(&fleet), (0.2, 0.2));
    fleet.tell_cpu(HostId(0), 0.9, at(4.0));
    fleet.expire_reports(at(4.0));
    assert_eq!(of(&fleet), (0.9, 0.9));
    let slots = HostReport { slots: Some(1), ..report };
    fleet.report(at(4.0), HostId(0), &slots);
    assert_eq!(of(&fleet), (0.9, 0.9), "of the run slots none is taken");
    fleet.expire_reports(at(4.1));
    assert_eq!(of(&fleet), (0.2, 0.0));
}

#[test]
fn a_reported_speed_counts_until_one_has_been_learned() {
    let mut fleet = fleet(Discipline::Srpt, 1, 1);
    let cores = |cores| Speed::from_reference_cores(cores).unwrap();
    let speed = |fleet: &Fleet| fleet.hosts()[0].speed;
    let report =
        |speed| HostReport { speed: Some(cores(speed)), slots: Some(0), ..HostReport::default() };
    fleet.report(at(1.0), HostId(0), &report(3.0));
    assert_eq!(speed(&fleet), cores(3.0));
    fleet.report(at(1.0), HostId(0), &report(1e6));
    assert_eq!(speed(&fleet), cores(3.0), "no host is a million times as fast as it was told");
    fleet.complete(at(1.0), HostId(0), Path::UNKNOWN, &shows(3.0));
    fleet.report(at(2.0), HostId(0), &report(1.0));
    let learned = speed(&fleet).as_reference_cores();
    assert!((2.8..3.01).contains(&learned), "{learned}");
    assert_eq!(fleet.hosts()[0].cores, 1, "no host runs nothing at once");
}

/// What is believed of the requests of others on a host with one of our own of 2.0.
fn foreign(report: &HostReport, secs: f64) -> (u32, f64) {
    let mut fleet = fleet(Discipline::Srpt, 1, 1);
    fleet.claim(at(1.0), HostId(0), RequestId(1), Work::saturating(2.0));
    fleet.report(at(1.0), HostId(0), report);
    fleet.advance(at(1.0 + secs));
    fleet.check_invariants();
    let host = &fleet.hosts()[0];
    let of_others = host.claims.iter().filter(|claim| claim.request.is_none());
    (host.foreign, of_others.map(|claim| claim.remaining.as_cpu_secs()).sum())
}

#[test]
fn what_a_host_has_beyond_our_claims_is_of_others_and_ages() {
    let report = |in_flight, work_left: Option<f64>| HostReport {
        in_flight: Some(in_flight),
        work_left: work_left.and_then(Work::from_cpu_secs),
        ..HostReport::default()
    };
    assert_eq!(foreign(&report(3, Some(5.0)), 0.0), (2, 3.0));
    assert_eq!(foreign(&report(3, Some(5.0)), 1.0), (2, 2.0), "the shortest runs");
    assert_eq!(foreign(&report(3, Some(5.0)), 2.0), (1, 1.0), "one is believed to be done");
    assert_eq!(foreign(&report(1, Some(5.0)), 0.0), (0, 0.0), "ours has only grown");
    assert_eq!(foreign(&report(0, Some(0.0)), 0.0), (0, 0.0), "ours is still on its way");
    assert_eq!(foreign(&report(3, None), 0.0), (2, 4.0), "as large as ours are");
    assert_eq!(foreign(&report(3, None), 2.5).0, 2, "how much they are was only assumed");
}

#[test]
fn a_claim_is_released_once() {
    let mut fleet = fleet(Discipline::Ps, 1, 1);
    assert!(fleet.claim(at(0.0), HostId(0), RequestId(1), Work::saturating(1.0)));
    assert!(fleet.release(at(0.5), HostId(0), RequestId(1)).is_some());
    assert!(fleet.release(at(0.5), HostId(0), RequestId(1)).is_none());
    assert!(!fleet.claim(at(0.0), HostId(9), RequestId(2), Work::ZERO), "no such host");
}

#[test]
fn ejections_grow_to_their_limit_and_are_forgotten_in_good_times() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 2);
    assert!(!fleet.fail(at(0.0), HostId(0), Path::UNKNOWN), "once is chance");
    assert!(fleet.fail(at(0.0), HostId(0), Path::UNKNOWN));
    assert!(fleet.fail(at(5.0), HostId(0), Path::UNKNOWN), "one failure is enough after a return");
    assert!(!fleet.hosts()[0].is_ejected(at(15.0)), "twice as long");
    assert!(fleet.fail(at(15.0), HostId(0), Path::UNKNOWN));
    assert!(!fleet.hosts()[0].is_ejected(at(30.0)), "not four times: the limit");
    let completion = Completion { speed: None, cpu_secs: None, elapsed: Duration::ZERO };
    fleet.complete(at(31.0), HostId(0), Path::UNKNOWN, &completion);
    assert_eq!(fleet.hosts()[0].ejections, 3, "not long enough");
    fleet.complete(at(46.0), HostId(0), Path::UNKNOWN, &completion);
    assert_eq!(fleet.hosts()[0].ejections, 0);
}

#[test]
fn no_more_than_the_fraction_is_ejected() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 4);
    for n in 0..4 {
        fleet.fail(at(0.0), HostId(n), Path::UNKNOWN);
        fleet.fail(at(0.0), HostId(n), Path::UNKNOWN);
    }
    let ejected = fleet.hosts().iter().filter(|host| host.is_ejected(at(1.0))).count();
    assert!(2 <= ejected, "{ejected}");
}

#[test]
fn a_host_that_does_not_answer_is_out_until_it_does() {
    let mut fleet = fleet(Discipline::Ps, 1, 1);
    let host = HostId(0);
    fleet.probed(at(1.0), host, true);
    assert!(!fleet.hosts()[0].is_on_probation, "it has always answered");
    fleet.probed(at(2.0), host, false);
    assert!(fleet.hosts()[0].is_ejected(at(600.0)));
    fleet.probed(at(600.0), host, true);
    assert!(!fleet.hosts()[0].is_ejected(at(600.0)));
    assert!(fleet.hosts()[0].is_on_probation);
}

#[test]
fn the_answer_of_a_host_that_was_gone_ends_its_ejection() {
    let mut fleet = fleet(Discipline::Ps, 1, 2);
    let host = HostId(0);
    fleet.fail(at(0.0), host, Path::UNKNOWN);
    assert!(fleet.fail(at(0.0), host, Path::UNKNOWN), "ejected for 5 s");
    fleet.probed(at(1.0), host, false);
    fleet.probed(at(2.0), host, true);
    assert!(!fleet.hosts()[0].is_ejected(at(2.0)));
    assert!(fleet.hosts()[0].failure_rate_at(at(2.0), policy().eject_base) < 1e-12, "paid for");
    assert!(fleet.fail(at(2.1), host, Path::UNKNOWN), "one more failure ejects it");
    assert!(fleet.hosts()[0].is_ejected(at(12.0)), "for twice as long");
}

#[test]
fn an_answer_says_nothing_of_a_host_that_was_there_all_the_time() {
    let mut fleet = fleet(Discipline::Ps, 1, 2);
    let host = HostId(0);
    fleet.fail(at(0.0), host, Path::UNKNOWN);
    assert!(fleet.fail(at(0.0), host, Path::UNKNOWN), "ejected for 5 s");
    fleet.probed(at(1.0), host, true);
    assert!(fleet.hosts()[0].is_ejected(at(4.9)), "it fails requests, and answers probes");
}

#[test]
fn on_probation_a_host_gets_one_request_a_core_until_it_has_answered_one() {
    let mut fleet = fleet(Discipline::Ps, 2, 2);
    let (host, work) = (HostId(0), Work::saturating(1.0));
    fleet.probed(at(0.0), host, false);
    fleet.probed(at(1.0), host, true);
    fleet.claim(at(1.0), host, RequestId(1), work);
    assert!(!fleet.hosts()[0].has_its_trial());
    fleet.claim(at(1.0), host, RequestId(2), work);
    assert!(fleet.hosts()[0].has_its_trial());
    let completion = Completion { speed: None, cpu_secs: None, elapsed: Duration::ZERO };
    fleet.complete(at(2.0), host, Path::UNKNOWN, &completion);
    assert!(!fleet.hosts()[0].has_its_trial());
}

#[test]
fn failures_weigh_half_as_much_with_every_first_ejection_since() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 1);
    fleet.policy.eject_failures = 9;
    let half_life = policy().eject_base;
    fleet.fail(at(1.0), HostId(0), Path::UNKNOWN);
    let rate = |fleet: &Fleet, secs: f64| fleet.hosts()[0].failure_rate_at(at(secs), half_life);
    let fresh = rate(&fleet, 1.0);
    assert!((rate(&fleet, 6.0) - fresh / 2.0).abs() < 1e-12, "{fresh}");
    assert!((rate(&fleet, 11.0) - fresh / 4.0).abs() < 1e-12, "{fresh}");
    fleet.fail(at(6.0), HostId(0), Path::UNKNOWN);
    let again = fresh / 2.0 + 0.1 * (1.0 - fresh / 2.0);
    assert!((rate(&fleet, 6.0) - again).abs() < 1e-12, "the old one counts half");
    assert!(rate(&fleet, 600.0) < 1e-12, "forgotten without a request");
}

/// The path `n`.
fn path(n: u64) -> Path {
    Path(n)
}

#[test]
fn a_path_that_fails_everywhere_counts_against_no_host() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 4);
    // One that is asked for again and again, beside others that are served well.
    for n in 0..200_u32 {
        let now = at(f64::from(n) * 0.1);
        fleet.fail(now, HostId(n % 3), path(1));
        if n % 8 == 0 {
            fleet.complete(now, HostId(n % 4), path(2), &shows(1.0));
        }
    }
    for host in fleet.hosts() {
        assert!(!host.is_ejected(at(20.0)), "{host:?}");
        assert!(host.failure_rate < 0.1, "{host:?}");
    }
}

#[test]
fn a_host_that_was_ejected_for_such_a_path_is_back() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 4);
    fleet.fail(at(0.0), HostId(0), path(1));
    assert!(fleet.fail(at(0.0), HostId(0), path(1)), "nobody else has failed it yet");
    assert!(!fleet.fail(at(0.1), HostId(1), path(1)));
    assert!(!fleet.hosts()[0].is_ejected(at(0.1)));
    assert_eq!((fleet.hosts()[0].ejections, fleet.hosts()[0].failures_in_row), (0, 0));
}

#[test]
fn hosts_that_fail_what_another_serves_are_ejected() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 4);
    let mut ejected = 0;
    for n in 0..2_u64 {
        let now = at(n as f64);
        ejected += u64::from(fleet.fail(now, HostId(0), path(1)));
        ejected += u64::from(fleet.fail(now, HostId(1), path(1)));
        ejected += fleet.complete(now, HostId(2), path(1), &shows(1.0));
    }
    assert!(2 <= ejected, "{ejected}");
    assert!(fleet.hosts()[0].is_ejected(at(1.1)) && fleet.hosts()[1].is_ejected(at(1.1)));
}

#[test]
fn a_host_that_fails_as_often_as_the_others_is_not_ejected() {
    let mut fleet = fleet(Discipline::Fcfs, 1, 3);
    for n in 0..300_u32 {
        // Each request is for another path, and half of them fail, in pairs.
        let (now, host) = (at(f64::from(n) * 0.01), HostId(n % 3));
        if n / 6 % 2 == 0 {
            fleet.fail(now, host, path(u64::from(n) + 1));
        } else {
            fleet.complete(now, host, path(u64::from(n) + 1), &shows(1.0));
        }
    }
    let ejections: u32 = fleet.hosts().iter().map(|host| host.ejections).sum();
    assert!(ejections <= 1, "the first, when nobody else had failed yet: {ejections}");
}
