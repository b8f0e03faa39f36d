//! How the requests of each route went of late: rate, errors, response times, slowdown.
//!
//! It is the difference of two readings of the metrics, the older of which was made
//! a minute ago, or when the balancer started.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::proto::{Histogram, Metric};
use serde::Serialize;

/// Readings that are kept, one for each sample of the [timeline](crate::timeline): those of a
/// minute.
const WINDOW_SAMPLES: usize = 30;

/// What has been counted of a route since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Totals {
    /// Requests that ended.
    pub(crate) requests: u64,
    /// Those of them that ended with a status of 500 or above.
    pub(crate) errors: u64,
    /// Response times: upper bound in seconds, and how many were up to it.
    buckets: Vec<(f64, u64)>,
    /// Σ of slowdowns, and of how many requests.
    slowdowns: (f64, u64),
}

/// Every route of which something was counted.
pub(crate) type Reading = BTreeMap<String, Totals>;

/// Readings of the last minute, the oldest first.
#[derive(Debug)]
pub(crate) struct Traffic(Mutex<VecDeque<(Instant, Reading)>>);

/// How the requests of a route go.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Flow {
    /// Requests that have ended since the start.
    pub(crate) requests: u64,
    /// Those of them whose status was 500 or above.
    pub(crate) errors: u64,
    /// The length of the window that all below are about.
    pub(crate) window_seconds: f64,
    /// Requests that ended in a second.
    pub(crate) per_second: f64,
    /// The fraction of them whose status was 500 or above.
    pub(crate) error_ratio: f64,
    /// Half of them took no longer, from head to end of answer. `None` where there was none.
    pub(crate) p50_seconds: Option<f64>,
    /// 99 of 100 took no longer.
    pub(crate) p99_seconds: Option<f64>,
    /// Mean of response time over measured work.
    pub(crate) slowdown: Option<f64>,
}

// === impl Traffic ===

impl Traffic {
    /// Nothing has been counted.
    pub(crate) fn new() -> Traffic {
        Traffic(Mutex::new(VecDeque::from([(Instant::now(), Reading::new())])))
    }

    /// Keeps a reading.
    pub(crate) fn keep(&self, reading: Reading) {
        let mut kept = self.0.lock();
        if kept.len() == WINDOW_SAMPLES {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), reading));
    }

    /// How each route's requests went between the oldest reading and the one of `now`.
    pub(crate) fn flows(&self, now: &Reading) -> BTreeMap<String, Flow> {
        let kept = self.0.lock();
        let Some((at, before)) = kept.front() else { return BTreeMap::new() };
        let window = at.elapsed().as_secs_f64();
        let nothing = Totals::default();
        let flow = |(route, totals): (&String, &Totals)| {
            (route.clone(), totals.since(before.get(route).unwrap_or(&nothing), window))
        };
        now.iter().map(flow).collect()
    }
}

// === impl Totals ===

impl Totals {
    /// What was counted after `before`, which was so many seconds ago.
    fn since(&self, before: &Totals, window: f64) -> Flow {
        let requests = self.requests.saturating_sub(before.requests);
        let errors = self.errors.saturating_sub(before.errors);
        let buckets = self.buckets.iter().enumerate().map(|(nth, (bound, count))| {
            let before = before.buckets.get(nth).map_or(0, |(_, count)| *count);
            (*bound, count.saturating_sub(before))
        });
        let buckets: Vec<(f64, u64)> = buckets.collect();
        let (sum, n) = self.slowdowns;
        let n = n.saturating_sub(before.slowdowns.1);
        Flow {
            requests: self.requests,
            errors: self.errors,
            window_seconds: window,
            per_second: requests as f64 / window.max(f64::MIN_POSITIVE),
            error_ratio: errors as f64 / requests.max(1) as f64,
            p50_seconds: quantile(&buckets, 0.5),
            p99_seconds: quantile(&buckets, 0.99),
            slowdown: (0 < n).then(|| (sum - before.slowdowns.0) / n as f64),
        }
    }
}

/// What the metrics say now, of requests by route and status, response times and slowdowns.
pub(crate) fn read(
    requests: &impl Collector,
    response_seconds: &impl Collector,
    slowdowns: &impl Collector,
) -> Reading {
    let mut reading = Reading::new();
    each(requests, |route, metric| {
        let totals = reading.entry(route.to_owned()).or_default();
        let count = metric.get_counter().get_value() as u64;
        totals.requests += count;
        if label(metric, "code").starts_with('5') {
            totals.errors += count;
        }
    });
    each(response_seconds, |route, metric| {
        reading.entry(route.to_owned()).or_default().buckets = buckets(metric.get_histogram());
    });
    each(slowdowns, |route, metric| {
        let slowdowns = metric.get_histogram();
        let told = (slowdowns.get_sample_sum(), slowdowns.get_sample_count());
        reading.entry(route.to_owned()).or_default().slowdowns = told;
    });
    reading
}

fn each(collector: &impl Collector, mut read: impl FnMut(&str, &Metric)) {
    for family in collector.collect() {
        for metric in family.get_metric() {
            read(label(metric, "route"), metric);
        }
    }
}

fn label<'a>(metric: &'a Metric, name: &str) -> &'a str {
    let mut labels = metric.get_label().iter();
    labels.find(|label| label.name() == name).map_or("", |label| label.value())
}

/// The buckets, and one without an upper bound.
fn buckets(histogram: &Histogram) -> Vec<(f64, u64)> {
    let bounded = histogram.get_bucket().iter();
    let bounded = bounded.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    bounded.chain([(f64::INFINITY, histogram.get_sample_count())]).collect()
}

/// The value that the fraction `q` of what is in `buckets` (upper bound, count up to it) does not
/// exceed: linear within its bucket, as Prometheus's `histogram_quantile` has it. `None` where
/// nothing is in them.
fn quantile(buckets: &[(f64, u64)], q: f64) -> Option<f64> {
    let all = buckets.last().filter(|(_, all)| 0 < *all)?.1;
    let rank = q * all as f64;
    let nth = buckets.iter().position(|(_, count)| rank <= *count as f64)?;
    let (bound, count) = buckets[nth];
    let (lower, below) = nth.checked_sub(1).map_or((0.0, 0), |before| buckets[before]);
    if bound.is_infinite() {
        return Some(lower);
    }
    let within = (rank - below as f64) / (count - below).max(1) as f64;
    Some(lower + (bound - lower) * within)
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};

    use super::*;

    /// What is counted of requests: route, status, response time, slowdown.
    fn reading(requests: &[(&str, &str, f64, f64)]) -> Reading {
        let counter = IntCounterVec::new(Opts::new("r", "r"), &["route", "code"]).unwrap();
        let histogram = |name| {
            let opts = HistogramOpts::new(name, name).buckets(vec![1.0, 2.0, 4.0]);
            HistogramVec::new(opts, &["route"]).unwrap()
        };
        let (times, slowdowns) = (histogram("t"), histogram("s"));
        for (route, code, secs, slowdown) in requests {
            counter.with_label_values(&[route, code]).inc();
            times.with_label_values(&[route]).observe(*secs);
            slowdowns.with_label_values(&[route]).observe(*slowdown);
        }
        read(&counter, &times, &slowdowns)
    }

    #[test]
    fn a_flow_is_what_came_after_the_oldest_reading() {
        let (old, new) = (("a", "200", 0.5, 1.0), ("a", "200", 1.5, 3.0));
        let traffic = Traffic(Mutex::new(VecDeque::new()));
        traffic.keep(reading(&[old, old]));
        let now = reading(&[old, old, new, new, ("a", "503", 1.5, 3.0), ("b", "404", 9.0, 1.0)]);
        let flows = traffic.flows(&now);
        let a = &flows["a"];
        assert_eq!((a.requests, a.errors), (5, 1));
        assert!((a.error_ratio - 1.0 / 3.0).abs() < 1e-9, "{a:?}");
        assert!((a.p50_seconds.unwrap() - 1.5).abs() < 1e-9, "{a:?}");
        assert_eq!(a.slowdown, Some(3.0));
        assert!((a.per_second * a.window_seconds - 3.0).abs() < 1e-6, "{a:?}");
        let b = &flows["b"];
        assert_eq!((b.requests, b.errors), (1, 0));
        // Longer than any bucket: no shorter than the last bound.
        assert_eq!(b.p99_seconds, Some(4.0));
    }

    #[test]
    fn readings_of_a_minute_are_kept() {
        let traffic = Traffic::new();
        for n in 0..=WINDOW_SAMPLES {
            traffic.keep(reading(&vec![("a", "200", 0.5, 1.0); n]));
        }
        let flows = traffic.flows(&reading(&[("a", "200", 0.5, 1.0); WINDOW_SAMPLES]));
        let flow = &flows["a"];
        assert!((flow.per_second * flow.window_seconds - 29.0).abs() < 1e-6, "{flow:?}");
    }

    #[test]
    fn a_quantile_is_where_prometheus_has_it() {
        let buckets = [(1.0, 2), (2.0, 6), (f64::INFINITY, 6)];
        assert_eq!(quantile(&buckets, 0.5), Some(1.25));
        assert_eq!(quantile(&buckets, 1.0), Some(2.0));
        assert_eq!(quantile(&[(1.0, 0), (f64::INFINITY, 0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
