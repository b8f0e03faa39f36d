//! Ten million steps of any event in any state: nothing panics, and no step does what it must not.

use std::time::Duration;

use weighbridge_core::jobs::{
    Action, Event, Fence, Job, JobId, Limits, Object, OwnerId, Phase, step,
};
use weighbridge_core::random::Random;
use weighbridge_core::units::{Time, Work};

use super::ledger::check_change;

const STEPS: u64 = 10_000_000;

#[test]
fn ten_million_steps_do_only_what_steps_may() {
    let mut random = Random::new(1);
    let mut job = new_job(&mut random, Time::ZERO);
    let mut now = Time::ZERO;
    let mut visits = [0_u64; Phase::ALL.len()];
    for _ in 0..STEPS {
        let limits = limits(&mut random);
        now = time(&mut random, now);
        let event = event(&mut random, &job);
        let before = job.clone();
        let actions = step(&mut job, event, now, &limits);
        check_change(&before, &job);
        check_fence(&before, event, &job);
        let phase = job.state.phase();
        let sends = actions.iter().any(|action| matches!(action, Action::Send { .. }));
        assert_eq!(
            sends,
            phase == Phase::Queued && before.state != job.state,
            "{before:?} {event:?}"
        );
        visits[Phase::ALL.iter().position(|one| *one == phase).unwrap()] += 1;
        let is_over = actions.contains(&Action::Delete(Object::All));
        if is_over || job.state.is_final() && random.below(8) == 0 {
            job = new_job(&mut random, now);
        }
    }
    for (phase, n) in Phase::ALL.iter().zip(visits) {
        assert!(STEPS / 1000 < n, "{phase} is visited {n} times");
    }
}

/// What an older claim says leaves the row as it is.
fn check_fence(before: &Job, event: Event, job: &Job) {
    let holder = before.state.lease().map(|lease| lease.fence);
    if event.fence().is_some_and(|fence| holder != Some(fence)) {
        assert!(before == job, "{event:?} {before:?}");
    }
}

fn new_job(random: &mut Random, now: Time) -> Job {
    let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    let work = Work::saturating(1.0 / random.unit());
    let mut job = Job::new(JobId::from_bits(bits), (work, work * 3.0), now, &limits(random));
    // Rows that have been through much, at the ends of what numbers hold.
    if random.below(16) == 0 {
        (job.fence, job.generation) = (Fence(u64::MAX - 1024), u32::MAX - 8);
    }
    job
}

/// Mostly a little later; sometimes any time at all.
fn time(random: &mut Random, now: Time) -> Time {
    match random.below(64) {
        0 => Time::from_nanos(random.next_u64()),
        1 => Time::ZERO,
        _ => now + Duration::from_secs_f64(random.unit()),
    }
}

fn event(random: &mut Random, job: &Job) -> Event {
    let fence = match random.below(8) {
        0 => Fence(job.fence.0.saturating_sub(1)),
        1 => Fence(random.next_u64()),
        _ => job.fence,
    };
    match random.below(19) {
        0 | 1 => Event::Stored,
        2..5 => Event::Claimed { owner: OwnerId(random.next_u64()) },
        5 => Event::Started { fence },
        6 => Event::Renewed { fence },
        7 => Event::Progress { fence, done: Work::saturating(random.unit()) },
        8 | 9 => Event::Answered {
            fence,
            status: random.below(1000) as u16,
            retry_after: Some(Duration::from_nanos(random.next_u64())),
        },
        10 => Event::Kept { fence },
        11 => Event::HostLost { fence },
        12 => Event::TimedOut { fence },
        13 => Event::Returned { fence },
        14 => Event::LeaseLost { fence },
        15 => [Event::Cancel, Event::Retry, Event::Retry, Event::Retry][random.below(4)],
        16 => Event::Told { generation: job.generation },
        17 => Event::Unplaced { fence },
        _ => Event::Tick,
    }
}

fn limits(random: &mut Random) -> Limits {
    let mut span = || match random.below(32) {
        0 => Duration::MAX,
        1 => Duration::ZERO,
        _ => Duration::from_secs_f64(random.unit() * 20.0),
    };
    let mut limits = Limits {
        receive_max: span(),
        wait_max: span(),
        run_max: span(),
        backoff_min: span(),
        backoff_max: span(),
        lease_min: span(),
        lease_max: span(),
        retention: span(),
        attempts_max: 0,
        host_deaths_max: 0,
        alone_after: 0,
    };
    limits.attempts_max = random.below(5) as u32;
    limits.host_deaths_max = random.below(4) as u32;
    limits.alone_after = random.below(4) as u32;
    limits
}

/// The same events on jobs of other sizes take them through the same states.
#[test]
fn an_estimate_changes_no_result() {
    let limits = Limits {
        lease_min: Duration::from_hours(1000),
        lease_max: Duration::from_hours(1000),
        ..limits(&mut Random::new(0))
    };
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let mut one = new_job(&mut random, Time::ZERO);
        let mut other = Job { work: one.work * 1e3, work_p90: one.work_p90 * 1e-3, ..one.clone() };
        other.weight = 7.0;
        let mut now = Time::ZERO;
        for _ in 0..60 {
            now = now + Duration::from_secs_f64(random.unit());
            let event = event(&mut random, &one);
            let of_one = step(&mut one, event, now, &limits);
            let of_other = step(&mut other, event, now, &limits);
            assert_eq!(of_one, of_other, "seed {seed} {event:?}");
            assert_eq!(one.state, other.state, "seed {seed} {event:?}");
            assert_eq!(one.outcome, other.outcome, "seed {seed} {event:?}");
        }
    }
}
