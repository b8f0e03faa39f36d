//! How long a lease is: three times the 90th percentile of what remains, within bounds.
//!
//! The holder renews it when a third has passed, so two renewals may fail before it is lost. A
//! longer job has a longer lease: it costs more to run it twice than to wait.

use std::time::Duration;

use super::{Job, Limits};

/// How many times the remaining work a lease lasts, on a reference core.
const FACTOR: f64 = 3.0;

/// A lease is renewed when this part of it has passed.
const RENEW_PART: u32 = 3;

// === impl Job ===

impl Job {
    /// How long its lease lasts from now on.
    pub fn lease_span(&self, limits: &Limits) -> Duration {
        let remains = self.work_p90.saturating_sub(self.done).as_cpu_secs();
        let span = Duration::try_from_secs_f64(remains * FACTOR).unwrap_or(Duration::MAX);
        span.min(limits.lease_max).max(limits.lease_min)
    }

    /// When its holder should renew the lease, counted from when it was taken or renewed.
    pub fn renew_after(&self, limits: &Limits) -> Duration {
        self.lease_span(limits) / RENEW_PART
    }
}
