//! One operation: body, run queue, response with what it cost.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use weighbridge_instrument::RequestCost;

use crate::attempt::Attempt;
use crate::estimates::Estimate;
use crate::front::Front;
use crate::metrics::Metrics;
use crate::operations::{self, Kept, Limits, Operation, OperationError, OperationRequest, Reply};
use crate::queue::{Need, Panicked, QueueFull, Ran, RunQueue};
use crate::receive::{self, ReceiveError, Received};
use crate::respond::{self, Answer, LOAD_REPORT, Problem, SERVER_TIMING};

/// The operations that a worker serves.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) limits: Limits,
    pub(crate) kept: Kept,
    pub(crate) queue: RunQueue,
}

/// What ran, or why nothing did.
type Outcome = Result<Ran<Result<Reply, OperationError>>, Refusal>;

/// The part of a request that its thread works on. It holds nothing of the connection.
#[derive(Debug)]
struct Spec {
    operation: &'static dyn Operation,
    estimate: Estimate,
    attempt: Option<Attempt>,
    query: String,
    content_type: Option<String>,
    accept: Option<String>,
    body: Received,
}

/// Why an operation did not run.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("this worker drains: it takes no new work")]
    Draining,
    #[error(transparent)]
    Full(#[from] QueueFull),
    #[error(transparent)]
    NotReceived(#[from] ReceiveError),
    #[error("the run queue has ended")]
    Ended,
}

/// Counts a client that hangs up: the connection drops the future that would have answered it.
#[derive(Debug)]
struct HangUp<'a> {
    metrics: &'a Metrics,
    operation: &'static dyn Operation,
    is_answered: bool,
}

/// Answers a request for `operation`.
pub(crate) async fn operate(
    front: &Front,
    own: &Operations,
    operation: &'static dyn Operation,
    request: Request<Incoming>,
) -> Answer {
    let query = request.uri().query().unwrap_or_default().to_owned();
    operate_on(front, own, operation, request, query).await
}

/// The same, where the operation is told this query.
pub(crate) async fn operate_on(
    front: &Front,
    own: &Operations,
    operation: &'static dyn Operation,
    request: Request<Incoming>,
    query: String,
) -> Answer {
    let in_flight = front.drain.enter();
    let mut hang_up = HangUp { metrics: &front.metrics, operation, is_answered: false };
    let outcome = match receive_spec(front, own, operation, request, in_flight.is_some()).await {
        Ok(spec) => run(front, own, Spec { query, ..spec }).await,
        Err(refusal) => Err(refusal),
    };
    hang_up.is_answered = true;

    let (result, measured) = match outcome {
        Ok(ran) => {
            let timing = respond::server_timing(ran.times);
            (reply_of(front, operation, ran.result), Some((ran.cost, timing)))
        }
        Err(refusal) => (Err(refusal.to_problem()), None),
    };
    let mut answer = match result {
        Ok(reply) => respond::content(&reply.content_type, reply.body),
        Err(problem) => respond::problem(&problem),
    };
    front.metrics.answered(operation.name(), answer.status());
    front.load.answered(answer.status());
    attach(front, own, &mut answer, measured);
    answer
}

/// Attaches the load report, and the times of what ran.
fn attach(
    front: &Front,
    own: &Operations,
    answer: &mut Answer,
    measured: Option<(RequestCost, String)>,
) {
    let cost = measured.as_ref().map(|(cost, _)| cost);
    let report = front.load.report(own.queue.discipline(), own.queue.occupancy(), cost);
    let timing = measured.map(|(_, timing)| timing);
    let headers = [(LOAD_REPORT, Some(report.encode_json())), (SERVER_TIMING, timing)];
    for (name, value) in headers {
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            answer.headers_mut().insert(name, value);
        }
    }
}

/// Reads all that the operation needs, unless it is refused before.
async fn receive_spec(
    front: &Front,
    own: &Operations,
    operation: &'static dyn Operation,
    mut request: Request<Incoming>,
    takes_work: bool,
) -> Result<Spec, Refusal> {
    let received = if takes_work {
        receive_body(front, own, &mut request).await
    } else {
        Err(Refusal::Draining)
    };
    match received {
        Ok(body) => Ok(Spec {
            operation,
            estimate: front.estimates.of(operation.name(), request.headers()),
            attempt: Attempt::of(request.headers()),
            query: String::new(),
            content_type: text_of(&request, CONTENT_TYPE),
            accept: text_of(&request, ACCEPT),
            body,
        }),
        Err(refusal) => {
            receive::discard(request);
            Err(refusal)
        }
    }
}

/// A full queue refuses before the body is read.
async fn receive_body(
    front: &Front,
    own: &Operations,
    request: &mut Request<Incoming>,
) -> Result<Received, Refusal> {
    own.queue.check_room()?;
    let body = receive::receive(request, &front.bodies).await?;
    front.metrics.received(body.bytes.len());
    Ok(body)
}

fn text_of(request: &Request<Incoming>, name: HeaderName) -> Option<String> {
    Some(request.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Queues the operation and waits for it. Dropped meanwhile, it is abandoned.
async fn run(front: &Front, own: &Operations, spec: Spec) -> Outcome {
    let (limits, kept, metrics) = (own.limits, own.kept.clone(), front.metrics.clone());
    let (operation, estimate) = (spec.operation, spec.estimate);
    let estimates = Arc::clone(&front.estimates);
    let (answer, answered) = oneshot::channel();
    let (work_secs, bytes) = (estimate.work_secs, spec.bytes_held(&limits));
    let need = Need { work_secs, bytes, attempt: spec.attempt, owner: estimate.owner };
    let submission = own.queue.submit(
        need,
        move || spec.run(&limits, &kept),
        move |ran: Ran<Result<Reply, OperationError>>| {
            metrics.ran(operation.name(), &ran.cost, ran.times);
            // A request that fails or is given up ends early: it would teach too low a cost.
            if let (Ok(Ok(_)), Some(cpu_secs)) = (&ran.result, ran.cost.cpu_seconds) {
                estimates.ran(operation.name(), estimate, cpu_secs);
            }
            // This fails where the client has hung up.
            let _ = answer.send(ran);
        },
    )?;
    let ran = answered.await.map_err(|_| Refusal::Ended);
    drop(submission);
    ran
}

/// What the client gets of `result`. A panic is told to the log, not to the client.
fn reply_of(
    front: &Front,
    operation: &'static dyn Operation,
    result: Result<Result<Reply, OperationError>, Panicked>,
) -> Result<Reply, Problem> {
    match result {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(Problem::from(&error)),
        Err(panicked) => {
            front.metrics.panicked();
            tracing::error!(operation = operation.name(), %panicked, "answered 500");
            Err(Problem::panicked())
        }
    }
}

// === impl Spec ===

impl Spec {
    fn run(self, limits: &Limits, kept: &Kept) -> Result<Reply, OperationError> {
        operations::run_with(self.operation, &self.request(), limits, kept)
    }

    fn request(&self) -> OperationRequest<'_> {
        OperationRequest {
            query: &self.query,
            content_type: self.content_type.as_deref(),
            accept: self.accept.as_deref(),
            body: &self.body.bytes,
        }
    }

    /// Bytes of memory that it holds once it is started, beside its body.
    fn bytes_held(&self, limits: &Limits) -> u64 {
        operations::held::bytes(self.operation, &self.request(), limits)
    }
}

// === impl Refusal ===

impl Refusal {
    fn to_problem(&self) -> Problem {
        let (status, field) = match self {
            Refusal::Draining | Refusal::Full(_) | Refusal::Ended => {
                (StatusCode::SERVICE_UNAVAILABLE, None)
            }
            Refusal::NotReceived(error) => (error.status(), Some("body".to_owned())),
        };
        Problem { status, detail: self.to_string(), field }
    }
}

// === impl HangUp ===

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.metrics.abandoned(self.operation.name());
        }
    }
}
