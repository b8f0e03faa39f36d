//! How far jobs are, as hosts say in their load reports: `named_metrics.spent_TOKEN`, the
//! CPU-seconds that an attempt has used. The token is drawn for each attempt, so that a report
//! tells nobody which jobs there are.

use std::collections::BTreeMap;
use std::time::Duration;

use weighbridge_core::jobs::{Fence, JobId};
use weighbridge_core::units::{Speed, Time, Work};

use super::JobRoom;
use super::ledger::Kept;

/// What the names of these metrics begin with.
const SPENT: &str = "spent_";

// === impl JobRoom ===

impl JobRoom {
    /// Takes note of what a host of that `speed` says in the named metrics of its load report.
    pub(crate) fn hear(&self, named: &BTreeMap<String, f64>, speed: Speed) {
        let spent: BTreeMap<u64, Work> = named.iter().filter_map(|one| spent(one, speed)).collect();
        if spent.is_empty() {
            return;
        }
        self.running.lock().values_mut().for_each(|running| {
            let done = spent.get(&running.token).copied();
            running.done = running.done.max(done.unwrap_or_default());
        });
    }

    /// What is done of the attempt `fence` of the job `id`, where it runs here.
    pub(super) fn done_here(&self, id: JobId, fence: Fence) -> Work {
        let running = self.running.lock();
        let ours = running.get(&id).filter(|running| running.fence == fence);
        ours.map_or(Work::ZERO, |running| running.done)
    }

    /// What is done of the present attempt of `kept`, as far as is known.
    pub(super) fn done(&self, kept: &Kept) -> Work {
        kept.job.done.max(self.done_here(kept.job.id, kept.job.fence))
    }
}

/// The attempt and its work, where a metric is about one. A report's numbers are finite and not
/// negative.
fn spent((name, secs): (&String, &f64), speed: Speed) -> Option<(u64, Work)> {
    let digits = name.strip_prefix(SPENT).filter(|digits| digits.len() == 16)?;
    let token = u64::from_str_radix(digits, 16).ok()?;
    Some((token, Work::saturating(secs * speed.as_reference_cores())))
}

/// How long what is left of `work` takes from `now` on, where so much of it was `done` since
/// `since`: at the pace so far, or as predicted where nothing is known of that.
pub(super) fn left(
    (work, done): (Work, Work),
    takes: Duration,
    (since, now): (Time, Time),
) -> Duration {
    let elapsed = now.since(since);
    if done <= Work::ZERO {
        return takes.saturating_sub(elapsed);
    }
    let part = work.saturating_sub(done).as_cpu_secs() / done.as_cpu_secs();
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * part).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_names_an_attempt_by_its_token() {
        let of =
            |name: &str| spent((&name.to_owned(), &2.0), Speed::from_reference_cores(1.5).unwrap());
        assert_eq!(of("spent_00000000000000ff"), Some((255, Work::saturating(3.0))));
        for name in ["spent_", "spent_x", "spent_00000000000000ff0", "spends_ff", "work_left"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_left_takes_as_long_as_the_pace_says() {
        let secs = |secs| Time::ZERO + Duration::from_secs(secs);
        let work = Work::saturating(10.0);
        let takes = Duration::from_secs(10);
        let left =
            |done: f64, now| left((work, Work::saturating(done)), takes, (secs(100), secs(now)));
        assert_eq!(left(0.0, 104), Duration::from_secs(6));
        assert_eq!(left(0.0, 200), Duration::ZERO, "it is late, and nothing more is known");
        assert_eq!(left(5.0, 120), Duration::from_secs(20), "half of it took 20 s");
        assert_eq!(left(12.0, 120), Duration::ZERO, "it is larger than was predicted");
    }
}
