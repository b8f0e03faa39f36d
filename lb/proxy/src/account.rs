//! What is kept of a request that has been answered: what the balancer learns of it, the row in the
//! store, the line in the access log.

use std::net::SocketAddr;

use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use weighbridge_core::observe::{HostReport, Observation, Outcome};
use weighbridge_core::units::{Speed, Work};

use crate::access_log::AccessRecord;
use crate::decide::Ticket;
use crate::gateway::Gateway;
use crate::observe;
use crate::record::Record;
use crate::repeats::Fingerprint;
use crate::store::StoredObservation;

impl Gateway {
    /// Notes what the head of an answer says: its status and the load report.
    pub(crate) fn hear(&self, record: &mut Record, answered: &ResponseHeader) {
        record.status = answered.status.as_u16();
        record.heard = observe::report(&answered.headers).unwrap_or_else(|error| {
            self.metrics.report_rejected();
            tracing::debug!(%error, "a load report was rejected");
            None
        });
        record.cost = record.heard.map(|heard| heard.cost);
    }

    /// Believes the load report of an answer that is still to end; prices its counts.
    pub(crate) fn believe(&self, record: &mut Record) {
        let (Some(host), Some(route), Some(heard)) = (record.host, record.route, record.heard)
        else {
            return;
        };
        record.work = self.decide.with(|balancer, now| {
            balancer.report(now, host, &heard.host);
            balancer.predictor(route).price(&heard.cost, Speed::ONE)
        });
    }

    /// Counts an answer that has ended towards what is learned, and believes `report`.
    pub(crate) fn learn(
        &self,
        ticket: Ticket,
        record: &mut Record,
        report: Option<HostReport>,
        fingerprint: Option<Fingerprint>,
    ) {
        let outcome = Outcome {
            success: record.status < 400,
            cost: record.cost,
            elapsed: record.service(),
            build: record.heard.map_or(0, |heard| heard.build),
            cold_start: record.heard.and_then(|heard| heard.cold_start),
        };
        let report = record.host.zip(report);
        let Some(observation) = ticket.complete(&outcome, report) else { return };
        record.work = Some(observation.work);
        if let Some(fingerprint) = fingerprint {
            self.repeats.remember(fingerprint, observation.work);
        }
        if let Some(recorder) = &self.recorder {
            recorder.record(self.stored(observation, record));
        }
    }

    /// An observation as it is kept.
    fn stored(&self, observation: Observation, record: &Record) -> StoredObservation {
        StoredObservation {
            id: fastrand::u64(..),
            route: self.route(observation.route).name.clone(),
            at: record.at,
            host: self.host_name(record).unwrap_or_default(),
            status: record.status,
            waiting: record.waiting(),
            response: record.response(),
            feature_names: self.feature_names[usize::from(observation.route.0)].clone(),
            features: observation.features,
            estimated: observation.estimated,
            cost: observation.cost,
            work: observation.work,
            speed: observation.speed,
            build: observation.build,
        }
    }

    /// Counts and logs a request that has ended.
    pub(crate) fn log(&self, session: &Session, record: &Record) {
        let route = record.route.map(|route| self.route(route).name.as_str());
        self.metrics.ended(route.unwrap_or("none"), record);
        if !self.access_log.is_on() {
            return;
        }
        let request = session.req_header();
        let path = request.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        let estimate = record.estimate;
        self.access_log.write(&AccessRecord {
            time: record.at,
            client: session.client_addr().and_then(|a| a.as_inet()).map(SocketAddr::ip),
            method: request.method.as_str(),
            path,
            route,
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
            cpu_seconds: record.cost.and_then(|cost| cost.cpu_seconds),
            trace_id: trace_id(request),
        });
    }

    fn host_name(&self, record: &Record) -> Option<String> {
        let host = record.host.and_then(|host| self.hosts.place(host)).map(|place| place.name);
        let function = record.function.map(|function| self.function_name(function));
        host.or_else(|| function.map(|name| format!("lambda:{name}")))
    }
}

/// The trace id of `traceparent`: `00-TRACE-PARENT-FLAGS` (W3C Trace Context).
fn trace_id(request: &RequestHeader) -> Option<&str> {
    request.headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)
}
