//! What the recorder tells of itself.

use prometheus::{IntCounter, IntGauge, Registry};

/// Clones share the numbers.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) written: IntCounter,
    pub(super) dropped: IntCounter,
    pub(super) waiting: IntGauge,
    pub(super) errors: IntCounter,
    pub(super) expired: IntCounter,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Metrics, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("weighbridge_store_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let waiting = IntGauge::new(
            "weighbridge_store_waiting_observations",
            "Observations that wait to be written.",
        )?;
        registry.register(Box::new(waiting.clone()))?;
        Ok(Metrics {
            written: counter("written_observations_total", "Observations written.")?,
            dropped: counter(
                "dropped_observations_total",
                "Observations lost: the queue was full, or the store refused them for good.",
            )?,
            waiting,
            errors: counter("errors_total", "Refusals by the store, those tried again included.")?,
            expired: counter("expired_observations_total", "Observations deleted for their age.")?,
        })
    }
}
