use std::time::Duration;

use super::*;

fn policy() -> ScalePolicy {
    ScalePolicy {
        rule: rules::ALL[0],
        hosts_min: 1,
        hosts_max: 20,
        cpu_high: 0.7,
        cpu_low: 0.2,
        cpu_target: 0.6,
        backlog_max: Duration::from_secs(10),
        stable_window: Duration::from_mins(1),
        panic_window: Duration::from_secs(6),
        panic_factor: 2.0,
        boot_time: Duration::from_secs(2),
        boot_timeout: Duration::from_mins(1),
    }
}

/// What a rule desires of `active` hosts of one core at that utilization, with that backlog.
fn check(rule: &str, active: usize, utilization: f64, backlog: f64, expected: &str) {
    let view = View {
        active,
        kept: active,
        utilization,
        requests: 7,
        requests_per_core: 1.0,
        backlog: Work::saturating(backlog),
        host_capacity: Work::saturating(1.0),
        boot_time: Seconds(2.0),
        line: LineWork::default(),
        cores: active,
        since_change: Seconds(10.0),
    };
    let desire = rules::by_name(rule).unwrap().desired(&view, &policy());
    assert_eq!(format!("{} {}", desire.hosts, desire.reason), expected);
}

#[test]
fn cpu_sizes_the_fleet_for_its_target() {
    check("cpu", 4, 0.9, 0.0, "6 cpu_high");
    check("cpu", 4, 0.5, 0.0, "4 steady");
    check("cpu", 4, 0.15, 0.0, "1 cpu_low");
    check("cpu", 0, 0.0, 0.0, "0 cpu_low");
}

#[test]
fn backlog_counts_what_is_left_when_new_hosts_have_booted() {
    check("backlog", 2, 0.5, 20.0, "2 backlog_low");
    check("backlog", 2, 0.5, 30.0, "3 backlog");
    check("backlog", 2, 0.5, 64.0, "6 backlog");
    check("backlog", 4, 0.5, 9.0, "2 backlog_low");
    check("backlog", 0, 0.0, 25.0, "3 backlog");
}

#[test]
fn cpu_and_backlog_follow_the_one_that_wants_more() {
    check("cpu_and_backlog", 4, 0.1, 100.0, "10 backlog");
    check("cpu_and_backlog", 4, 0.9, 0.0, "6 cpu_high");
    check("cpu_and_backlog", 4, 0.1, 0.0, "1 cpu_low");
}

#[test]
fn queue_depth_wants_a_host_for_each_request() {
    check("queue_depth", 2, 0.1, 0.0, "7 queue_depth");
}

/// What a rule desires of `kept` hosts of two cores with so many requests and jobs, so many seconds
/// after the last change.
#[track_caller]
fn check_depth(
    rule: &str,
    kept: usize,
    (requests, jobs): (usize, usize),
    since: f64,
    hosts: usize,
) {
    let view = View {
        active: kept,
        kept,
        utilization: 0.5,
        requests,
        requests_per_core: 1.0,
        backlog: Work::ZERO,
        host_capacity: Work::saturating(2.0),
        boot_time: Seconds(2.0),
        line: LineWork { jobs, ..LineWork::default() },
        cores: 2 * kept,
        since_change: Seconds(since),
    };
    let desire = rules::by_name(rule).unwrap().desired(&view, &policy());
    assert_eq!((desire.hosts, desire.reason), (hosts, ScaleReason::QueueDepth));
}

#[test]
fn steps_are_of_one_host_every_ten_seconds_around_five_that_wait() {
    check_depth("step", 3, (12, 0), 10.0, 4);
    check_depth("step", 3, (6, 6), 10.0, 4);
    check_depth("step", 3, (100, 100), 9.9, 3);
    check_depth("step", 3, (11, 0), 99.0, 3);
    check_depth("step", 3, (10, 0), 10.0, 2);
    check_depth("step", 0, (0, 0), 10.0, 0);
}

#[test]
fn a_stopped_pool_starts_what_waits_beyond_the_hosts_and_stops_when_nothing_waits() {
    check_depth("stopped_pool", 2, (4 + 5, 0), 0.0, 5);
    check_depth("stopped_pool", 2, (4, 7), 0.0, 7);
    check_depth("stopped_pool", 9, (18 + 5, 0), 0.0, 9);
    check_depth("stopped_pool", 2, (4, 0), 0.0, 0);
}

#[test]
fn a_desire_holds_for_the_window_before_fewer_are_stable() {
    let mut stabilizer = Stabilizer::new(Duration::from_secs(10));
    let at = |secs: f64| Time::from_secs_f64(secs);
    assert_eq!(stabilizer.add(at(0.0), 2), usize::MAX, "the window has not passed once");
    assert_eq!(stabilizer.add(at(5.0), 5), usize::MAX);
    assert_eq!(stabilizer.add(at(10.0), 1), 5);
    assert_eq!(stabilizer.add(at(15.0), 3), 5);
    assert_eq!(stabilizer.add(at(16.0), 1), 3);
    assert_eq!(stabilizer.add(at(30.0), 1), 1);
}

#[test]
fn the_boot_time_is_learned_within_its_bounds() {
    let mut scaler = Scaler::new(policy());
    for _ in 0..20 {
        scaler.booted(Seconds(30.0));
    }
    let learned = scaler.boot_time().0;
    assert!((29.0..30.0).contains(&learned), "{learned}");
    scaler.booted(Seconds(1e9));
    // As one that took as long as may be waited for.
    let expected = learned + BOOT_GAIN * (60.0 - learned);
    assert!((scaler.boot_time().0 - expected).abs() < 1e-9, "{:?}", scaler.boot_time());
}

#[test]
fn the_mean_of_a_window_rests_on_all_of_it_however_often_there_is_a_tick() {
    let mut mean = Mean::new(Duration::from_mins(1));
    // Ten minutes of ticks every 10 ms: 100 in the last half minute, nothing before.
    let value = |n: u32| if n < 57_000 { 0.0 } else { 100.0 };
    let last = (0..60_000).map(|n| mean.add(Time::from_secs_f64(f64::from(n) * 0.01), value(n)));
    let last = last.last().unwrap();
    assert!((49.0..51.0).contains(&last), "{last}");
}

#[test]
fn the_most_desired_is_kept_whatever_came_after_it() {
    let mut stabilizer = Stabilizer::new(Duration::from_secs(10_000));
    let most = (0..1000)
        .map(|n| stabilizer.add(Time::from_secs_f64(10.0 * f64::from(n)), 2000 - n as usize));
    assert_eq!(most.last(), Some(usize::MAX));
    assert_eq!(stabilizer.add(Time::from_secs_f64(10_000.0), 1), 2000);
}

/// What the jobs of a line want of 2 hosts of one core that have nothing else to do: each is of
/// that work, and due in so many seconds.
fn check_line(jobs: &[(f64, f64)], expected: &str) {
    let mut line = LineWork::default();
    for (work, due) in jobs {
        line.add(Time::ZERO, Work::saturating(*work), Time::from_secs_f64(*due));
    }
    let view = View {
        active: 2,
        kept: 2,
        utilization: 0.0,
        requests: 0,
        requests_per_core: 0.0,
        backlog: Work::ZERO,
        host_capacity: Work::saturating(1.0),
        boot_time: Seconds(2.0),
        line,
        cores: 2,
        since_change: Seconds(10.0),
    };
    let desire = rules::by_name("backlog").unwrap().desired(&view, &policy());
    assert_eq!(format!("{} {}", desire.hosts, desire.reason), expected);
}

#[test]
fn jobs_want_hosts_for_what_is_due_within_each_horizon() {
    check_line(&[], "0 backlog_low");
    check_line(&[(30.0, 3600.0)], "1 backlog_low");
    check_line(&[(30.0, 300.0); 20], "2 backlog_low");
    check_line(&[(30.0, 300.0); 100], "10 backlog");
    check_line(&[(30.0, 60.0); 20], "10 backlog");
}

#[test]
fn what_is_due_late_asks_for_less_than_what_is_due_soon() {
    let mut jobs = vec![(60.0, 3000.0); 300];
    check_line(&jobs, "5 backlog");
    jobs.extend([(60.0, 50.0); 8]);
    check_line(&jobs, "8 backlog");
}

#[test]
fn a_giant_that_is_overdue_asks_for_one_host_at_a_time() {
    check_line(&[(36_000.0, 0.0)], "1 backlog_low");
}

fn by_cpu() -> ScalePolicy {
    ScalePolicy { rule: rules::by_name("cpu").unwrap(), ..policy() }
}

/// What others are told is wanted after ticks: of each the second, how many hosts there are, how
/// busy each is, and the number expected.
fn check_wanted(ticks: &[(f64, usize, f64, Option<usize>)]) {
    let mut scaler =
        Scaler::new(ScalePolicy { stable_window: Duration::from_secs(10), ..by_cpu() });
    for (secs, kept, utilization, expected) in ticks {
        let view = View {
            active: *kept,
            kept: *kept,
            utilization: *utilization,
            requests: 0,
            cores: *kept,
            requests_per_core: 0.0,
            backlog: Work::ZERO,
            host_capacity: Work::saturating(1.0),
            boot_time: Seconds(2.0),
            since_change: Seconds(10.0),
            line: LineWork::default(),
        };
        scaler.decide(Time::from_secs_f64(*secs), &view);
        assert_eq!(scaler.wanted(), *expected, "after {secs} s");
    }
}

#[test]
fn others_are_told_no_number_before_there_is_a_host_or_a_window_has_passed() {
    check_wanted(&[(0.0, 0, 0.0, None), (5.0, 0, 0.0, None), (10.0, 0, 0.0, Some(1))]);
}

#[test]
fn others_are_told_to_keep_what_there_is_until_a_window_has_passed() {
    check_wanted(&[
        (0.0, 8, 0.1, Some(8)),
        (5.0, 8, 0.1, Some(8)),
        (9.0, 4, 0.1, Some(8)),
        (10.0, 8, 0.15, Some(2)),
    ]);
}

#[test]
fn what_others_are_told_does_not_wait_for_what_they_do() {
    check_wanted(&[
        (0.0, 2, 0.5, Some(2)),
        (10.0, 2, 0.5, Some(2)),
        // Six are wanted; nobody launches them.
        (11.0, 4, 0.9, Some(6)),
        (15.0, 4, 0.5, Some(6)),
        (30.0, 4, 0.5, Some(4)),
    ]);
}

/// A horizontal pod autoscaler, as Kubernetes documents it: every 15 s it sets the number to the
/// metric by its target per pod, rounded up, unless both are within a tenth of each other.
#[test]
fn an_autoscaler_that_follows_what_is_wanted_finds_the_right_size_and_stays() {
    // Cores' worth of work, and hosts at the beginning.
    for load in [0.2, 1.7, 8.4, 11.0] {
        for begun in [1, 5, 20] {
            let mut scaler = Scaler::new(ScalePolicy { cpu_low: 0.5, ..by_cpu() });
            let (mut kept, mut changes) = (begun, Vec::new());
            for secs in 0..1200_u32 {
                let utilization = f64::min(load / kept as f64, 1.0);
                let view = View {
                    active: kept,
                    kept,
                    utilization,
                    requests: 0,
                    cores: kept,
                    requests_per_core: utilization,
                    backlog: Work::ZERO,
                    host_capacity: Work::saturating(1.0),
                    boot_time: Seconds(2.0),
                    since_change: Seconds(10.0),
                    line: LineWork::default(),
                };
                scaler.decide(Time::from_secs_f64(f64::from(secs)), &view);
                let wanted = scaler.wanted().expect("there is a host");
                let is_off = 0.1 < (wanted as f64 / kept as f64 - 1.0).abs();
                if secs % 15 == 14 && is_off {
                    kept = wanted;
                    changes.push(secs);
                }
            }
            // From `cpu_low` to `cpu_high`, and a tenth.
            let is_right = kept == 1 || (0.45..=0.77).contains(&(load / kept as f64));
            assert!(is_right, "{load} from {begun}: {kept}");
            assert!(changes.iter().all(|secs| *secs < 300), "{load} from {begun}: {changes:?}");
        }
    }
}
