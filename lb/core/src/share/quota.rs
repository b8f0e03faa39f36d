//! What a client or a class may use: CPU seconds in a window, and requests that are here at once.
//!
//! CPU seconds are a bucket of the window's size, full at the beginning, which fills evenly in one
//! window. A request takes its estimate when it is taken, and gives back, or takes beside, what it
//! was off by. One that is larger than the bucket needs it full. So in any window a client uses at
//! most twice its quota, and over many windows just that.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::request::RequestId;
use crate::units::{Time, Work};

/// A wait where nothing tells how long it will be.
const UNKNOWN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quota {
    /// CPU seconds; `None`: any number.
    pub cpu: Option<CpuQuota>,
    /// Requests at once, each of which has a core at most; `None`: any number.
    pub cores: Option<u32>,
}

/// CPU seconds in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuQuota {
    /// So much; above zero.
    pub work: Work,
    /// In so long; above zero.
    pub window: Duration,
}

/// What was used of a quota.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    /// CPU seconds that are missing in the bucket, as of `as_of`.
    missing: f64,
    as_of: Time,
    here: u32,
    /// When those that run are expected to end; kept where there is a quota of cores.
    ends: BTreeSet<(Time, RequestId)>,
}

// === impl Meter ===

impl Meter {
    /// How long until there is room for `work`; `None` where there is.
    pub(super) fn wait(&self, quota: &Quota, now: Time, work: Work) -> Option<Duration> {
        let cpu = quota.cpu.and_then(|cpu| {
            let all = cpu.work.as_cpu_secs();
            let needed = work.as_cpu_secs().min(all);
            let over = self.missing_at(&cpu, now) + needed - all;
            // What is off by rounding is no reason.
            (all * 1e-9 < over).then(|| Duration::from_secs_f64(over / cpu.rate()))
        });
        let cores = quota.cores.filter(|cores| *cores <= self.here).map(|_| {
            let first = self.ends.first().map(|(end, _)| end.since(now));
            first.filter(|left| !left.is_zero()).unwrap_or(UNKNOWN)
        });
        cpu.max(cores)
    }

    /// A request of `work` is taken.
    pub(super) fn take(&mut self, quota: &Quota, now: Time, work: Work) {
        self.here += 1;
        self.change(quota, now, work.as_cpu_secs());
    }

    /// A running request is expected to end then.
    pub(super) fn expect_end(&mut self, quota: &Quota, end: Time, id: RequestId) {
        if quota.cores.is_some() {
            self.ends.insert((end, id));
        }
    }

    /// A request that was taken as `taken`, and expected to end at `end`, has left after `used`.
    pub(super) fn leave(
        &mut self,
        (quota, now): (&Quota, Time),
        (id, end): (RequestId, Time),
        (taken, used): (Work, Work),
    ) {
        self.here = self.here.saturating_sub(1);
        self.ends.remove(&(end, id));
        self.change(quota, now, used.as_cpu_secs() - taken.as_cpu_secs());
    }

    fn change(&mut self, quota: &Quota, now: Time, secs: f64) {
        if let Some(cpu) = &quota.cpu {
            self.missing = (self.missing_at(cpu, now) + secs).max(0.0);
            self.as_of = self.as_of.max(now);
        }
    }

    fn missing_at(&self, cpu: &CpuQuota, now: Time) -> f64 {
        (self.missing - now.since(self.as_of).as_secs_f64() * cpu.rate()).max(0.0)
    }
}

// === impl CpuQuota ===

impl CpuQuota {
    /// CPU seconds that come back in a second.
    fn rate(&self) -> f64 {
        self.work.as_cpu_secs() / self.window.as_secs_f64()
    }
}
