//! From a request's head to the one that answers it.

use std::sync::Arc;

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION};
use http::{HeaderValue, Method, Request, StatusCode, Version};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::attempt::Spent;
use crate::estimates::Estimates;
use crate::load::Load;
use crate::metrics::Metrics;
use crate::operate::{self, Operations};
use crate::operations;
#[cfg(feature = "models")]
use crate::people;
use crate::processes::{self, Processes};
use crate::queue::Occupancy;
use crate::receive::{self, BodyBounds};
use crate::respond::{self, Answer, Problem};

/// The header of a load report that says that no new work is taken.
const DRAINING: &str = "weighbridge-draining";

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Front {
    /// The most bytes of a request's head.
    pub(crate) header_bytes: usize,
    pub(crate) bodies: BodyBounds,
    pub(crate) service: Service,
    pub(crate) estimates: Arc<Estimates>,
    pub(crate) load: Load,
    pub(crate) metrics: Metrics,
    pub(crate) drain: Drain,
}

/// What a worker serves beside its own addresses.
#[derive(Debug)]
pub(crate) enum Service {
    Operations(Operations),
    /// Somebody's own server, at every other path.
    Processes(Processes),
}

/// Whether new work is taken, and how many operations are not answered yet.
#[derive(Debug)]
pub(crate) struct Drain {
    state: Arc<watch::Sender<DrainState>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct DrainState {
    draining: bool,
    in_flight: usize,
}

/// An operation that is not answered yet.
#[derive(Debug)]
pub(crate) struct InFlight {
    state: Arc<watch::Sender<DrainState>>,
}

impl Front {
    /// Answers any request.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let version = request.version();
        let mut answer = self.route(request).await;
        let headers = answer.headers_mut();
        if let Service::Operations(_) = self.service {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        if self.drain.is_draining() && version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// The method does not matter, but for `OPTIONS`.
    async fn route(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        if self.header_bytes < head_bytes(&request) {
            receive::discard(request);
            let detail = format!("the head has more than `{}` bytes", self.header_bytes);
            return problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail);
        }
        match &self.service {
            Service::Operations(own) => {
                #[cfg(feature = "models")]
                if let Some(asked) = people::Asked::of(&request) {
                    return people::answer(self, own, asked, request).await;
                }
                if request.method() != Method::OPTIONS
                    && let Some(operation) = operations::by_path(request.uri().path())
                {
                    return operate::operate(self, own, operation, request).await;
                }
            }
            Service::Processes(processes) => {
                if !is_own(request.uri().path()) {
                    return processes::forward(self, processes, request).await;
                }
            }
        }
        let answer = self.answer_at_once(request.method(), request.uri().path());
        receive::discard(request);
        answer
    }

    fn answer_at_once(&self, method: &Method, path: &str) -> Answer {
        if method == Method::OPTIONS {
            return respond::preflight();
        }
        match path {
            "/readyz" if self.drain.is_draining() => {
                problem(StatusCode::SERVICE_UNAVAILABLE, "this worker drains")
            }
            "/readyz" => match self.service.check_ready() {
                Ok(()) => respond::empty(StatusCode::OK),
                Err(why) => {
                    problem(StatusCode::SERVICE_UNAVAILABLE, format!("no process is ready: {why}"))
                }
            },
            "/" | "/test" | "/healthz" => respond::empty(StatusCode::OK),
            "/load" => self.answer_load(),
            "/metrics" => self.answer_metrics(),
            unknown => {
                problem(StatusCode::NOT_FOUND, format!("no operation is served at `{unknown}`"))
            }
        }
    }

    fn answer_load(&self) -> Answer {
        let (discipline, occupancy) = (self.service.discipline(), self.service.occupancy());
        let mut report = self.load.report(discipline, occupancy, None);
        let spent = self.service.spent().into_iter();
        report.named_metrics.extend(spent.map(|(one, cpu)| (one.metric(), cpu.as_secs_f64())));
        let mut answer = respond::content("application/json", report.to_json());
        if self.drain.is_draining() {
            // For balancers, which then need not find out by being refused.
            answer.headers_mut().insert(DRAINING, HeaderValue::from_static("1"));
        }
        answer
    }

    fn answer_metrics(&self) -> Answer {
        let occupancy = self.service.occupancy();
        let report = self.load.report(self.service.discipline(), occupancy, None);
        if let Service::Processes(processes) = &self.service {
            self.metrics.set_processes(processes.n_ready());
        }
        let utilization = (report.cpu_utilization, report.mem_utilization);
        match self.metrics.render(occupancy, utilization, self.drain.is_draining()) {
            Ok(text) => respond::content("text/plain; version=0.0.4; charset=utf-8", text),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

/// Whether the worker itself answers `path` where it runs somebody's server: what balancers and
/// Prometheus ask for.
fn is_own(path: &str) -> bool {
    ["/healthz", "/readyz", "/load", "/metrics"].contains(&path)
}

/// Bytes of target and headers, about as they came.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter();
    headers.fold(target, |bytes, (name, value)| bytes + name.as_str().len() + value.len())
}

fn problem(status: StatusCode, detail: impl Into<String>) -> Answer {
    respond::problem(&Problem { status, detail: detail.into(), field: None })
}

// === impl Service ===

impl Service {
    /// Why it takes no requests, where it does not.
    fn check_ready(&self) -> Result<(), String> {
        match self {
            Service::Operations(_) => Ok(()),
            Service::Processes(processes) => processes.check_ready(),
        }
    }

    fn occupancy(&self) -> Occupancy {
        match self {
            Service::Operations(own) => own.queue.occupancy(),
            Service::Processes(processes) => processes.occupancy(),
        }
    }

    /// What the attempts of jobs that run here have used.
    fn spent(&self) -> Vec<Spent> {
        match self {
            Service::Operations(own) => own.queue.spent(),
            Service::Processes(processes) => processes.spent(),
        }
    }

    fn discipline(&self) -> &'static str {
        match self {
            Service::Operations(own) => own.queue.discipline(),
            Service::Processes(processes) => processes.discipline(),
        }
    }
}

// === impl Drain ===

impl Drain {
    /// Takes work.
    pub(crate) fn new() -> Drain {
        Drain { state: Arc::new(watch::Sender::new(DrainState::default())) }
    }

    /// Takes no new work from here on.
    pub(crate) fn begin(&self) {
        self.state.send_modify(|state| state.draining = true);
    }

    /// Whether [`Drain::begin`] was called.
    pub(crate) fn is_draining(&self) -> bool {
        self.state.borrow().draining
    }

    /// Counts an operation as in flight; `None` where no new work is taken.
    pub(crate) fn enter(&self) -> Option<InFlight> {
        let entered = self.state.send_if_modified(|state| {
            state.in_flight += usize::from(!state.draining);
            !state.draining
        });
        entered.then(|| InFlight { state: Arc::clone(&self.state) })
    }

    /// Waits until no operation is in flight.
    pub(crate) async fn drained(&self) {
        // Fails only without a sender, and `self` is one.
        let _ = self.state.subscribe().wait_for(|state| state.in_flight == 0).await;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.state.send_modify(|state| state.in_flight -= 1);
    }
}
