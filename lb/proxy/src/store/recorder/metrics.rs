//! What the recorder tells of itself.

use prometheus::{IntCounter, IntGauge, Registry};

use super::super::Spool;

/// Clones share the numbers.
#[derive(Debug, Clone)]
pub(super) struct StoreMetrics {
    pub(super) written: IntCounter,
    pub(super) dropped: IntCounter,
    pub(super) waiting: IntGauge,
    pub(super) errors: IntCounter,
    pub(super) expired: IntCounter,
    pub(super) spooled: IntGauge,
    pub(super) spooled_bytes: IntGauge,
    pub(super) spool_dropped: IntCounter,
}

impl StoreMetrics {
    pub(super) fn register(registry: &Registry) -> Result<StoreMetrics, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("weighbridge_store_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("weighbridge_store_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(StoreMetrics {
            written: counter("written_observations_total", "Observations written.")?,
            dropped: counter(
                "dropped_observations_total",
                "Observations lost: the queue was full, or the store refused them for good.",
            )?,
            waiting: gauge(
                "waiting_observations",
                "Observations that wait in memory to be written.",
            )?,
            errors: counter("errors_total", "Refusals by the store, those tried again included.")?,
            expired: counter("expired_observations_total", "Observations deleted for their age.")?,
            spooled: gauge(
                "spooled_observations",
                "Observations that wait on disk, for the store to take them again.",
            )?,
            spooled_bytes: gauge("spooled_bytes", "Bytes of observations that wait on disk.")?,
            spool_dropped: counter(
                "spool_dropped_observations_total",
                "Observations on disk that were lost: there was no more room, or they were damaged.",
            )?,
        })
    }
    /// Notes what is in `spool` now.
    pub(super) fn look_at(&self, spool: &Spool) {
        let waiting = spool.waiting();
        self.spooled.set(i64::try_from(waiting.rows).unwrap_or(i64::MAX));
        self.spooled_bytes.set(i64::try_from(waiting.bytes).unwrap_or(i64::MAX));
    }
}
