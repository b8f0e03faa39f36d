//! What Prometheus is told of Lambda.

use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use weighbridge_core::lambda::Lambda;
use weighbridge_core::units::Time;

use super::registered;

/// See the module.
pub(crate) struct LambdaMetrics {
    invocations: IntCounterVec,
    cold_starts: IntCounterVec,
    running: IntGaugeVec,
    paused: IntGaugeVec,
    speed: GaugeVec,
    cold_start: GaugeVec,
    spent: Gauge,
    spent_last_hour: Gauge,
}

impl LambdaMetrics {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<LambdaMetrics> {
        let whole = |name, help| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), &["function"])?)
        };
        let real =
            |name, help| registered(registry, GaugeVec::new(Opts::new(name, help), &["function"])?);
        let counters = |name, help, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let usd = |name, help| registered(registry, Gauge::new(name, help)?);
        Ok(LambdaMetrics {
            invocations: counters(
                "weighbridge_lambda_invocations_total",
                "Invocations of functions on Lambda that ended, by what came of them.",
                &["function", "outcome"],
            )?,
            cold_starts: counters(
                "weighbridge_lambda_cold_starts_total",
                "Answers from an environment that had to be started, as the function says, or else \
                 as is believed.",
                &["function"],
            )?,
            running: whole("weighbridge_lambda_running", "Invocations that have not ended.")?,
            paused: whole(
                "weighbridge_lambda_paused",
                "1 while a function is left alone, for its failures or for having been throttled.",
            )?,
            speed: real(
                "weighbridge_lambda_speed_ratio",
                "Reference cores that a function is worth.",
            )?,
            cold_start: real(
                "weighbridge_lambda_cold_start_seconds",
                "What an answer takes longer where no environment is warm, as learned.",
            )?,
            spent: usd(
                "weighbridge_lambda_spent_usd",
                "Spent and set aside for Lambda since the start: an estimate by the prices configured.",
            )?,
            spent_last_hour: usd(
                "weighbridge_lambda_spent_last_hour_usd",
                "Spent and set aside for Lambda in the last hour: `lambda.usd_per_hour_max` bounds it.",
            )?,
        })
    }

    /// An invocation ended.
    pub(crate) fn invoked(&self, function: &str, outcome: &str) {
        self.invocations.with_label_values(&[function, outcome]).inc();
    }

    /// Takes over what the balancer believes at `now`.
    pub(crate) fn read(&self, lambda: &Lambda, now: Time) {
        self.cold_starts.reset();
        for function in lambda.functions() {
            let label = [function.name()];
            self.cold_starts.with_label_values(&label).inc_by(function.cold_starts());
            let running = i64::try_from(function.running()).unwrap_or(i64::MAX);
            self.running.with_label_values(&label).set(running);
            self.paused.with_label_values(&label).set(i64::from(function.is_paused(now)));
            self.speed.with_label_values(&label).set(function.speed().as_reference_cores());
            self.cold_start.with_label_values(&label).set(function.cold_start().0);
        }
        self.spent.set(lambda.usd_total());
        self.spent_last_hour.set(lambda.usd_of_last_hour(now));
    }
}
