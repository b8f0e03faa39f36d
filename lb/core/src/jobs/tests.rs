//! Every transition, and the parts of which they are made.

use std::fmt::Write;
use std::time::Duration;

use super::*;

const OWNER: OwnerId = OwnerId(7);

fn secs(secs: u64) -> Time {
    Time::ZERO + Duration::from_secs(secs)
}

/// Backoffs without jitter are not to be had: what is random in a transition is its bound.
fn limits() -> Limits {
    let zero = Duration::ZERO;
    Limits { backoff_min: zero, backoff_max: zero, ..Limits::for_tests() }
}

fn work(cpu_secs: f64) -> Work {
    Work::saturating(cpu_secs)
}

fn job() -> Job {
    Job::new(JobId::from_bits(5), (work(1.0), work(2.0)), Time::ZERO, &limits())
}

/// A job in that phase, at 100 s.
fn job_in(phase: Phase) -> Job {
    let fence = Fence(1);
    let mut job = job();
    let mut steps = |events: &[Event]| {
        for event in events {
            step(&mut job, *event, secs(100), &limits());
        }
    };
    let claimed = [Event::Stored, Event::Claimed { owner: OWNER }];
    let answered = |status| Event::Answered { fence, status, retry_after: None };
    match phase {
        Phase::Receiving => {}
        Phase::Queued => steps(&claimed[..1]),
        Phase::Leased => steps(&claimed),
        Phase::Running => steps(&[&claimed[..], &[Event::Started { fence }]].concat()),
        Phase::Committing => steps(&[&claimed[..], &[answered(200)]].concat()),
        Phase::Succeeded => {
            steps(&[&claimed[..], &[answered(200), Event::Kept { fence }]].concat());
        }
        Phase::Failed => steps(&[&claimed[..], &[answered(404), Event::Kept { fence }]].concat()),
        Phase::Cancelled => steps(&[Event::Stored, Event::Cancel]),
        Phase::Expired => {
            steps(&[Event::Stored]);
            let expires = job.expires;
            step(&mut job, Event::Tick, expires, &limits());
            job.finished = Some(secs(100));
        }
        Phase::Dead => {
            let limits = Limits { attempts_max: 1, ..limits() };
            for event in [claimed[0], claimed[1], answered(500)] {
                step(&mut job, event, secs(100), &limits);
            }
        }
    }
    assert_eq!(job.state.phase(), phase);
    job
}

/// Each event, with its name; what has a fence has that of the first claim.
fn events() -> Vec<(&'static str, Event)> {
    let fence = Fence(1);
    let answered = |status, retry_after: Option<u64>| Event::Answered {
        fence,
        status,
        retry_after: retry_after.map(Duration::from_secs),
    };
    vec![
        ("stored", Event::Stored),
        ("claimed", Event::Claimed { owner: OWNER }),
        ("started", Event::Started { fence }),
        ("renewed", Event::Renewed { fence }),
        ("progress", Event::Progress { fence, done: work(0.5) }),
        ("answered 200", answered(200, None)),
        ("answered 303", answered(303, None)),
        ("answered 404", answered(404, None)),
        ("answered 429", answered(429, None)),
        ("answered 500", answered(500, None)),
        ("answered 503", answered(503, None)),
        ("answered 503 later", answered(503, Some(9))),
        ("kept", Event::Kept { fence }),
        ("host lost", Event::HostLost { fence }),
        ("timed out", Event::TimedOut { fence }),
        ("returned", Event::Returned { fence }),
        ("unplaced", Event::Unplaced { fence }),
        ("lease lost", Event::LeaseLost { fence }),
        ("cancel", Event::Cancel),
        ("retry", Event::Retry),
        ("told", Event::Told { generation: 0 }),
        ("tick", Event::Tick),
    ]
}

/// What becomes of a job in each phase, at each event and each instant that matters: where nothing
/// becomes of it, nothing is said.
fn table() -> String {
    let mut table = String::new();
    for phase in Phase::ALL {
        for (name, event) in events() {
            for instant in instants(event) {
                let before = job_in(phase);
                say(&mut table, (name, event, instant), &before);
                if event == Event::Tick && phase.is_final() {
                    say(&mut table, (name, event, instant), &Job { told: true, ..before });
                }
            }
        }
    }
    table
}

/// When an event comes: after the end of a lease, `run_max`, `expires` and the retention.
fn instants(event: Event) -> &'static [&'static str] {
    match event {
        Event::Tick => &["110 s", "131 s", "24 h", "48 h"],
        Event::Renewed { .. } => &["110 s"],
        _ => &["100 s"],
    }
}

/// Adds a line, where something becomes of the job.
fn say(table: &mut String, (name, event, instant): (&str, Event, &str), before: &Job) {
    let mut after = before.clone();
    let actions = step(&mut after, event, at(instant), &limits());
    if *before == after && actions.is_empty() {
        return;
    }
    let was_told = if before.told { ", told" } else { "" };
    let (phase, becomes) = (before.state.phase(), told(before, &after, &actions));
    writeln!(table, "{phase}{was_told}, {name} at {instant}: {becomes}").unwrap();
}

fn at(instant: &str) -> Time {
    let (n, unit) = instant.split_once(' ').unwrap();
    let n: u64 = n.parse().unwrap();
    secs(if unit == "h" { n * 3600 } else { n })
}

/// What has changed, and what is to be done.
fn told(before: &Job, after: &Job, actions: &Actions) -> String {
    let mut told = after.state.phase().to_string();
    if let State::Queued { not_before } = after.state {
        write!(told, " {}", not_before.as_secs_f64()).unwrap();
    }
    let until = |job: &Job| job.state.lease().map(|lease| lease.until);
    if until(before) != until(after)
        && let Some(until) = until(after)
    {
        write!(told, " until {}", until.as_secs_f64()).unwrap();
    }
    let numbers = [
        ("attempts", before.attempts, after.attempts),
        ("excused", before.excused, after.excused),
        ("deaths", before.host_deaths, after.host_deaths),
        ("generation", before.generation, after.generation),
        ("told", before.told.into(), after.told.into()),
    ];
    for (name, before, after) in numbers {
        if before != after {
            write!(told, ", {name} {after}").unwrap();
        }
    }
    if before.done != after.done {
        write!(told, ", done {}", after.done.as_cpu_secs()).unwrap();
    }
    if let Some(outcome) = after.outcome.filter(|_| before.outcome.is_none()) {
        write!(told, ", outcome {} of {}", outcome.status, outcome.fence.0).unwrap();
    }
    if let Some(reason) = after.reason.filter(|_| before.reason != after.reason) {
        write!(told, ", {reason}").unwrap();
    }
    let actions: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
    write!(told, " → {}", actions.join(", ")).unwrap();
    told
}

/// All that ever happens. What is not in it changes nothing.
#[test]
fn every_transition_is_in_the_table() {
    insta::assert_snapshot!(table());
}

/// The next attempt has a fence of its own, and events of the one before change nothing.
#[test]
fn an_old_claim_changes_nothing() {
    for phase in [Phase::Leased, Phase::Running, Phase::Committing] {
        let mut job = job_in(phase);
        job.fence = Fence(9);
        let lease = job.state.lease().unwrap();
        job.state = job.state.with_lease(Lease { fence: Fence(9), ..lease });
        for (name, event) in events().into_iter().filter(|(_, event)| event.fence().is_some()) {
            let mut after = job.clone();
            let actions = step(&mut after, event, secs(100), &limits());
            assert_eq!(after, job, "{phase}, {name}");
            let swept = [Action::Delete(Object::Answer { fence: Fence(1) })];
            let expected = if name == "kept" { &swept[..] } else { &[] };
            assert_eq!(&actions[..], expected, "{phase}, {name}");
        }
    }
}

#[test]
fn a_job_whose_hosts_died_runs_alone_once_and_is_then_dead() {
    let mut job = job_in(Phase::Queued);
    let mut alone = Vec::new();
    while job.state.phase() == Phase::Queued {
        let actions = step(&mut job, Event::Claimed { owner: OWNER }, secs(100), &limits());
        let fence = job.fence;
        alone.push(matches!(actions[0], Action::Forward { alone: true, .. }));
        step(&mut job, Event::HostLost { fence }, secs(100), &limits());
    }
    assert_eq!(alone, [false, false, true]);
    assert_eq!((job.state, job.reason), (State::Dead, Some(Reason::HostLost)));
}

#[test]
fn an_attempt_that_runs_for_too_long_is_given_up_although_its_lease_is_renewed() {
    let mut job = job_in(Phase::Running);
    let fence = job.fence;
    let mut now = secs(100);
    while job.state.phase() == Phase::Running {
        now = now + Duration::from_secs(20);
        step(&mut job, Event::Renewed { fence }, now, &limits());
        let actions = step(&mut job, Event::Tick, now, &limits());
        assert!(actions.is_empty() || actions[0] == Action::HangUp { fence }, "{actions:?}");
    }
    assert_eq!(now, secs(100) + limits().run_max);
    assert_eq!(job.state, State::Queued { not_before: now });
    assert_eq!(job.reason, Some(Reason::TimedOut));
}

#[test]
fn what_a_host_had_no_room_for_is_tried_until_it_expires() {
    let mut job = job_in(Phase::Queued);
    let mut now = secs(100);
    for n in 1..100 {
        step(&mut job, Event::Claimed { owner: OWNER }, now, &limits());
        let (fence, retry_after) = (job.fence, Some(Duration::from_secs(1)));
        let refused = Event::Answered { fence, status: 503, retry_after };
        step(&mut job, refused, now, &limits());
        assert_eq!((job.attempts, job.excused), (n, n));
        assert_eq!(job.state.phase(), Phase::Queued);
        now = now + Duration::from_secs(2);
    }
    let expires = job.expires;
    step(&mut job, Event::Claimed { owner: OWNER }, expires, &limits());
    assert_eq!(job.state.phase(), Phase::Queued, "it is too late to begin");
    step(&mut job, Event::Tick, expires, &limits());
    assert_eq!(job.state, State::Expired);
}

#[test]
fn a_lease_is_three_times_what_remains_within_bounds() {
    let span = |p90: f64, done: f64| {
        let mut job = Job { work_p90: work(p90), ..job() };
        job.done = work(done);
        job.lease_span(&Limits::for_tests()).as_secs_f64()
    };
    assert_eq!(span(1.0, 0.0).to_bits(), 30.0_f64.to_bits());
    assert_eq!(span(60.0, 0.0).to_bits(), 180.0_f64.to_bits());
    assert_eq!(span(60.0, 40.0).to_bits(), 60.0_f64.to_bits());
    assert_eq!(span(1e9, 0.0).to_bits(), 900.0_f64.to_bits());
    assert_eq!(span(f64::MAX, 0.0).to_bits(), 900.0_f64.to_bits());
    let renewed = Job { work_p90: work(60.0), ..job() }.renew_after(&Limits::for_tests());
    assert_eq!(renewed, Duration::from_mins(1));
}

#[test]
fn a_backoff_is_anything_up_to_a_bound_that_doubles() {
    let limits = Limits::for_tests();
    for (attempts, bound) in [(1, 1.0), (2, 2.0), (3, 4.0), (9, 256.0), (10, 300.0), (40, 300.0)] {
        let backoffs: Vec<f64> = (0..1000_u64)
            .map(|n| {
                let id = JobId::from_bits(u128::from(n) << 64 | 0x5eed);
                Job { id, attempts, ..job() }.backoff(&limits).as_secs_f64()
            })
            .collect();
        let mean = backoffs.iter().sum::<f64>() / 1000.0;
        assert!((mean / bound - 0.5).abs() < 0.05, "attempt {attempts}: mean {mean}");
        assert!(backoffs.iter().all(|one| (0.0..=bound).contains(one)), "attempt {attempts}");
    }
}

#[test]
fn what_met_with_no_host_is_placed_again_in_a_moment_and_later_each_time() {
    let limits = Limits::for_tests();
    let mut job = Job { id: JobId::from_bits(0x5eed), ..job_in(Phase::Queued) };
    let mut now = secs(100);
    for bound in [0.1, 0.2, 0.4, 0.8, 1.0, 1.0] {
        step(&mut job, Event::Claimed { owner: OWNER }, now, &limits);
        let fence = job.fence;
        step(&mut job, Event::Unplaced { fence }, now, &limits);
        let State::Queued { not_before } = job.state else { panic!("{:?}", job.state) };
        assert!(not_before.since(now).as_secs_f64() <= bound, "{not_before:?} {now:?} {bound}");
        now = not_before;
    }
    assert_eq!((job.attempts, job.excused, job.reason), (6, 6, None));
}

/// Its clock goes back by an hour, or on by one: a lease is lost early or late, and what the old
/// claim brings then is not the result.
#[test]
fn clock_jumps() {
    for jump in [3600.0, -3600.0] {
        let mut job = job_in(Phase::Running);
        let first = job.fence;
        let now = Time::from_secs_f64(3600.0 * 2.0 + jump);
        step(&mut job, Event::Renewed { fence: first }, Time::from_secs_f64(7200.0), &limits());
        step(&mut job, Event::Tick, now, &limits());
        if job.state.phase() == Phase::Queued {
            step(&mut job, Event::Claimed { owner: OWNER }, now, &limits());
        }
        let second = job.fence;
        assert_eq!(
            second != first,
            0.0 < jump,
            "on: it is lost early; back: it is held for longer"
        );
        for (fence, status) in [(first, 200), (second, 303)] {
            let answered = Event::Answered { fence, status, retry_after: None };
            step(&mut job, answered, now, &limits());
            step(&mut job, Event::Kept { fence }, now, &limits());
        }
        let expected = if first == second { 200 } else { 303 };
        assert_eq!(job.outcome, Some(Outcome { status: expected, fence: second }));
    }
}

#[test]
fn the_jitter_is_that_of_the_attempt() {
    let limits = Limits::for_tests();
    let of = |id: u128, attempts, generation| {
        let id = JobId::from_bits(id);
        Job { id, generation, attempts, ..job() }.backoff_refused(None, &limits)
    };
    assert_eq!(of(1, 1, 0), of(1, 1, 0));
    let others = [of(1, 1, 0), of(2, 1, 0), of(1, 2, 0), of(1, 1, 1)];
    for (n, one) in others.iter().enumerate() {
        assert!(!others[..n].contains(one), "{others:?}");
    }
}

#[test]
fn a_host_that_says_when_is_believed_within_bounds() {
    let limits = Limits::for_tests();
    let after = |secs: u64| job().backoff_refused(Some(Duration::from_secs(secs)), &limits);
    for (said, least, most) in [(0, 1.0, 2.0), (20, 20.0, 21.0), (1_000_000, 300.0, 300.0)] {
        let after = after(said).as_secs_f64();
        assert!(least <= after && after <= most, "{said}: {after}");
    }
}

#[test]
fn an_id_is_thirty_two_hexadecimal_digits() {
    let id = JobId::from_bits(0xfedc_ba98_7654_3210_0000_0000_0000_00ff);
    assert_eq!(id.to_string(), "fedcba987654321000000000000000ff");
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(JobId::from_bits(0).to_string().parse(), Ok(JobId::from_bits(0)));
    let digits = "fedcba987654321000000000000000ff";
    let wrong = ["", &digits[1..], &format!("0{digits}"), &digits.to_uppercase()];
    for text in wrong.into_iter().chain(["+edcba987654321000000000000000ff", "é"]) {
        assert_eq!(text.parse::<JobId>(), Err(NotAJobId), "{text}");
    }
}

#[test]
fn a_row_is_the_same_after_it_was_kept_as_json() {
    for phase in Phase::ALL {
        let job = job_in(phase);
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job, "{text}");
        assert_eq!(Phase::by_name(phase.name()), Some(phase));
    }
    assert_eq!(Phase::by_name("lost"), None);
}
