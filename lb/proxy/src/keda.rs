//! Tells KEDA how many hosts are wanted, where Kubernetes scales them.
//!
//! KEDA (an autoscaler for Kubernetes) asks external scalers by gRPC, in the contract
//! `externalscaler.ExternalScaler` ([`messages`]); `deploy/helm` has a `ScaledObject` that names
//! this one. It makes a `HorizontalPodAutoscaler`, which sets the number of pods to the metric
//! [`METRIC`](wanted::METRIC) by the target 1: to the hosts that are wanted. The autoscaler leaves
//! a number as it is that is off by a tenth or less; so in a fleet of more than ten hosts one more
//! is not launched alone.
//!
//! A scaler is active while requests or jobs are there: KEDA goes from none to one host at once
//! when it becomes active, and to none when it has long been inactive, where its
//! `minReplicaCount` is 0. Nothing is changed here, so nobody has to show a token; who is not to
//! read how many hosts there are is kept away by a network policy.

mod messages;
mod service;
mod wanted;

use std::convert::Infallible;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::front::Current;

/// Connections at once: KEDA has one for each kind of its programs.
const CONNECTIONS_MAX: usize = 32;

/// Calls at once on one connection.
const CALLS_MAX: u32 = 64;

/// A peer that is silent for so long is asked whether it is there, and given up as long after.
const ALIVE: Duration = Duration::from_secs(20);

/// After an accept that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves KEDA at `listener` until it is dropped, or `closing`: then another process goes on, to
/// which KEDA connects anew.
pub(crate) async fn serve(
    listener: TcpListener,
    current: Current,
    mut closing: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(_) if CONNECTIONS_MAX <= connections.len() => {
                current.load().ledger.metrics.loop_failed("keda_full");
            }
            Ok((connection, _)) => {
                connections.spawn(carry(connection, current.clone()));
            }
            Err(error) => {
                current.load().ledger.metrics.loop_failed("keda_accept");
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves the calls of one connection.
async fn carry(connection: TcpStream, current: Current) {
    let service = service_fn(move |request| {
        let current = current.clone();
        async move { Ok::<_, Infallible>(service::answer(current, request).await) }
    });
    let carried = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(ALIVE)
        .keep_alive_timeout(ALIVE)
        .max_concurrent_streams(CALLS_MAX)
        .serve_connection(TokioIo::new(connection), service)
        .await;
    if let Err(error) = carried {
        tracing::debug!(%error, "a connection of KEDA broke");
    }
}
