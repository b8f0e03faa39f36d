//! What is kept of requests: metrics, the access log, the rows in the store, the costs of repeats.

use std::net::IpAddr;
use std::sync::Arc;

use http::header;
use http::uri::PathAndQuery;
use pingora::http::{RequestHeader, ResponseHeader};

use weighbridge_core::observe::Observation;
use weighbridge_core::request::RouteId;
use weighbridge_core::units::Work;

use crate::access_log::{AccessRecord, AccessWriter};
use crate::config::Config;
use crate::fleet::AddressBook;
use crate::fleets::Fleets;
use crate::gauges::Gauges;
use crate::headers;
use crate::metrics::Metrics;
use crate::observe;
use crate::record::Record;
use crate::repeats::{Fingerprint, Repeats};
use crate::store::{Recorder, StoredObservation};
use crate::traces::{self, Traces};

/// See the module.
pub(crate) struct Ledger {
    pub(crate) config: Arc<Config>,
    pub(crate) hosts: Arc<AddressBook>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) access_log: Arc<AccessWriter>,
    pub(crate) traces: Traces,
    pub(crate) repeats: Arc<Repeats>,
    pub(crate) recorder: Option<Arc<Recorder>>,
    pub(crate) fleets: Arc<Fleets>,
    /// Names of the features, by route; of those that are found by themselves only the first.
    pub(crate) feature_names: Vec<Arc<[String]>>,
}

impl Ledger {
    /// Notes what the head of an answer says: its status and the load report.
    pub(crate) fn hear(&self, record: &mut Record, answered: &ResponseHeader) {
        record.status = answered.status.as_u16();
        record.heard_status = Some(record.status);
        if let Some(trace) = &mut record.trace {
            trace.heard(record.status);
        }
        record.heard = observe::report(&answered.headers).unwrap_or_else(|error| {
            self.metrics.report_rejected();
            if let Some(host) = record.host {
                self.hosts.report_rejected(host, &error);
            }
            None
        });
    }

    /// Keeps what the balancer has learned of a request that is answered.
    pub(crate) fn learned(
        &self,
        record: &mut Record,
        observation: Observation,
        fingerprint: Option<Fingerprint>,
    ) {
        record.work = Some(observation.work);
        if let Some(fingerprint) = fingerprint {
            self.repeats.remember(fingerprint, observation.work);
        }
        if let Some(recorder) = &self.recorder {
            recorder.record(self.stored(observation, record));
        }
    }

    /// Counts and logs a request that has ended: its head, the address of its client, how it went.
    pub(crate) fn log(&self, head: &RequestHeader, client: Option<IpAddr>, record: &Record) {
        let route = record.route.map(|route| self.config.route(route));
        let named = route.map(|route| (route.name.as_str(), route.path.as_str()));
        self.metrics.ended(named, &head.method, record);
        self.trace(head, (client, named), record);
        if !self.access_log.is_on() {
            return;
        }
        let estimate = record.estimate;
        let traced = record.trace.as_ref().map(|trace| trace.id());
        let agents = self.access_log.names_agents();
        let said = |name| head.headers.get(name).filter(|_| agents)?.to_str().ok();
        self.access_log.write(&AccessRecord {
            time: record.at,
            client,
            client_name: record.terms.client.as_deref(),
            method: head.method.as_str(),
            path: head.uri.path_and_query().map_or("", PathAndQuery::as_str),
            route: named.map(|(route, _)| route),
            status: (record.status != 0).then_some(record.status),
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            host: self.host_name(record).as_deref(),
            tries: record.tries,
            waiting_seconds: record.waiting().as_secs_f64(),
            response_seconds: record.response().as_secs_f64(),
            estimate_mean: estimate.map(|estimate| estimate.mean.as_cpu_secs()),
            estimate_p90: estimate.map(|estimate| estimate.p90.as_cpu_secs()),
            estimate_source: estimate.map(|estimate| estimate.source),
            work: record.work.map(Work::as_cpu_secs),
            cpu_seconds: record.heard.and_then(|heard| heard.cost.cpu_seconds),
            trace_id: traced.as_deref().or_else(|| headers::trace_id(&head.headers)),
            protocol: headers::protocol(head.version),
            referer: said(header::REFERER),
            user_agent: said(header::USER_AGENT),
        });
    }

    /// Tells whoever collects traces of a request that has ended, where it has one.
    fn trace(
        &self,
        head: &RequestHeader,
        (client, route): (Option<IpAddr>, Option<(&str, &str)>),
        record: &Record,
    ) {
        let Some(trace) = record.trace.as_ref().filter(|trace| trace.is_sampled()) else { return };
        self.traces.ended(
            trace,
            &traces::Ended { head, client, record, route, host: self.host_name(record).as_deref() },
        );
    }

    /// An observation as it is kept.
    fn stored(&self, observation: Observation, record: &Record) -> StoredObservation {
        StoredObservation {
            id: fastrand::u64(..),
            route: self.config.route(observation.route).name.clone(),
            at: record.at,
            host: self.host_name(record).unwrap_or_default(),
            status: record.status,
            waiting: record.waiting(),
            response: record.response(),
            feature_names: self.names(observation.route, observation.features.0.len()),
            features: observation.features,
            estimated: observation.estimated,
            cost: observation.cost,
            work: observation.work,
            speed: observation.speed,
            build: observation.build,
        }
    }

    /// Names of `n` features.
    fn names(&self, route: RouteId, n: usize) -> Arc<[String]> {
        if !self.config.policy_of(route).features.is_auto() {
            return Arc::clone(&self.feature_names[usize::from(route.0)]);
        }
        let schema = self.fleets.of(route).schema(route);
        let names = schema.names();
        // Some may have been found since.
        if names.len() == n { Arc::clone(names) } else { names[..n.min(names.len())].into() }
    }

    fn host_name(&self, record: &Record) -> Option<String> {
        let host = record.host.and_then(|host| self.hosts.place(host)).map(|place| place.name);
        let function = record.function.map(|function| self.config.function_name(function));
        host.or_else(|| function.map(|name| format!("lambda:{name}")))
    }
}
