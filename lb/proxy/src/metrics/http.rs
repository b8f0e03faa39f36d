//! What OpenTelemetry's semantic conventions call the metrics of HTTP, for boards that know those
//! names. Labels are of bounded sets: hosts, which come and go, are none.

use http::Method;
use prometheus::{HistogramOpts, HistogramVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::{RESPONSE_BUCKETS, code, failure_name, registered};
use crate::record::Record;

/// A request's duration, as it is called.
pub(super) const SERVER_DURATION: &str = "http_server_request_duration_seconds";

/// What methods are called that HTTP does not name.
pub(crate) const OTHER: &str = "_OTHER";

/// Methods that HTTP names (RFC 9110; RFC 5789), and what others are called.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", OTHER];

/// See the module.
pub(crate) struct HttpMetrics {
    server: HistogramVec,
    client: HistogramVec,
    /// By method and scheme.
    active: Vec<[IntGauge; 2]>,
}

/// A request that is here; dropping it says that it is no more.
pub(crate) struct Active(IntGauge);

/// What `method` is called where names are of a bounded set; `None` where it has no name of its
/// own, and is called [`OTHER`].
pub(crate) fn known(method: &Method) -> Option<&'static str> {
    Some(METHODS[nth(method)]).filter(|name| *name != OTHER)
}

/// What `method` is called in labels.
pub(crate) fn method(method: &Method) -> &'static str {
    METHODS[nth(method)]
}

fn nth(method: &Method) -> usize {
    let known = METHODS.iter().position(|name| method.as_str() == *name);
    known.unwrap_or(METHODS.len() - 1)
}

fn scheme(is_https: bool) -> &'static str {
    if is_https { "https" } else { "http" }
}

// === impl HttpMetrics ===

impl HttpMetrics {
    /// Registers them.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<HttpMetrics> {
        let durations = |name: &str, help: &str, labels: &[&str]| {
            let opts = HistogramOpts::new(name, help).buckets(RESPONSE_BUCKETS.to_vec());
            registered(registry, HistogramVec::new(opts, labels)?)
        };
        let active = Opts::new(
            "http_server_active_requests",
            "Requests that are here, by OpenTelemetry's conventions.",
        );
        let active = IntGaugeVec::new(active, &["http_request_method", "url_scheme"])?;
        let active = registered(registry, active)?;
        let gauge = |method, is_https| active.with_label_values(&[method, scheme(is_https)]);
        Ok(HttpMetrics {
            server: durations(
                SERVER_DURATION,
                "Duration of requests, by OpenTelemetry's conventions.",
                &["http_request_method", "http_response_status_code", "http_route", "url_scheme"],
            )?,
            client: durations(
                "http_client_request_duration_seconds",
                "Duration of tries at hosts, by OpenTelemetry's conventions.",
                &["error_type", "http_request_method", "http_response_status_code", "http_route"],
            )?,
            active: METHODS.iter().map(|name| [false, true].map(|one| gauge(name, one))).collect(),
        })
    }

    /// A request with `method` has come.
    pub(crate) fn begun(&self, method: &Method, is_https: bool) -> Active {
        let active = self.active[nth(method)][usize::from(is_https)].clone();
        active.inc();
        Active(active)
    }

    /// A request of the route at `path` ended with `status`, after so many seconds. The values of
    /// its labels, in the order of their names.
    pub(super) fn ended<'a>(
        &self,
        (method, path): (&'static str, &'a str),
        record: &Record,
        (status, secs): (&'a str, f64),
    ) -> [&'a str; 4] {
        let labels = [method, status, path, scheme(record.is_https)];
        // An attempt of a job is no request of a client.
        if !record.is_attempt {
            self.server.with_label_values(&labels).observe(secs);
        }
        if let (Some(span), Some(heard)) = (record.answering(), record.heard_status) {
            let status = code(heard);
            let error = if 400 <= heard { status.as_str() } else { "" };
            let labels = [error, method, status.as_str(), path];
            self.client.with_label_values(&labels).observe(span.as_secs_f64());
        }
        for (failure, span) in &record.failed_tries {
            let labels = [failure_name(*failure), method, "", path];
            self.client.with_label_values(&labels).observe(span.as_secs_f64());
        }
        labels
    }
}

// === impl Active ===

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_of_a_known_set() {
        assert_eq!(method(&Method::GET), "GET");
        assert_eq!(method(&Method::from_bytes(b"PURGE").unwrap()), "_OTHER");
        assert_eq!(method(&Method::from_bytes(b"get").unwrap()), "_OTHER");
    }

    #[test]
    fn what_is_here_is_counted_until_it_is_gone() {
        let registry = Registry::new();
        let metrics = HttpMetrics::new(&registry).unwrap();
        let one = metrics.begun(&Method::GET, true);
        let other = metrics.begun(&Method::GET, true);
        drop(one);
        let here = || metrics.active[0].each_ref().map(IntGauge::get);
        assert_eq!(here(), [0, 1]);
        drop(other);
        assert_eq!(here(), [0, 0]);
    }
}
