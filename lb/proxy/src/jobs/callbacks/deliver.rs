//! Delivers callbacks: each is tried until its host takes it, or for as long as the configuration
//! says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::super::ledger::{Callback, Called, LedgerError};
use super::super::{JobRoom, now};
use super::target::TargetError;
use super::{Callbacks, Target};
use crate::backoff::Backoff;
use crate::tls::system;

/// Callbacks that are delivered at once.
const AT_ONCE: usize = 32;

/// The first wait after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// After a look that has failed.
const AGAIN: Backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_secs(10) };

/// Why a callback was not delivered. A later try may work.
#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the host cannot be reached: {0}")]
    Connect(std::io::Error),
    #[error("the host broke the connection: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("the host answered {0}")]
    Status(StatusCode),
    #[error("the host did not answer in time")]
    Timeout,
}

/// Delivers callbacks until it is dropped.
pub(crate) async fn run(room: Arc<JobRoom>) {
    let Some(callbacks) = &room.callbacks else { return std::future::pending().await };
    let mut failures = 0;
    loop {
        match deliver_due(&room, callbacks).await {
            Ok(0) => sleep(room.settings().poll).await,
            Ok(_) => failures = 0,
            Err(error) => {
                failures += 1;
                room.failed("jobs_callbacks", &error);
                sleep(AGAIN.wait(failures)).await;
            }
        }
    }
}

/// Tries those whose time has come. Returns how many.
async fn deliver_due(room: &JobRoom, callbacks: &Callbacks) -> Result<usize, LedgerError> {
    // Who dies with one leaves it to others after that.
    let hold = callbacks.settings.timeout * 2;
    let due = room.ledger.callbacks(now(), hold, AT_ONCE).await?;
    let n_due = due.len();
    let mut deliveries: FuturesUnordered<_> =
        due.iter().map(|callback| deliver(callbacks, callback)).collect();
    while let Some((callback, delivered)) = deliveries.next().await {
        let result = what_came(callbacks, callback, delivered);
        room.metrics().called(match &result {
            Called::Delivered => "delivered",
            Called::Again(..) => "failed",
            Called::Dead(_) => "given_up",
        });
        room.ledger.called(callback.n, result).await?;
    }
    Ok(n_due)
}

async fn deliver<'c>(
    callbacks: &Callbacks,
    callback: &'c Callback,
) -> (&'c Callback, Result<(), DeliverError>) {
    let posted = timeout(callbacks.settings.timeout, post(callbacks, callback)).await;
    (callback, posted.unwrap_or(Err(DeliverError::Timeout)))
}

/// What becomes of a callback after a try.
fn what_came(
    callbacks: &Callbacks,
    callback: &Callback,
    delivered: Result<(), DeliverError>,
) -> Called {
    let Err(error) = delivered else { return Called::Delivered };
    let (job, tries) = (callback.job, callback.tries);
    tracing::warn!(%job, tries, %error, "a callback was not delivered");
    // Standard Webhooks: who says 410 wants no more.
    let is_unwanted = matches!(error, DeliverError::Status(StatusCode::GONE));
    let is_refused = matches!(
        error,
        DeliverError::Target(TargetError::Url(_) | TargetError::Host(_)) | DeliverError::Request(_)
    );
    let waits = Backoff { base: FIRST_WAIT, max: callbacks.settings.backoff_max };
    let again = now() + waits.wait(tries.into());
    let is_late = callback.since + callbacks.settings.try_for < again;
    if is_unwanted || is_refused || is_late {
        Called::Dead(error.to_string())
    } else {
        Called::Again(again, error.to_string())
    }
}

async fn post(callbacks: &Callbacks, callback: &Callback) -> Result<(), DeliverError> {
    let target = Target::parse(&callback.url, &callbacks.settings)?;
    let addresses = target.resolve(&callbacks.settings).await?;
    let stream = TcpStream::connect(&addresses[..]).await.map_err(DeliverError::Connect)?;
    let status = if target.is_tls {
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|_| TargetError::Url(callback.url.clone()))?;
        let stream = system::connect(name, stream).await.map_err(DeliverError::Connect)?;
        send(stream, request(callbacks, callback, &target)?).await?
    } else {
        send(stream, request(callbacks, callback, &target)?).await?
    };
    if status.is_success() { Ok(()) } else { Err(DeliverError::Status(status)) }
}

fn request(
    callbacks: &Callbacks,
    callback: &Callback,
    target: &Target,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = Bytes::from(callback.event.clone());
    let id = format!("{}.{}", callback.job, callback.n);
    let timestamp = now().as_nanos() / 1_000_000_000;
    let signature = callbacks.secret.sign(&id, timestamp, &body);
    Request::post(&target.path)
        .header(HOST, &target.authority)
        .header(USER_AGENT, "weighbridge")
        .header(CONTENT_TYPE, "application/cloudevents+json")
        .header(CONTENT_LENGTH, body.len())
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(Full::new(body))
}

/// Sends the request. Redirections are not followed: they would lead past what is allowed.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, DeliverError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        Ok(answer.status())
    };
    tokio::select! {
        answered = answered => answered,
        broken = connection => Err(match broken {
            Err(error) => error.into(),
            Ok(()) => DeliverError::Timeout,
        }),
    }
}
