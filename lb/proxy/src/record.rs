//! What is noted of one request while it passes, for the log, the metrics and the client.

use std::time::{Duration, Instant, SystemTime};

use http::HeaderValue;
use pingora::http::ResponseHeader;
use pingora::{ErrorType, OrErr};

use weighbridge_core::admit::{Invocation, Placement};
use weighbridge_core::estimate::{Estimate, Source};
use weighbridge_core::host::HostId;
use weighbridge_core::observe::{Failure, Outcome};
use weighbridge_core::policy::FunctionId;
use weighbridge_core::request::RouteId;
use weighbridge_core::share::{HostOrder, Terms};
use weighbridge_core::units::Work;

use crate::headers::SERVER_TIMING;
use crate::marks::Marks;
use crate::metrics::failure_name;
use crate::observe::Reported;
use crate::text::{push_millis, push_number, span};
use crate::traces::Trace;

/// Bytes that `Server-Timing` rarely exceeds.
const TIMING_BYTES: usize = 192;

/// One request, as it went.
#[derive(Debug)]
pub(crate) struct Record {
    /// When its head had been read.
    pub(crate) at: SystemTime,
    started: Instant,
    placed_at: Option<Instant>,
    answered_at: Option<Instant>,
    /// Its route; `None` where no route serves it.
    pub(crate) route: Option<RouteId>,
    /// What its answer says, whoever gives it.
    pub(crate) marks: Marks,
    /// Whose it is, and until when it is of use, counted from its arrival.
    pub(crate) terms: Terms,
    /// Where it stands on its host, where there are several clients.
    pub(crate) order: Option<HostOrder>,
    /// The host that it was sent to last, unless that was a function.
    pub(crate) host: Option<HostId>,
    /// The function that it was sent to last, unless that was a host.
    pub(crate) function: Option<FunctionId>,
    /// How the last host or function failed it, if one did.
    pub(crate) failure: Option<Failure>,
    /// How many hosts and functions it was sent to.
    pub(crate) tries: u32,
    /// The estimate that it was placed by.
    pub(crate) estimate: Option<Estimate>,
    /// What the host said on its answer.
    pub(crate) heard: Option<Reported>,
    /// The cost that it reported, as work.
    pub(crate) work: Option<Work>,
    /// The status that the client saw; 499 where it left first.
    pub(crate) status: u16,
    /// Bytes of the request's body.
    pub(crate) bytes_in: u64,
    /// Bytes of the response's body.
    pub(crate) bytes_out: u64,
    /// Its trace, where one is taken.
    pub(crate) trace: Option<Box<Trace>>,
    /// Whether its client asked by HTTPS.
    pub(crate) is_https: bool,
    /// Whether it is an attempt of a job, and has no client.
    pub(crate) is_attempt: bool,
    /// Whether the last host or function that it was sent to has not failed it.
    is_tried: bool,
    /// The status of that one's answer.
    pub(crate) heard_status: Option<u16>,
    /// How, and after which time, those before it failed.
    pub(crate) failed_tries: Vec<(Failure, Duration)>,
}

impl Record {
    /// A request that has just arrived.
    pub(crate) fn new() -> Record {
        Record {
            at: SystemTime::now(),
            started: Instant::now(),
            placed_at: None,
            answered_at: None,
            route: None,
            marks: Marks::default(),
            terms: Terms::default(),
            order: None,
            host: None,
            function: None,
            failure: None,
            tries: 0,
            estimate: None,
            heard: None,
            work: None,
            status: 0,
            bytes_in: 0,
            bytes_out: 0,
            trace: None,
            is_https: false,
            is_attempt: false,
            is_tried: false,
            heard_status: None,
            failed_tries: Vec::new(),
        }
    }

    /// It is sent to a host now.
    pub(crate) fn placed(&mut self, placement: &Placement) {
        self.placed_at = Some(Instant::now());
        self.host = Some(placement.host);
        self.function = None;
        self.estimate = Some(placement.estimate);
        self.order = placement.order;
        self.is_tried = true;
        self.tries += 1;
    }

    /// It is sent to Lambda now.
    pub(crate) fn invoked(&mut self, invocation: &Invocation) {
        self.placed_at = Some(Instant::now());
        self.host = None;
        self.function = Some(invocation.function);
        self.estimate = Some(invocation.estimate);
        self.is_tried = true;
        self.tries += 1;
    }

    /// The last host or function has failed it.
    pub(crate) fn failed(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.is_tried = false;
        self.failed_tries.push((failure, self.service()));
        if let Some(trace) = &mut self.trace {
            trace.end_try(Some(failure_name(failure)));
        }
    }

    /// The wall clock's time of `at`, by the steady clock from its arrival on.
    pub(crate) fn moment(&self, at: Instant) -> SystemTime {
        self.at + at.saturating_duration_since(self.started)
    }

    /// Whose it is, and how long it is of use from now on.
    pub(crate) fn terms_now(&self) -> Terms {
        let time_left = self.terms.time_left.map(|left| left.saturating_sub(self.response()));
        Terms { time_left, ..self.terms.clone() }
    }

    /// What the host is told of its size; `None` where the estimate says nothing of it.
    pub(crate) fn told(&self) -> Option<Work> {
        self.estimate.and_then(|estimate| estimate.trusted_mean())
    }

    /// The host's answer is complete.
    pub(crate) fn answered(&mut self) {
        self.answered_at = Some(Instant::now());
        if let Some(trace) = &mut self.trace {
            trace.end_try(None);
        }
    }

    /// From its arrival until it was sent to the host that answered; so far, where it still waits.
    pub(crate) fn waiting(&self) -> Duration {
        self.placed_at.map_or_else(|| self.started.elapsed(), |placed| placed - self.started)
    }

    /// From being sent to the host until its answer was complete.
    pub(crate) fn service(&self) -> Duration {
        match (self.placed_at, self.answered_at) {
            (Some(placed), Some(answered)) => answered - placed,
            (Some(placed), None) => placed.elapsed(),
            (None, _) => Duration::ZERO,
        }
    }

    /// How long the host or function took that answered it, where one has.
    pub(crate) fn answering(&self) -> Option<Duration> {
        self.is_tried.then(|| self.service())
    }

    /// How it ended at the host that answered it.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome {
            success: self.status < 500,
            cost: self.heard.map(|heard| heard.cost),
            elapsed: self.service(),
            build: self.heard.map_or(0, |heard| heard.build),
            cold_start: self.heard.and_then(|heard| heard.cold_start),
        }
    }

    /// From its arrival until now.
    pub(crate) fn response(&self) -> Duration {
        self.started.elapsed()
    }

    /// Adds what the balancer knows to `Server-Timing` (durations in milliseconds).
    pub(crate) fn add_timing(&self, header: &mut ResponseHeader) -> pingora::Result<()> {
        let mut timing = Vec::with_capacity(TIMING_BYTES);
        timing.extend_from_slice(b"wait;dur=");
        push_millis(&mut timing, self.waiting());
        if let Some(estimate) = self.estimate {
            timing.extend_from_slice(b", estimate;dur=");
            push_millis(&mut timing, span(estimate.mean));
            timing.extend_from_slice(b";desc=\"");
            timing.extend_from_slice(source_name(estimate.source).as_bytes());
            timing.extend_from_slice(b"\", estimate-p90;dur=");
            push_millis(&mut timing, span(estimate.p90));
        }
        if let Some(work) = self.work {
            timing.extend_from_slice(b", work;dur=");
            push_millis(&mut timing, span(work));
        }
        if let Some(host) = self.host {
            timing.extend_from_slice(b", host;desc=\"");
            push_number(&mut timing, u64::from(host.0));
            timing.push(b'"');
        }
        if self.function.is_some() {
            timing.extend_from_slice(b", host;desc=\"lambda\"");
        }
        let timing = HeaderValue::from_bytes(&timing);
        let timing = timing.or_err(ErrorType::InvalidHTTPHeader, "server-timing")?;
        header.append_header(SERVER_TIMING, timing).map(|_| ())
    }
}

/// How a source of estimates is called in logs, metrics and headers.
pub(crate) fn source_name(source: Source) -> &'static str {
    match source {
        Source::Prior => "prior",
        Source::Declared => "declared",
        Source::RunningMean => "running_mean",
        Source::Model => "model",
        Source::Repeat => "repeat",
    }
}
