//! What Prometheus scrapes: `weighbridge_*`, base units, labels from bounded sets.
//!
//! Requests are counted as they end; what the balancer believes is read at each scrape.

mod edge;
mod exemplars;
pub(crate) mod http;
mod lambda;
pub(crate) mod openmetrics;
mod reload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::http::Method;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use weighbridge_core::observe::Failure;

use crate::jobs::JobMetrics;
use crate::record::Record;
use crate::timeline::{self, Timeline};
use crate::traffic::{self, Flow, Reading, Traffic};
pub(crate) use edge::{EdgeMetrics, HandshakeFault, Unwelcome};
use exemplars::Exemplars;
use http::HttpMetrics;
use lambda::LambdaMetrics;
use reload::ReloadMetrics;

/// How long requests take.
const RESPONSE: &str = "weighbridge_response_seconds";

/// Buckets of times that a client waits: 1 ms to about 9 minutes, at most twice each.
const RESPONSE_BUCKETS: [f64; 20] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0,
    32.0, 64.0, 128.0, 256.0, 512.0,
];

/// Buckets of decisions: 1 microsecond to 4 milliseconds, at most twice each.
const DECISION_BUCKETS: [f64; 13] =
    [1e-6, 2e-6, 4e-6, 8e-6, 16e-6, 32e-6, 64e-6, 128e-6, 256e-6, 512e-6, 1e-3, 2e-3, 4e-3];

/// Buckets of measured work over estimated work.
const RATIO_BUCKETS: [f64; 11] = [0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0];

/// Buckets of response time over measured work, at most twice each.
const SLOWDOWN_BUCKETS: [f64; 14] =
    [1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Everything that is counted as it happens.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    response_seconds: HistogramVec,
    waiting_seconds: HistogramVec,
    work_seconds: HistogramVec,
    slowdown: HistogramVec,
    estimate_ratio: HistogramVec,
    decision_seconds: Histogram,
    tries_failed: IntCounterVec,
    reports_rejected: IntCounter,
    scale_events: IntCounterVec,
    hosts_lost: IntCounter,
    loop_failures: IntCounterVec,
    not_trained: IntCounterVec,
    fleet_bounded: IntGaugeVec,
    /// By OpenTelemetry's names.
    pub(crate) http: HttpMetrics,
    /// Which traces were counted.
    exemplars: Exemplars,
    /// What is on Lambda.
    pub(crate) lambda: LambdaMetrics,
    /// What is counted of jobs.
    pub(crate) jobs: JobMetrics,
    /// What is at the edge.
    pub(crate) edge: EdgeMetrics,
    leading: IntGaugeVec,
    reloads: ReloadMetrics,
    /// Connections of clients that are open.
    pub(crate) connections: IntGauge,
    /// How the fleets have been of late.
    pub(crate) timeline: Timeline,
    /// How requests went of late.
    traffic: Traffic,
}

impl Metrics {
    /// Registers everything. Fails only where a name is taken.
    pub(crate) fn new() -> prometheus::Result<Arc<Metrics>> {
        let registry = Registry::new();
        let counters = |name, help, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let counter = |name, help| registered(&registry, IntCounter::new(name, help)?);
        let gauge = |name, help| registered(&registry, IntGauge::new(name, help)?);
        let gauges = |name, help, labels: &[&str]| {
            registered(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let by_route = |name, help, buckets: &[f64]| {
            let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            registered(&registry, HistogramVec::new(opts, &["route"])?)
        };
        let tries_failed = "Tries at a host that brought no answer, by what happened.";
        let loop_failures = "Failures of background work, which goes on after a pause.";
        let not_trained = "Trainings after which no new model was in use, by reason.";
        let leading = "1 while this balancer has the lease: of several it is the one that does it.";
        let bounded = "1 while the group's own least or most hosts go before those of [scale].";
        let times = &RESPONSE_BUCKETS;
        let waiting = "From the head of a request to its being sent to the host that answered.";
        let response = "From the head of a request to the end of its answer.";
        let work = "Measured work of requests, in CPU-seconds of the reference core.";
        let ratio = "Measured work over estimated work.";
        let slowdown = "Response time over measured work: 1 is as on an idle reference core.";
        Ok(Arc::new(Metrics {
            leading: gauges("weighbridge_leading", leading, &["lease"])?,
            requests: counters(
                "weighbridge_requests_total",
                "Requests that ended, by route and status; 499 is a client that left.",
                &["route", "code"],
            )?,
            response_seconds: by_route(RESPONSE, response, times)?,
            waiting_seconds: by_route("weighbridge_waiting_seconds", waiting, times)?,
            work_seconds: by_route("weighbridge_work_seconds", work, times)?,
            slowdown: by_route("weighbridge_slowdown_ratio", slowdown, &SLOWDOWN_BUCKETS)?,
            estimate_ratio: by_route("weighbridge_estimate_ratio", ratio, &RATIO_BUCKETS)?,
            tries_failed: counters("weighbridge_tries_failed_total", tries_failed, &["failure"])?,
            scale_events: counters(
                "weighbridge_scale_events_total",
                "Hosts launched, adopted, drained and replaced, by reason.",
                &["action", "reason"],
            )?,
            loop_failures: counters("weighbridge_loop_failures_total", loop_failures, &["loop"])?,
            not_trained: counters(
                "weighbridge_trainings_failed_total",
                not_trained,
                &["route", "reason"],
            )?,
            fleet_bounded: gauges("weighbridge_fleet_bounded", bounded, &["bound"])?,
            decision_seconds: decision_seconds(&registry)?,
            reports_rejected: counter(
                "weighbridge_load_reports_rejected_total",
                "Load reports of hosts that broke a rule and were ignored.",
            )?,
            hosts_lost: counter(
                "weighbridge_hosts_lost_total",
                "Hosts that ended without having been told to.",
            )?,
            connections: gauge("weighbridge_connections", "Connections of clients that are open.")?,
            http: HttpMetrics::new(&registry)?,
            exemplars: Exemplars::default(),
            lambda: LambdaMetrics::new(&registry)?,
            jobs: JobMetrics::new(&registry)?,
            reloads: ReloadMetrics::new(&registry)?,
            edge: EdgeMetrics::new(&registry)?,
            timeline: Timeline::default(),
            traffic: Traffic::new(),
            registry,
        }))
    }

    /// Where others register theirs.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A request with `method` of `route`, which has a name and a path, ended.
    pub(crate) fn ended(&self, route: Option<(&str, &str)>, method: &Method, record: &Record) {
        let (route, path) = route.unwrap_or(("none", ""));
        let code = code(record.status);
        let secs = record.response().as_secs_f64();
        self.requests.with_label_values(&[route, code.as_str()]).inc();
        self.response_seconds.with_label_values(&[route]).observe(secs);
        let labels = self.http.ended((http::method(method), path), record, (code.as_str(), secs));
        if let Some(trace) = record.trace.as_ref().filter(|trace| trace.is_sampled()) {
            let of = (&*trace.id(), SystemTime::now());
            self.exemplars.keep(RESPONSE, &[route], secs, of);
            self.exemplars.keep(http::SERVER_DURATION, &labels, secs, of);
        }
        if 0 < record.tries {
            let waited = record.waiting().as_secs_f64();
            self.waiting_seconds.with_label_values(&[route]).observe(waited);
        }
        if let Some(work) = record.work {
            let work = work.as_cpu_secs();
            self.work_seconds.with_label_values(&[route]).observe(work);
            if 0.0 < work {
                let slowdown = record.response().as_secs_f64() / work;
                self.slowdown.with_label_values(&[route]).observe(slowdown);
            }
            if let Some(estimate) = record.estimate.filter(|e| 0.0 < e.mean.as_cpu_secs()) {
                let ratio = work / estimate.mean.as_cpu_secs();
                self.estimate_ratio.with_label_values(&[route]).observe(ratio);
            }
        }
    }

    /// A decision took `span`.
    pub(crate) fn decided(&self, span: Duration) {
        self.decision_seconds.observe(span.as_secs_f64());
    }

    /// A try brought no answer.
    pub(crate) fn try_failed(&self, failure: Failure) {
        self.tries_failed.with_label_values(&[failure_name(failure)]).inc();
    }

    /// A load report broke a rule.
    pub(crate) fn report_rejected(&self) {
        self.reports_rejected.inc();
    }

    /// The fleet was changed.
    pub(crate) fn scaled(&self, action: &str, reason: &str) {
        self.scale_events.with_label_values(&[action, reason]).inc();
        self.timeline.changed(timeline::unix_secs(), action, reason);
    }

    /// How the requests of each route go.
    pub(crate) fn flows(&self) -> BTreeMap<String, Flow> {
        self.traffic.flows(&self.reading())
    }

    /// Keeps what has been counted of requests up to now.
    pub(crate) fn keep_reading(&self) {
        self.traffic.keep(self.reading());
    }

    fn reading(&self) -> Reading {
        traffic::read(&self.requests, &self.response_seconds, &self.slowdown)
    }

    /// A host ended without having been told to.
    pub(crate) fn host_lost(&self) {
        self.hosts_lost.inc();
        self.timeline.changed(timeline::unix_secs(), "lose", "host_failed");
    }

    /// The service that the hosts are rented from keeps between `theirs` of them, `ours` are
    /// between the policy's least and most.
    pub(crate) fn fleet_bounded(&self, ours: (usize, usize), theirs: (usize, usize)) {
        self.bounded("least", ours.0 < theirs.0, ours.0, theirs.0);
        self.bounded("most", theirs.1 < ours.1, ours.1, theirs.1);
    }

    fn bounded(&self, bound: &str, is_so: bool, ours: usize, theirs: usize) {
        let gauge = self.fleet_bounded.with_label_values(&[bound]);
        if is_so && gauge.get() == 0 {
            tracing::warn!(bound, scale = ours, group = theirs, "the group's own bound holds");
        }
        gauge.set(i64::from(is_so));
    }

    /// The configuration was read anew, and is the `generation`-th in use since the start.
    pub(crate) fn reloaded(&self, is_good: bool, generation: u64) {
        self.reloads.read(is_good, generation);
    }

    /// A background loop failed once.
    pub(crate) fn loop_failed(&self, name: &str) {
        self.loop_failures.with_label_values(&[name]).inc();
    }

    /// Training for `route` ended without a new model in use.
    pub(crate) fn not_trained(&self, route: &str, reason: &str) {
        self.not_trained.with_label_values(&[route, reason]).inc();
    }

    /// Whether this balancer has the lease `name`.
    pub(crate) fn leading(&self, name: &str, leads: bool) {
        self.leading.with_label_values(&[name]).set(i64::from(leads));
    }

    /// The value of the first series of the metric `name`.
    #[cfg(test)]
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        let text = self.text().ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// The text format of everything registered.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// The same in the format of `OpenMetrics`, with exemplars.
    pub(crate) fn open_text(&self) -> String {
        openmetrics::text(&self.registry.gather(), &self.exemplars)
    }
}

fn decision_seconds(registry: &Registry) -> prometheus::Result<Histogram> {
    let help = "One decision: estimate, ranking and claim, with the wait for the lock.";
    let opts = HistogramOpts::new("weighbridge_decision_seconds", help);
    registered(registry, Histogram::with_opts(opts.buckets(DECISION_BUCKETS.to_vec()))?)
}

/// How a failure is called in metrics and traces.
pub(crate) fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Connect => "connect",
        Failure::Refused => "refused",
        Failure::BeforeResponse => "before_response",
        Failure::Stale => "stale",
        Failure::Timeout => "timeout",
        Failure::AfterResponse => "after_response",
        Failure::TooLong => "too_long",
    }
}

/// `collector`, registered.
pub(crate) fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// The label of a status: itself where it is one that HTTP names, so that hosts cannot invent
/// labels.
fn code(status: u16) -> String {
    let named = ::http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    if named.is_some() || status == 499 { status.to_string() } else { "other".to_owned() }
}
