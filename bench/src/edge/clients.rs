//! Clients that ask at a steady rate, and never try again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

/// An answer that takes longer is as good as lost.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How clients use connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One for each request.
    New,
    /// As long as the balancer lets them.
    Kept,
    /// HTTP/2, without TLS.
    Http2,
}

impl Kind {
    /// Every kind with its name.
    pub(super) const ALL: [(Kind, &'static str); 3] =
        [(Kind::New, "new connections"), (Kind::Kept, "kept connections"), (Kind::Http2, "HTTP/2")];
}

/// See the module.
pub(super) struct Clients {
    end: watch::Sender<bool>,
    asking: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    answered: Vec<Duration>,
    failed: Vec<String>,
}

impl Clients {
    /// Asks `address` so many times a second.
    pub(super) fn start(kind: Kind, address: SocketAddr, rate: u32) -> Clients {
        let (end, ends) = watch::channel(false);
        let seen = Arc::default();
        let asking = tokio::spawn(ask_all(kind, address, rate, ends, Arc::clone(&seen)));
        Clients { end, asking, seen }
    }

    /// Ends them. How many requests there were, how many failed, and the p99 of the others.
    pub(super) async fn end(self) -> (usize, usize, Duration) {
        let _ = self.end.send(true);
        let _ = self.asking.await;
        let mut seen = self.seen.lock();
        for why in &seen.failed {
            eprintln!("failed: {why}");
        }
        seen.answered.sort_unstable();
        let nth = seen.answered.len() * 99 / 100;
        let p99 = seen.answered.get(nth).copied().unwrap_or_default();
        (seen.answered.len() + seen.failed.len(), seen.failed.len(), p99)
    }
}

async fn ask_all(
    kind: Kind,
    address: SocketAddr,
    rate: u32,
    mut ends: watch::Receiver<bool>,
    seen: Arc<Mutex<Seen>>,
) {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.retry_canceled_requests(false).http2_only(kind == Kind::Http2);
    if kind == Kind::New {
        builder.pool_max_idle_per_host(0);
    }
    let client: Client<HttpConnector, Empty<Bytes>> = builder.build_http();
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = ends.changed() => break,
        }
        while asked.try_join_next().is_some() {}
        asked.spawn(ask(client.clone(), address, Arc::clone(&seen)));
    }
    while asked.join_next().await.is_some() {}
}

async fn ask(
    client: Client<HttpConnector, Empty<Bytes>>,
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
) {
    let begun = Instant::now();
    let answer = tokio::time::timeout(ANSWER_MAX, status(&client, address)).await;
    let elapsed = begun.elapsed();
    let mut seen = seen.lock();
    match answer {
        Ok(Ok(200)) => seen.answered.push(elapsed),
        Ok(Ok(status)) => seen.failed.push(format!("status {status}")),
        Ok(Err(why)) => seen.failed.push(why),
        Err(_) => seen.failed.push("no answer in time".to_owned()),
    }
}

async fn status(
    client: &Client<HttpConnector, Empty<Bytes>>,
    address: SocketAddr,
) -> Result<u16, String> {
    let uri = format!("http://{address}/x").parse().map_err(|_| "no address".to_owned())?;
    let answer = client.get(uri).await.map_err(|error| with_causes(&error))?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await.map_err(|error| with_causes(&error))?;
    Ok(status)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
