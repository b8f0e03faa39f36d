//! Any text, as the id of a job or as a stored row. An id that is read is written the same. A row
//! that is read takes any event at any time, and is a row again: a damaged ledger stops no
//! balancer.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;

use weighbridge_core::jobs::{Age, Event, Fence, Job, JobId, Limits, Line, OwnerId, step};
use weighbridge_core::units::{Time, Work};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(id) = text.parse::<JobId>()
    {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(job) = serde_json::from_slice::<Job>(bytes) {
        check(&job);
    }
});

fn check(job: &Job) {
    let limits = limits();
    for now in [Time::ZERO, job.received, job.expires, Time::from_nanos(u64::MAX)] {
        for event in events(job) {
            let mut after = job.clone();
            let _actions = step(&mut after, event, now, &limits);
            assert_eq!((after.id, after.version), (job.id, job.version));
            let text = serde_json::to_string(&after).expect("a row can be written");
            assert_eq!(serde_json::from_str::<Job>(&text).expect("and read"), after);
        }
        let age = Age { floor: Duration::from_secs(60), factor: 10.0 };
        let mut line = Line::new(age, 1);
        line.push(job, now);
        assert!(line.first(now, 2).len() <= 1);
        assert!(job.rank() <= i64::MAX as u64);
        let span = job.lease_span(&limits);
        assert!(limits.lease_min <= span && span <= limits.lease_max);
        assert!(job.backoff(&limits) <= limits.backoff_max);
    }
}

/// Every event, of the present claim and of another.
fn events(job: &Job) -> Vec<Event> {
    let mut events = vec![
        Event::Stored,
        Event::Claimed { owner: OwnerId(1) },
        Event::Cancel,
        Event::Retry,
        Event::Told { generation: job.generation },
        Event::Tick,
    ];
    for fence in [job.fence, Fence(1), Fence(u64::MAX)] {
        events.extend([
            Event::Started { fence },
            Event::Renewed { fence },
            Event::Progress { fence, done: Work::saturating(f64::MAX) },
            Event::Kept { fence },
            Event::HostLost { fence },
            Event::TimedOut { fence },
            Event::Returned { fence },
            Event::Unplaced { fence },
            Event::LeaseLost { fence },
        ]);
        let answered = [200, 404, 429, 500, 503];
        let retry_after = Some(Duration::MAX);
        events.extend(answered.map(|status| Event::Answered { fence, status, retry_after }));
    }
    events
}

/// Those of the default configuration.
fn limits() -> Limits {
    Limits {
        receive_max: Duration::from_secs(600),
        wait_max: Duration::from_secs(24 * 3600),
        run_max: Duration::from_secs(12 * 3600),
        attempts_max: 5,
        host_deaths_max: 3,
        alone_after: 2,
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(300),
        lease_min: Duration::from_secs(30),
        lease_max: Duration::from_secs(900),
        retention: Duration::from_secs(24 * 3600),
    }
}
