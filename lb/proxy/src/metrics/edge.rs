//! What Prometheus is told of the edge: TLS, certificates, and connections that are not taken.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::registered;

/// See the module. A clone counts for the same.
#[derive(Debug, Clone)]
pub(crate) struct EdgeMetrics {
    handshakes: IntCounterVec,
    handshakes_failed: IntCounterVec,
    expiry: IntGaugeVec,
    read: IntCounterVec,
    stale: IntGaugeVec,
    refused: IntCounterVec,
    limited: IntCounterVec,
    ordered: IntCounterVec,
}

/// Why a connection was closed before anything was asked on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwelcome {
    /// It did not begin with a header of the PROXY protocol, and should have.
    ProxyHeader,
    /// Its address may not connect.
    NotAllowed,
    /// Its client has as many as it may.
    ClientLimit,
}

impl Unwelcome {
    const ALL: [Unwelcome; 3] =
        [Unwelcome::ProxyHeader, Unwelcome::NotAllowed, Unwelcome::ClientLimit];

    /// As metrics and the log have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unwelcome::ProxyHeader => "proxy_header",
            Unwelcome::NotAllowed => "not_allowed",
            Unwelcome::ClientLimit => "client_limit",
        }
    }
}

/// Why a handshake brought no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandshakeFault {
    /// It did not end in time.
    Timeout,
    /// The client left.
    Closed,
    /// It spoke HTTP without TLS.
    PlainHttp,
    /// It spoke something else.
    NotTls,
    /// No version, cipher or protocol is common.
    Incompatible,
    /// It asked for a name that no certificate has.
    Name,
    /// Its certificate is missing, or not good.
    ClientCertificate,
    /// It refused, with an alert: it does not believe the certificate, say.
    Refused,
    /// Anything else.
    Other,
}

impl HandshakeFault {
    const ALL: [HandshakeFault; 9] = [
        HandshakeFault::Timeout,
        HandshakeFault::Closed,
        HandshakeFault::PlainHttp,
        HandshakeFault::NotTls,
        HandshakeFault::Incompatible,
        HandshakeFault::Name,
        HandshakeFault::ClientCertificate,
        HandshakeFault::Refused,
        HandshakeFault::Other,
    ];

    /// As metrics and the log have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            HandshakeFault::Timeout => "timeout",
            HandshakeFault::Closed => "closed",
            HandshakeFault::PlainHttp => "plain_http",
            HandshakeFault::NotTls => "not_tls",
            HandshakeFault::Incompatible => "incompatible",
            HandshakeFault::Name => "name",
            HandshakeFault::ClientCertificate => "client_certificate",
            HandshakeFault::Refused => "refused",
            HandshakeFault::Other => "other",
        }
    }
}

impl EdgeMetrics {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<EdgeMetrics> {
        let counters = |name, help, label| {
            registered(registry, IntCounterVec::new(Opts::new(name, help), &[label])?)
        };
        let gauges = |name, help, labels: &[&str]| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let metrics = EdgeMetrics {
            handshakes: counters(
                "weighbridge_tls_handshakes_total",
                "Handshakes of clients that brought a connection, by version of TLS.",
                "version",
            )?,
            handshakes_failed: counters(
                "weighbridge_tls_handshakes_failed_total",
                "Handshakes of clients that brought none, by reason.",
                "reason",
            )?,
            expiry: gauges(
                "weighbridge_certificate_expiry_timestamp_seconds",
                "When a certificate in use expires, in seconds since 1970.",
                &["listener", "name"],
            )?,
            read: counters(
                "weighbridge_certificates_read_total",
                "Changed files of certificates that were read, by whether they can be used.",
                "outcome",
            )?,
            stale: gauges(
                "weighbridge_certificates_stale",
                "1 while the files of a listener's certificates cannot be used, and old ones are.",
                &["listener"],
            )?,
            refused: counters(
                "weighbridge_connections_refused_total",
                "Connections that were closed before anything was asked on them, by reason.",
                "reason",
            )?,
            limited: counters(
                "weighbridge_client_limited_total",
                "Requests that were refused because their client has too many, by reason.",
                "reason",
            )?,
            ordered: counters(
                "weighbridge_acme_orders_total",
                "Certificates that were asked for by ACME, by what came of it.",
                "outcome",
            )?,
        };
        metrics.begin();
        Ok(metrics)
    }

    /// Series whose labels are known begin at 0, so that their first event is a change.
    fn begin(&self) {
        for version in ["1.2", "1.3"] {
            self.handshakes.with_label_values(&[version]);
        }
        for fault in HandshakeFault::ALL {
            self.handshakes_failed.with_label_values(&[fault.name()]);
        }
        for why in Unwelcome::ALL {
            self.refused.with_label_values(&[why.name()]);
        }
        for reason in ["at_once", "rate"] {
            self.limited.with_label_values(&[reason]);
        }
        for outcome in ["issued", "failed"] {
            self.ordered.with_label_values(&[outcome]);
        }
        for outcome in ["used", "refused"] {
            self.read.with_label_values(&[outcome]);
        }
    }

    /// A handshake brought a connection by `version` of TLS.
    pub(crate) fn shaken(&self, version: &str) {
        self.handshakes.with_label_values(&[version]).inc();
    }

    /// A handshake brought no connection.
    pub(crate) fn not_shaken(&self, fault: HandshakeFault) {
        self.handshakes_failed.with_label_values(&[fault.name()]).inc();
    }

    /// A connection was closed before anything was asked on it.
    pub(crate) fn unwelcome(&self, why: Unwelcome) {
        self.refused.with_label_values(&[why.name()]).inc();
    }

    /// A request was refused because its client has too many.
    pub(crate) fn limited(&self, reason: &str) {
        self.limited.with_label_values(&[reason]).inc();
    }

    /// A certificate was asked for by ACME; whether it was got.
    pub(crate) fn ordered(&self, is_issued: bool) {
        self.ordered.with_label_values(&[if is_issued { "issued" } else { "failed" }]).inc();
    }

    /// The certificate `name` of `listener` is good until `not_after`, in seconds since 1970.
    pub(crate) fn certificate(&self, listener: &str, name: &str, not_after: i64) {
        self.expiry.with_label_values(&[listener, name]).set(not_after);
    }

    /// The certificate `name` of `listener` is in use no more.
    pub(crate) fn certificate_gone(&self, listener: &str, name: &str) {
        // Fails where nothing was said of it.
        let _ = self.expiry.remove_label_values(&[listener, name]);
    }

    /// Files that had changed were read; whether they can be used.
    pub(crate) fn certificates_read(&self, is_good: bool) {
        self.read.with_label_values(&[if is_good { "used" } else { "refused" }]).inc();
    }

    /// Whether `listener` shows old certificates, because the new ones cannot be used.
    pub(crate) fn certificates_stale(&self, listener: &str, is_stale: bool) {
        self.stale.with_label_values(&[listener]).set(i64::from(is_stale));
    }
}
