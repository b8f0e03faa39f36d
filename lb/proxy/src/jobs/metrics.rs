//! What is counted of jobs.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use weighbridge_core::jobs::{Phase, Reason};

use super::ledger::Totals;
use crate::metrics::registered;

/// See the module.
pub(crate) struct JobMetrics {
    accepted: IntCounterVec,
    ended: IntCounterVec,
    attempts_failed: IntCounterVec,
    kept: IntGaugeVec,
    bytes: IntGauge,
    running: IntGauge,
    callbacks: IntGaugeVec,
    called: IntCounterVec,
}

impl JobMetrics {
    /// Registers everything. Fails only where a name is taken.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<JobMetrics> {
        let counters = |name, help, labels: &[&str]| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauges = |name, help, labels: &[&str]| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let accepted = "Requests that became jobs, by route.";
        let ended = "Jobs that ended, by route and state.";
        let failed = "Attempts of jobs that failed, by reason.";
        let kept = "Jobs in the ledger, by state.";
        let bytes = "Bytes of requests and results in the ledger and beside it.";
        let running = "Jobs that this balancer runs.";
        let callbacks = "Callbacks that are not delivered: to be tried, or dead.";
        let called = "Tries of callbacks, by what came of them.";
        Ok(JobMetrics {
            accepted: counters("weighbridge_jobs_accepted_total", accepted, &["route"])?,
            ended: counters("weighbridge_jobs_ended_total", ended, &["route", "state"])?,
            attempts_failed: counters(
                "weighbridge_job_attempts_failed_total",
                failed,
                &["reason"],
            )?,
            kept: gauges("weighbridge_jobs", kept, &["state"])?,
            bytes: registered(registry, IntGauge::new("weighbridge_jobs_bytes", bytes)?)?,
            running: registered(registry, IntGauge::new("weighbridge_jobs_running", running)?)?,
            callbacks: gauges("weighbridge_job_callbacks", callbacks, &["state"])?,
            called: counters("weighbridge_job_callback_tries_total", called, &["result"])?,
        })
    }

    /// A request of `route` became a job.
    pub(crate) fn accepted(&self, route: &str) {
        self.accepted.with_label_values(&[route]).inc();
    }

    /// A job of `route` ended.
    pub(crate) fn ended(&self, route: &str, phase: Phase) {
        self.ended.with_label_values(&[route, phase.name()]).inc();
    }

    /// An attempt failed.
    pub(crate) fn attempt_failed(&self, reason: Reason) {
        self.attempts_failed.with_label_values(&[reason.name()]).inc();
    }

    /// A callback was tried.
    pub(crate) fn called(&self, result: &str) {
        self.called.with_label_values(&[result]).inc();
    }

    /// What is kept, and how many this balancer runs.
    pub(crate) fn read(&self, totals: &Totals, n_running: usize) {
        let gauge = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for (phase, n) in &totals.by_phase {
            self.kept.with_label_values(&[phase.name()]).set(gauge(*n));
        }
        self.bytes.set(gauge(totals.bytes));
        self.running.set(gauge(n_running as u64));
        self.callbacks.with_label_values(&["pending"]).set(gauge(totals.callbacks));
        self.callbacks.with_label_values(&["dead"]).set(gauge(totals.dead_callbacks));
    }
}
