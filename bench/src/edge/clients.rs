//! Clients that ask at a steady rate. A request is sent once: only one that has not left its client
//! is sent on another connection, as every client does (RFC 9113, section 6.8).

use std::collections::VecDeque;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsConnector;

use super::certificate::{self, Believer};

/// An answer that takes longer is as good as lost.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How clients use connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One for each request.
    New,
    /// As long as the balancer lets them.
    Kept,
    /// HTTP/2, several requests at once on a connection.
    Http2,
}

impl Kind {
    /// Every kind with its name.
    pub(super) const ALL: [(Kind, &'static str); 3] =
        [(Kind::New, "new connections"), (Kind::Kept, "kept connections"), (Kind::Http2, "HTTP/2")];

    fn protocol(self) -> &'static [u8] {
        match self {
            Kind::New | Kind::Kept => b"http/1.1",
            Kind::Http2 => b"h2",
        }
    }
}

/// See the module.
pub(super) struct Clients {
    end: watch::Sender<bool>,
    asking: JoinHandle<()>,
    shared: Arc<Shared>,
}

type Body = Empty<Bytes>;
type Boxed = Box<dyn Error + Send + Sync>;

/// What all requests share.
struct Shared {
    kind: Kind,
    address: SocketAddr,
    connector: Option<TlsConnector>,
    /// Connections that wait for their next request, those that wait longest first.
    kept: Mutex<VecDeque<http1::SendRequest<Body>>>,
    multiplexed: tokio::sync::Mutex<Option<http2::SendRequest<Body>>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    answered: Vec<Duration>,
    failed: Vec<String>,
}

/// What bytes go over.
trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Clients {
    /// Asks `address` so many times a second; by TLS, where there is somebody to believe.
    pub(super) fn start(
        kind: Kind,
        (address, believer): (SocketAddr, Option<&Believer>),
        rate: u32,
    ) -> Clients {
        let (end, ends) = watch::channel(false);
        let shared = Arc::new(Shared {
            kind,
            address,
            connector: believer.map(|believer| believer.connector(&[kind.protocol()])),
            kept: Mutex::default(),
            multiplexed: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
        });
        let asking = tokio::spawn(ask_all(Arc::clone(&shared), rate, ends));
        Clients { end, asking, shared }
    }

    /// Ends them. How many requests there were, how many failed, and the p99 of the others.
    pub(super) async fn end(self) -> (usize, usize, Duration) {
        let _ = self.end.send(true);
        let _ = self.asking.await;
        let mut seen = self.shared.seen.lock();
        for why in &seen.failed {
            eprintln!("failed: {why}");
        }
        seen.answered.sort_unstable();
        let nth = seen.answered.len() * 99 / 100;
        let p99 = seen.answered.get(nth).copied().unwrap_or_default();
        (seen.answered.len() + seen.failed.len(), seen.failed.len(), p99)
    }
}

async fn ask_all(shared: Arc<Shared>, rate: u32, mut ends: watch::Receiver<bool>) {
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = ends.changed() => break,
        }
        while asked.try_join_next().is_some() {}
        asked.spawn(Arc::clone(&shared).ask());
    }
    while asked.join_next().await.is_some() {}
}

impl Shared {
    async fn ask(self: Arc<Self>) {
        let begun = Instant::now();
        let asked = async {
            match self.kind {
                Kind::New | Kind::Kept => self.by_http1().await,
                Kind::Http2 => self.by_http2().await,
            }
        };
        let answer = tokio::time::timeout(ANSWER_MAX, asked).await;
        let elapsed = begun.elapsed();
        let mut seen = self.seen.lock();
        match answer {
            Ok(Ok(200)) => seen.answered.push(elapsed),
            Ok(Ok(status)) => seen.failed.push(format!("status {status}")),
            Ok(Err(error)) => seen.failed.push(with_causes(&*error)),
            Err(_) => seen.failed.push("no answer in time".to_owned()),
        }
    }

    async fn by_http1(&self) -> Result<u16, Boxed> {
        let mut sender = if let Some(waiting) = self.waiting().await {
            waiting
        } else {
            let (sender, connection) = http1::handshake(self.connect().await?).await?;
            tokio::spawn(connection);
            sender
        };
        let response = sender.send_request(self.request()?).await?;
        let is_last = response.headers().get("connection").is_some_and(|value| value == "close");
        let status = status(response).await?;
        if self.kind == Kind::Kept && !is_last && sender.ready().await.is_ok() {
            self.kept.lock().push_back(sender);
        }
        Ok(status)
    }

    /// A connection that waits and has not been closed meanwhile: nothing is lost by those.
    async fn waiting(&self) -> Option<http1::SendRequest<Body>> {
        loop {
            let mut sender = self.kept.lock().pop_front()?;
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn by_http2(&self) -> Result<u16, Boxed> {
        loop {
            let mut sender = self.multiplexed().await?;
            if sender.ready().await.is_err() {
                // Nothing has been sent, and nothing can be any more.
                continue;
            }
            match sender.try_send_request(self.request()?).await {
                Ok(response) => return status(response).await,
                Err(mut error) => {
                    // Unless it was sent, it is sent on another connection.
                    if error.take_message().is_none() {
                        return Err(error.into_error().into());
                    }
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn multiplexed(&self) -> Result<http2::SendRequest<Body>, Boxed> {
        let mut sender = self.multiplexed.lock().await;
        if let Some(open) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(open.clone());
        }
        let stream = self.connect().await?;
        let (open, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        *sender = Some(open.clone());
        Ok(open)
    }

    async fn connect(&self) -> Result<TokioIo<Box<dyn Io>>, Boxed> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Io> = match &self.connector {
            Some(connector) => Box::new(certificate::shake(connector, stream).await?),
            None => Box::new(stream),
        };
        Ok(TokioIo::new(stream))
    }

    fn request(&self) -> Result<Request<Body>, http::Error> {
        let scheme = if self.connector.is_some() { "https" } else { "http" };
        let (host, builder) = (self.address.to_string(), Request::builder());
        let uri = match self.kind {
            Kind::New | Kind::Kept => "/x".to_owned(),
            Kind::Http2 => format!("{scheme}://{host}/x"),
        };
        builder.uri(uri).header("host", host).body(Empty::new())
    }
}

/// The status of an answer that comes to its end.
async fn status(response: Response<Incoming>) -> Result<u16, Boxed> {
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    Ok(status)
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
