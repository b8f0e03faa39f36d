//! What became of reading the configuration anew.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};

use super::registered;

/// See the module.
pub(crate) struct ReloadMetrics {
    reloads: IntCounterVec,
    last_good: IntGauge,
    last_at: Gauge,
    generation: IntGauge,
}

impl ReloadMetrics {
    /// Registers them. The configuration of the start is the first generation, and a success.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<ReloadMetrics> {
        let reloads = Opts::new(
            "weighbridge_config_reloads_total",
            "Times that the configuration was read anew, by result.",
        );
        let metrics = ReloadMetrics {
            reloads: registered(registry, IntCounterVec::new(reloads, &["result"])?)?,
            last_good: registered(
                registry,
                IntGauge::new(
                    "weighbridge_config_last_reload_successful",
                    "1 where the configuration that was read last is in use.",
                )?,
            )?,
            last_at: registered(
                registry,
                Gauge::new(
                    "weighbridge_config_last_reload_timestamp_seconds",
                    "When the configuration in use was taken up, as Unix time.",
                )?,
            )?,
            generation: registered(
                registry,
                IntGauge::new(
                    "weighbridge_config_generation",
                    "Configurations that have been in use since the start, the present one included.",
                )?,
            )?,
        };
        for result in ["success", "failure"] {
            metrics.reloads.with_label_values(&[result]).inc_by(0);
        }
        metrics.taken_up(1);
        Ok(metrics)
    }

    /// The configuration was read anew, and is the `generation`-th in use.
    pub(super) fn read(&self, is_good: bool, generation: u64) {
        let result = if is_good { "success" } else { "failure" };
        self.reloads.with_label_values(&[result]).inc();
        if is_good {
            self.taken_up(generation);
        } else {
            self.last_good.set(0);
        }
    }

    fn taken_up(&self, generation: u64) {
        self.last_good.set(1);
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_at.set(since.as_secs_f64());
    }
}
