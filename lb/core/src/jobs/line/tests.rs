//! The order of the line.

use std::collections::BTreeMap;

use super::*;
use crate::jobs::Limits;
use crate::random::Random;

fn secs(secs: u64) -> Time {
    Time::ZERO + Duration::from_secs(secs)
}

fn work(cpu_secs: f64) -> Work {
    Work::saturating(cpu_secs)
}

/// A line of jobs, each a number with its work and weight, all received at 0 s.
fn line(age: Age, jobs: &[(u128, f64, f64)]) -> Line {
    let mut line = Line::new(age, 100);
    for (id, cpu_secs, weight) in jobs {
        assert!(line.push(&numbered(*id, *cpu_secs, *weight, Time::ZERO), Time::ZERO));
    }
    line
}

fn numbered(id: u128, cpu_secs: f64, weight: f64, received: Time) -> Job {
    let id = JobId::from_bits(id);
    let job = Job::new(id, (work(cpu_secs), work(cpu_secs)), received, &Limits::for_tests());
    Job { weight, ..job }
}

/// The numbers of the first in `line`.
fn first(line: &mut Line, now: u64, n: usize) -> Vec<u128> {
    line.first(secs(now), n).iter().map(|id| id.to_bits()).collect()
}

const AGE: Age = Age { floor: Duration::from_mins(1), factor: 10.0 };

#[test]
fn the_least_work_by_weight_goes_first() {
    let mut line = line(AGE, &[(1, 5.0, 1.0), (2, 1.0, 0.1), (3, 4.0, 1.0), (4, 8.0, 4.0)]);
    assert_eq!(first(&mut line, 0, 9), [4, 3, 1, 2]);
    assert_eq!(first(&mut line, 0, 2), [4, 3]);
}

#[test]
fn of_equals_the_one_that_came_first_goes_first() {
    let mut line = Line::new(AGE, 9);
    for (id, received) in [(1, 3), (2, 1), (3, 2)] {
        assert!(line.push(&numbered(id, 1.0, 1.0, secs(received)), Time::ZERO));
    }
    assert_eq!(first(&mut line, 5, 9), [2, 3, 1]);
}

#[test]
fn a_job_waits_for_its_next_attempt_outside_of_the_order() {
    let mut line = line(AGE, &[(1, 5.0, 1.0)]);
    assert!(line.push(&numbered(2, 1.0, 1.0, Time::ZERO), secs(30)));
    assert_eq!(first(&mut line, 29, 9), [1]);
    assert_eq!(line.next_start(), Some(secs(30)));
    assert_eq!(first(&mut line, 30, 9), [2, 1]);
    assert_eq!(line.next_start(), None);
}

#[test]
fn what_is_overdue_has_every_second_start() {
    let jobs = [(1, 1.0, 1.0), (2, 2.0, 1.0), (3, 900.0, 1.0), (4, 9.0, 1.0), (5, 800.0, 1.0)];
    let mut line = line(AGE, &jobs);
    // 1 to 4 are overdue, in this order, and are shortest in the order 1, 2, 4, 5, 3.
    for (overdue, expected) in [(false, [1, 2, 4, 3, 5]), (true, [1, 2, 4, 5, 3])] {
        line.turns.started(overdue);
        let found = first(&mut line, 9000, 5);
        assert_eq!(found[..3], expected[..3], "{found:?}");
    }
    let mut started = Vec::new();
    let mut line = self::line(AGE, &[(1, 900.0, 1.0), (2, 800.0, 1.0), (3, 0.1, 1.0)]);
    for id in [4, 5] {
        line.push(&numbered(id, 0.2, 1.0, secs(9055)), Time::ZERO);
    }
    line.remove(JobId::from_bits(3));
    while let [id] = first(&mut line, 9061, 1)[..] {
        started.push(id);
        line.start(secs(9061), JobId::from_bits(id));
    }
    assert_eq!(started, [2, 4, 1, 5]);
}

#[test]
fn two_lists_take_turns_and_what_is_in_both_counts_once() {
    let merged = |was_overdue, n| Turns { was_overdue }.merge([1, 2, 3], [3, 4, 1, 5], n).to_vec();
    assert_eq!(merged(false, 9), [1, 3, 2, 4, 5]);
    assert_eq!(merged(true, 9), [3, 1, 4, 2, 5]);
    assert_eq!(merged(false, 2), [1, 3]);
    assert_eq!(Turns::default().merge([], [7, 8], 9).to_vec(), [7, 8]);
    assert_eq!(Turns::default().merge([7, 8], [], 9).to_vec(), [7, 8]);
}

#[test]
fn a_line_that_is_full_takes_nobody_but_who_is_in_it() {
    let mut line = Line::new(AGE, 2);
    for (id, takes) in [(1, true), (2, true), (3, false), (2, true)] {
        assert_eq!(line.push(&numbered(id, 1.0, 1.0, Time::ZERO), Time::ZERO), takes, "{id}");
    }
    assert_eq!(line.len(), 2);
    assert!(line.remove(JobId::from_bits(1)) && !line.remove(JobId::from_bits(1)));
    assert!(line.push(&numbered(3, 1.0, 1.0, Time::ZERO), Time::ZERO));
    assert!(!line.is_empty());
}

#[test]
fn no_job_is_in_one_order_and_not_in_the_others() {
    let mut random = Random::new(1);
    let mut line = Line::new(AGE, 20);
    let mut now = Time::ZERO;
    for _ in 0..20_000 {
        now = now + Duration::from_secs_f64(random.unit());
        let id = random.below(30) as u128;
        match random.below(4) {
            0 | 1 => {
                let job = numbered(id, random.unit() * 9.0, 0.1 + random.unit(), now);
                line.push(&job, now + Duration::from_secs_f64(random.unit()));
            }
            2 => line.start(now, JobId::from_bits(id)),
            _ => drop(line.first(now, random.below(20))),
        }
        let n = line.len();
        assert_eq!(line.by_rank.len(), line.by_age.len());
        assert_eq!(line.by_rank.len() + line.delayed.len(), n);
        assert!(n <= 20);
    }
}

#[test]
fn a_weight_that_is_none_does_no_harm() {
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
        assert!(i64::try_from(numbered(1, 5.0, weight, Time::ZERO).rank()).is_ok(), "{weight}");
    }
}

/// Jobs of heavy-tailed sizes on four cores, one a core, at load 0.8. Returns by how much the wait
/// of each exceeds its allowance, in seconds, and the mean slowdown.
fn serve(age: Age, seed: u64) -> (f64, f64) {
    let mut random = Random::new(seed);
    let mut line = Line::new(age, 1_000_000);
    let mut free_at = [0.0_f64; 4];
    let mut sizes: BTreeMap<u128, (f64, f64)> = BTreeMap::new();
    let (mut arrival, mut excess, mut slowdowns) = (0.0_f64, f64::MIN, 0.0);
    let n_jobs = 4000;
    for id in 0..=n_jobs {
        // Pareto of shape 1.5 between 0.1 s and 200 s: its mean is about 0.29 s.
        let size = (0.1 * random.unit().powf(-1.0 / 1.5)).min(200.0);
        arrival += -(1.0 - random.unit()).ln() * 0.29 / (4.0 * 0.8);
        let until = if id == n_jobs { f64::MAX } else { arrival };
        while let Some(core) = (0..4).min_by(|a, b| free_at[*a].total_cmp(&free_at[*b])) {
            let waits = sizes.values().map(|(received, _)| *received).fold(f64::MAX, f64::min);
            let now = free_at[core].max(waits);
            if until <= now || line.is_empty() {
                break;
            }
            let at = Time::from_secs_f64(now);
            let Some(next) = line.first(at, 1).first().copied() else { break };
            line.start(at, next);
            let (received, size) = sizes.remove(&next.to_bits()).unwrap();
            let wait = now - received;
            excess = excess.max(wait - (age.floor.as_secs_f64() + age.factor * size));
            slowdowns += (wait + size) / size;
            free_at[core] = now + size;
        }
        if id < n_jobs {
            let received = Time::from_secs_f64(arrival);
            line.push(&numbered(id, size, 1.0, received), received);
            sizes.insert(id, (arrival, size));
        }
    }
    (excess, slowdowns / n_jobs as f64)
}

#[test]
fn while_there_is_capacity_no_job_waits_longer_than_the_guard_allows() {
    let guarded = Age { floor: Duration::from_secs(20), factor: 2.0 };
    let unguarded = Age { floor: Duration::from_hours(1000), factor: 2.0 };
    let (mut exceeded, mut slower) = (0, 0);
    for seed in 0..20 {
        let (excess, slowdown) = serve(guarded, seed);
        // One start goes before it by the other order, and each core has to end what it has.
        assert!(excess < 10.0, "seed {seed}: {excess} s beyond its allowance");
        let (_, free) = serve(unguarded, seed);
        slower += u32::from(1.1 * free < slowdown);
        exceeded += u32::from(serve_and_judge(unguarded, guarded, seed) > 10.0);
    }
    assert!(slower <= 5, "the guard costs little: {slower} of 20");
    assert!(0 < exceeded, "without the guard jobs wait longer: {exceeded} of 20");
}

/// By how much jobs in the order of `age` exceed what `judge` allows.
fn serve_and_judge(age: Age, judge: Age, seed: u64) -> f64 {
    let (excess, _) = serve(age, seed);
    excess + age.floor.as_secs_f64() - judge.floor.as_secs_f64()
}
