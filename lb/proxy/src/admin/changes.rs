//! What operators ask to be changed. Who may is told before ([`super::guard`]).

mod hosts;

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::{Answer, allow_only, json_answer, refuse};
use crate::answer::Problem;
use crate::front::Front;
use crate::order::Order;

/// What carries an order out may take so long: a store that hangs must not keep the asker for ever.
const ORDER_MAX: Duration = Duration::from_mins(1);

/// Where something is changed.
const PATHS: [&str; 6] =
    ["/reload", "/upgrade", "/fleet/join", "/fleet/drain", "/fleet/undrain", "/fleet/weight"];

/// The answer to a request for a change.
pub(super) async fn answer(front: &Front, request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return allow_only("POST");
    }
    match request.uri().path() {
        "/reload" => reload(front).await,
        "/upgrade" => upgrade(front).await,
        _ => hosts::change(front, request).await,
    }
}

/// Whether something is changed at `path`.
pub(super) fn is_at(path: &str) -> bool {
    PATHS.contains(&path)
}

async fn reload(front: &Front) -> Answer {
    let (told, tells) = oneshot::channel();
    if front.orders().try_send(Order::Reload(told)).is_err() {
        return busy();
    }
    match tokio::time::timeout(ORDER_MAX, tells).await {
        Ok(Ok(Ok(reloaded))) => json_answer(&reloaded),
        Ok(Ok(Err(mistakes))) => {
            let detail = format!("the configuration stays as it was: {}", mistakes.join("; "));
            refuse(&Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
        }
        Ok(Err(_)) => refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the balancer stops")),
        Err(_) => busy(),
    }
}

async fn upgrade(front: &Front) -> Answer {
    let (told, tells) = oneshot::channel();
    if front.orders().try_send(Order::Upgrade(told)).is_err() {
        return busy();
    }
    // It ends by itself: the new process has a time in which to take requests.
    match tells.await {
        Ok(Ok(upgraded)) => {
            let mut answer = json_answer(&upgraded);
            // This process ends once it is sent.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            answer
        }
        Ok(Err(why)) => {
            let detail = format!("nothing has changed: {why}");
            refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
        }
        Err(_) => refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the balancer stops")),
    }
}

fn busy() -> Answer {
    let detail = "other orders are being carried out: see the log";
    refuse(&Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1))
}
