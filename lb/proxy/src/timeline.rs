//! How the fleets have been of late, and what was changed about them and why: of the last hour, in
//! memory.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::Serialize;

use weighbridge_core::host::{HostState, Phase};
use weighbridge_core::queue::QueueState;

/// Between two samples.
pub(crate) const EVERY: Duration = Duration::from_secs(2);

/// Samples that are kept: those of an hour.
const SAMPLES_MAX: usize = 1800;

/// Changes that are kept.
const CHANGES_MAX: usize = 200;

/// Changes of one kind that come within this many seconds of one another are one.
const SAME_SECS: f64 = 1.0;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    samples: Mutex<VecDeque<Sample>>,
    changes: Mutex<VecDeque<Change>>,
}

/// How the fleets were at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// When, in seconds since 1970.
    pub(crate) at: f64,
    /// Hosts that start.
    pub(crate) starting: usize,
    /// Hosts that take requests.
    pub(crate) active: usize,
    /// Hosts that drain.
    pub(crate) draining: usize,
    /// Mean utilization of the hosts that take requests; 0 where there are none.
    pub(crate) utilization: f64,
    /// Predicted work that hosts have left, in CPU-seconds of the reference core.
    pub(crate) work_left_seconds: f64,
    /// Predicted work that waits here, likewise.
    pub(crate) waiting_work_seconds: f64,
    /// Requests at hosts.
    pub(crate) running: u64,
    /// Requests that wait here.
    pub(crate) waiting: u64,
}

/// One change of a fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Change {
    /// When, in seconds since 1970.
    pub(crate) at: f64,
    /// What was done: `launch`, `drain`, `replace`, …
    pub(crate) action: String,
    /// Why.
    pub(crate) reason: String,
    /// With how many hosts.
    pub(crate) hosts: usize,
}

/// What is kept, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Past {
    /// Seconds between two samples.
    pub(crate) every_seconds: f64,
    /// Samples.
    pub(crate) samples: Vec<Sample>,
    /// Changes.
    pub(crate) changes: Vec<Change>,
}

/// Now, in seconds since 1970.
pub(crate) fn unix_secs() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

// === impl Timeline ===

impl Timeline {
    /// Keeps `sample`.
    pub(crate) fn sampled(&self, sample: Sample) {
        push(&mut self.samples.lock(), sample, SAMPLES_MAX);
    }

    /// A host was changed at `at`, in seconds since 1970. Several of one kind at once are one
    /// change.
    pub(crate) fn changed(&self, at: f64, action: &str, reason: &str) {
        let mut changes = self.changes.lock();
        if let Some(last) = changes.back_mut()
            && (last.action.as_str(), last.reason.as_str()) == (action, reason)
            && at - last.at <= SAME_SECS
        {
            last.hosts += 1;
            return;
        }
        let (action, reason) = (action.to_owned(), reason.to_owned());
        push(&mut changes, Change { at, action, reason, hosts: 1 }, CHANGES_MAX);
    }

    /// What is kept.
    pub(crate) fn past(&self) -> Past {
        Past {
            every_seconds: EVERY.as_secs_f64(),
            samples: self.samples.lock().iter().copied().collect(),
            changes: self.changes.lock().iter().cloned().collect(),
        }
    }
}

fn push<T>(kept: &mut VecDeque<T>, one: T, most: usize) {
    if kept.len() == most {
        kept.pop_front();
    }
    kept.push_back(one);
}

// === impl Sample ===

impl Sample {
    /// One at `at`, in seconds since 1970, of no fleet.
    pub(crate) fn new(at: f64) -> Sample {
        Sample { at, ..Sample::default() }
    }

    /// Adds a fleet's hosts and what waits for them.
    pub(crate) fn add<'a>(
        &mut self,
        hosts: impl Iterator<Item = &'a HostState>,
        waiting: QueueState,
    ) {
        let mut busy = self.utilization * self.active as f64;
        for host in hosts {
            match host.phase {
                Phase::Starting => self.starting += 1,
                Phase::Active => {
                    self.active += 1;
                    busy += host.utilization();
                }
                Phase::Draining => self.draining += 1,
                Phase::Gone => {}
            }
            self.work_left_seconds += host.work_left.as_cpu_secs();
            self.running += u64::from(host.n_requests());
        }
        self.utilization = busy / self.active.max(1) as f64;
        self.waiting += waiting.requests as u64;
        self.waiting_work_seconds += waiting.work.as_cpu_secs();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_at_once_are_one_and_the_oldest_are_forgotten() {
        let timeline = Timeline::default();
        for at in [1.0, 1.5, 2.4] {
            timeline.changed(at, "launch", "panic");
        }
        timeline.changed(2.5, "drain", "cpu_low");
        timeline.changed(9.0, "drain", "cpu_low");
        let kept = |past: Past| {
            let shown =
                past.changes.iter().map(|c| format!("{} {} {}", c.action, c.reason, c.hosts));
            shown.collect::<Vec<_>>()
        };
        let expected = ["launch panic 2", "launch panic 1", "drain cpu_low 1", "drain cpu_low 1"];
        assert_eq!(kept(timeline.past()), expected);
        for n in 0..CHANGES_MAX {
            timeline.changed(100.0 + 10.0 * n as f64, "launch", "backlog");
        }
        let kept = kept(timeline.past());
        assert_eq!(kept.len(), CHANGES_MAX);
        assert_eq!(kept[0], "launch backlog 1");
    }

    #[test]
    fn samples_are_those_of_an_hour() {
        let timeline = Timeline::default();
        for n in 0..=SAMPLES_MAX {
            timeline.sampled(Sample::new(n as f64));
        }
        let past = timeline.past();
        assert_eq!(past.samples.len(), SAMPLES_MAX);
        assert!((past.samples[0].at - 1.0).abs() < 1e-9);
    }
}
