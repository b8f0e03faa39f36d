//! What operators and Prometheus ask: `/healthz`, `/readyz`, `/metrics`, `/fleet`, `/models` and
//! `/explain`.
//!
//! `POST /explain/raytracer?wcols=400&…` with the request's own body says what would happen to that
//! request, and why; nothing is sent anywhere. `Accept: application/json` gives it as a value.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
use weighbridge_core::request::{Ask, RouteId};
use weighbridge_core::units::Time;

use crate::gateway::Gateway;
use crate::receive;
use crate::respond::Problem;

/// Connections that the admin API carries at once.
const CONNECTIONS_MAX: usize = 64;

type Answer = Response<Full<Bytes>>;

/// Serves the admin API until it is dropped.
pub(crate) async fn serve(listener: TcpListener, gateway: Arc<Gateway>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                gateway.metrics.loop_failed("admin_accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let gateway = gateway.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let gateway = gateway.clone();
                async move { Ok::<_, Infallible>(answer(&gateway, request).await) }
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

async fn answer(gateway: &Arc<Gateway>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    if path == "/explain" || path.starts_with("/explain/") {
        return explain(gateway, request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "expected GET");
        let mut answer = refuse(&problem);
        answer.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match path.as_str() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(gateway),
        "/metrics" => metrics(gateway),
        "/fleet" => json_answer(&fleet(gateway)),
        "/models" => json_answer(&models(gateway)),
        "/" => text(StatusCode::OK, "/healthz /readyz /metrics /fleet /models /explain/PATH\n"),
        _ => refuse(&Problem::new(StatusCode::NOT_FOUND, format!("nothing is at `{path}`"))),
    }
}

/// Ready: not draining, and at least one host takes requests.
fn readiness(gateway: &Gateway) -> Answer {
    if gateway.draining.load(Ordering::Acquire) {
        return refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining"));
    }
    let is_active = |host: &HostState| match host.phase {
        Phase::Active => true,
        Phase::Starting | Phase::Draining | Phase::Gone => false,
    };
    if gateway.decide.look(|balancer, _| balancer.hosts().any(is_active)) {
        return text(StatusCode::OK, "ready\n");
    }
    refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no host takes requests"))
}

fn metrics(gateway: &Gateway) -> Answer {
    gateway.decide.look(|balancer, now| {
        gateway.gauges.read(&gateway.config, balancer, now);
        if let Some(lambda) = balancer.lambda() {
            gateway.metrics.lambda.read(lambda, now);
        }
    });
    gateway.gauges.buffered(gateway.budget.held_bytes());
    match gateway.metrics.text() {
        Ok(body) => with_type(StatusCode::OK, prometheus::TEXT_FORMAT, body),
        Err(error) => refuse(&Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn fleet(gateway: &Gateway) -> Value {
    let hosts = gateway.decide.look(|balancer, now| {
        balancer.hosts().map(|host| describe(gateway, host, now)).collect::<Vec<_>>()
    });
    let waiting = gateway.decide.look(|balancer, _| balancer.waiting());
    json!({
        "hosts": hosts,
        "waiting": {
            "requests": waiting.requests,
            "bytes": waiting.bytes,
            "work_seconds": waiting.work.as_cpu_secs(),
        },
    })
}

fn describe(gateway: &Gateway, host: &HostState, now: Time) -> Value {
    let place = gateway.hosts.place(host.id);
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

fn models(gateway: &Gateway) -> Value {
    let quality = |index: usize| {
        let route = RouteId(u16::try_from(index).unwrap_or(u16::MAX));
        gateway.decide.look(|balancer, _| {
            let predictor = balancer.predictor(route);
            let mut quality = json!(predictor.quality());
            quality["model"] = json!(predictor.model());
            quality["features"] = json!(gateway.policy(route).features.names());
            quality
        })
    };
    let routes = gateway.config.routes.iter().enumerate();
    json!({ "routes": routes.map(|(i, r)| (r.name.clone(), quality(i))).collect::<serde_json::Map<_, _>>() })
}

/// What would happen to the request after `/explain`.
async fn explain(gateway: &Arc<Gateway>, request: Request<Incoming>) -> Answer {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path().trim_start_matches("/explain").to_owned();
    let Some(route) = gateway.config.route_of(&path).and_then(|i| u16::try_from(i).ok()) else {
        let detail = format!("no route serves `{path}`, expected `/explain/PATH`");
        return refuse(&Problem::new(StatusCode::NOT_FOUND, detail).at("path"));
    };
    let bytes_max = usize::try_from(gateway.config.limits.body_bytes).unwrap_or(usize::MAX);
    let Ok(body) = Limited::new(body, bytes_max).collect().await else {
        let detail = format!("the body broke off or is longer than `{bytes_max}` bytes");
        return refuse(&Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).at("body"));
    };
    let (route, body) = (RouteId(route), body.to_bytes());
    // From here on it is the request that is asked about.
    let target = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    head.uri = target.trim_start_matches("/explain").parse().unwrap_or_default();
    let body_bytes = Some(body.len() as u64);
    let features = receive::extract(&gateway.policy(route).features, &head, body_bytes, &body);
    let known = gateway.fingerprint(route, &head, &body).and_then(|f| gateway.repeats.known(f));
    let event_bytes = gateway.event_bytes(route, &head, &body);
    let ask = Ask { route, features, known, body_bytes: body.len() as u64, event_bytes };
    let explanation = gateway.decide.with(|balancer, now| balancer.explain(now, &ask));
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
