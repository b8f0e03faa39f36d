//! What operators and Prometheus ask: `/healthz`, `/readyz`, `/metrics`, `/fleet`, `/models` and
//! `/explain`.
//!
//! `POST /explain/raytracer?wcols=400&…` with the request's own body says what would happen to that
//! request, and why; nothing is sent anywhere. `Accept: application/json` gives it as a value.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use weighbridge_core::host::{HostState, Phase};
use weighbridge_core::request::RouteId;
use weighbridge_core::units::Time;

use crate::answer::Problem;
use crate::ask;
use crate::front::Front;

/// Connections that the admin API carries at once.
const CONNECTIONS_MAX: usize = 64;

type Answer = Response<Full<Bytes>>;

/// Serves the admin API until it is dropped.
pub(crate) async fn serve(listener: TcpListener, front: Arc<Front>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                front.ledger.metrics.loop_failed("admin_accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let front = front.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let front = front.clone();
                async move { Ok::<_, Infallible>(answer(&front, request).await) }
            });
            let carried = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service)
                .await;
            if let Err(error) = carried {
                tracing::debug!(error, "an admin connection broke");
            }
        });
    }
}

async fn answer(front: &Front, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    if path == "/explain" || path.starts_with("/explain/") {
        return explain(front, request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "expected GET");
        let mut answer = refuse(&problem);
        answer.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match path.as_str() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(front),
        "/metrics" => metrics(front),
        "/fleet" => json_answer(&fleet(front)),
        "/models" => json_answer(&models(front)),
        "/" => text(StatusCode::OK, "/healthz /readyz /metrics /fleet /models /explain/PATH\n"),
        _ => refuse(&Problem::new(StatusCode::NOT_FOUND, format!("nothing is at `{path}`"))),
    }
}

/// Ready: not draining, and at least one host takes requests and answers.
fn readiness(front: &Front) -> Answer {
    if front.is_draining() {
        return refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining"));
    }
    let is_active = |host: &HostState| match host.phase {
        Phase::Active => !host.is_down(),
        Phase::Starting | Phase::Draining | Phase::Gone => false,
    };
    if front.dispatch.decide.look(|balancer, _| balancer.hosts().any(is_active)) {
        return text(StatusCode::OK, "ready\n");
    }
    refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no host takes requests"))
}

fn metrics(front: &Front) -> Answer {
    front.dispatch.decide.look(|balancer, now| {
        front.ledger.gauges.read(&front.config, balancer, now);
        if let Some(lambda) = balancer.lambda() {
            front.ledger.metrics.lambda.read(lambda, now);
        }
    });
    front.ledger.gauges.buffered(front.budget.held_bytes());
    match front.ledger.metrics.text() {
        Ok(body) => with_type(StatusCode::OK, prometheus::TEXT_FORMAT, body),
        Err(error) => refuse(&Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn fleet(front: &Front) -> Value {
    let hosts = front.dispatch.decide.look(|balancer, now| {
        balancer.hosts().map(|host| describe(front, host, now)).collect::<Vec<_>>()
    });
    let waiting = front.dispatch.decide.look(|balancer, _| balancer.waiting());
    json!({
        "hosts": hosts,
        "waiting": {
            "requests": waiting.requests,
            "bytes": waiting.bytes,
            "work_seconds": waiting.work.as_cpu_secs(),
        },
    })
}

fn describe(front: &Front, host: &HostState, now: Time) -> Value {
    let place = front.dispatch.hosts.place(host.id);
    json!({
        "id": host.id.0,
        "name": host.spec.name,
        "address": place.as_ref().map(|place| place.address.to_string()),
        "pid": place.and_then(|place| place.pid),
        "phase": host.phase,
        "phase_seconds": now.since(host.since).as_secs_f64(),
        "discipline": host.discipline,
        "cores": host.cores,
        "in_flight": host.n_requests(),
        "work_left_seconds": host.work_left.as_cpu_secs(),
        "speed": host.speed.as_reference_cores(),
        "utilization": host.utilization(),
        "ejected": host.is_ejected(now),
        "failures_in_row": host.failures_in_row,
    })
}

fn models(front: &Front) -> Value {
    let quality = |route: RouteId| {
        front.dispatch.decide.look(|balancer, _| {
            let predictor = balancer.predictor(route);
            let mut quality = json!(predictor.quality());
            quality["model"] = json!(predictor.model());
            quality["training"] = json!(predictor.training_due());
            quality["training"]["is_going_on"] = json!(balancer.is_training(route));
            quality["features"] = json!(front.config.policy_of(route).features.names());
            quality
        })
    };
    let routes = front.config.route_ids();
    let routes = routes.map(|route| (front.config.route(route).name.clone(), quality(route)));
    json!({ "routes": routes.collect::<serde_json::Map<_, _>>() })
}

/// What would happen to the request after `/explain`.
async fn explain(front: &Front, request: Request<Incoming>) -> Answer {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path().trim_start_matches("/explain").to_owned();
    let Some(route) = front.config.route_of(&path) else {
        let detail = format!("no route serves `{path}`, expected `/explain/PATH`");
        return refuse(&Problem::new(StatusCode::NOT_FOUND, detail).at("path"));
    };
    let bytes_max = usize::try_from(front.config.limits.body_bytes).unwrap_or(usize::MAX);
    let Ok(body) = Limited::new(body, bytes_max).collect().await else {
        let detail = format!("the body broke off or is longer than `{bytes_max}` bytes");
        return refuse(&Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).at("body"));
    };
    let body = body.to_bytes();
    // From here on it is the request that is asked about.
    let target = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    head.uri = target.trim_start_matches("/explain").parse().unwrap_or_default();
    let (ask, _) = ask::held(&front.dispatch, &front.ledger.repeats, route, (&head, &body));
    let explanation = front.dispatch.decide.with(|balancer, now| balancer.explain(now, &ask));
    let wants_json = head.headers.get(ACCEPT).is_some_and(|a| a.as_bytes() == b"application/json");
    if wants_json {
        json_answer(&explanation)
    } else {
        text(StatusCode::OK, format!("{explanation}\n"))
    }
}

fn json_answer(value: &impl Serialize) -> Answer {
    match serde_json::to_vec_pretty(value) {
        Ok(body) => with_type(StatusCode::OK, "application/json", body),
        Err(error) => refuse(&Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(status, "text/plain; charset=utf-8", body)
}

fn refuse(problem: &Problem) -> Answer {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    with_type(status, "application/problem+json", serde_json::to_vec(problem).unwrap_or_default())
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    answer
}
