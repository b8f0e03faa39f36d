//! Clients by TLS that ask steadily and note every request that fails. A request is sent once: only
//! one that has not left the client is sent on another connection.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::DEADLINE;
use crate::tools::believing;

/// Of each kind there are so many, and each asks so often: together 200 times a second.
const OF_A_KIND: usize = 4;
const PAUSE: Duration = Duration::from_millis(60);

/// The name that the certificate is for.
const NAME: &str = "a.example";

type Body = Empty<Bytes>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// See the module.
pub(crate) struct Clients {
    runtime: Runtime,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    connector: TlsConnector,
    end: AtomicBool,
    asked: AtomicUsize,
    running: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Clients {
    /// Some make a connection for each request, some keep theirs, some speak HTTP/2, several
    /// requests at once on a connection. They believe the authority in the file `ca`.
    pub(crate) fn asking(ca: &Path, address: SocketAddr) -> Clients {
        let shared = Arc::new(Shared {
            address,
            connector: TlsConnector::from(believing(ca)),
            end: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            failed: Mutex::default(),
        });
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
        let multiplexed = Arc::new(tokio::sync::Mutex::new(None));
        for _ in 0..OF_A_KIND {
            for kind in [Kind::New, Kind::Kept(None), Kind::Http2(multiplexed.clone())] {
                shared.running.fetch_add(1, Ordering::AcqRel);
                runtime.spawn(shared.clone().run(kind));
            }
        }
        Clients { runtime, shared }
    }

    /// Waits until so many more requests have ended.
    pub(crate) fn go_on(&self, n: usize) {
        let before = self.shared.asked.load(Ordering::Acquire);
        let began = std::time::Instant::now();
        while self.shared.asked.load(Ordering::Acquire) <= before + n {
            assert!(began.elapsed() < DEADLINE, "requests stopped: {:?}", self.shared.failed);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends them. Fails where any request has. Returns how many there were.
    #[track_caller]
    pub(crate) fn assert_faultless(self) -> usize {
        self.shared.end.store(true, Ordering::Release);
        let began = std::time::Instant::now();
        while 0 < self.shared.running.load(Ordering::Acquire) && began.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.runtime.shutdown_background();
        let failed = self.shared.failed.lock();
        assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
        self.shared.asked.load(Ordering::Acquire)
    }
}

/// How a client uses connections.
enum Kind {
    /// One for each request.
    New,
    /// One until an answer says that it is the last.
    Kept(Option<http1::SendRequest<Body>>),
    /// One with others, by HTTP/2.
    Http2(Multiplexed),
}

type Multiplexed = Arc<tokio::sync::Mutex<Option<http2::SendRequest<Body>>>>;

impl Shared {
    /// Asks until the end.
    async fn run(self: Arc<Self>, mut kind: Kind) {
        while !self.end.load(Ordering::Acquire) {
            match tokio::time::timeout(DEADLINE, self.ask(&mut kind)).await {
                Ok(Ok(200)) => {}
                Ok(Ok(status)) => self.failed.lock().push(format!("status {status}")),
                Ok(Err(error)) => self.failed.lock().push(format!("{error:?}")),
                Err(_) => self.failed.lock().push("no answer".to_owned()),
            }
            self.asked.fetch_add(1, Ordering::AcqRel);
            tokio::time::sleep(PAUSE).await;
        }
        self.running.fetch_sub(1, Ordering::AcqRel);
    }

    async fn connect(&self, alpn: &[u8]) -> Result<TlsStream<TcpStream>, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut config = (**self.connector.config()).clone();
        config.alpn_protocols = vec![alpn.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(connector.connect(ServerName::try_from(NAME)?, stream).await?)
    }

    async fn ask(&self, kind: &mut Kind) -> Result<u16, Failure> {
        match kind {
            Kind::New => self.by_http1(&mut None).await,
            Kind::Kept(kept) => self.by_http1(kept).await,
            Kind::Http2(shared) => self.by_http2(shared).await,
        }
    }

    /// On the connection that is `kept`, or else a new one.
    async fn by_http1(&self, kept: &mut Option<http1::SendRequest<Body>>) -> Result<u16, Failure> {
        let mut sender = if let Some(kept) = kept.take() {
            kept
        } else {
            let stream = TokioIo::new(self.connect(b"http/1.1").await?);
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            sender
        };
        // No answer has said that it is the last: it has to be there.
        sender.ready().await?;
        let response = sender.send_request(request()).await?;
        let is_last = response.headers().get("connection").is_some_and(|value| value == "close");
        let status = status(response).await?;
        if !is_last {
            *kept = Some(sender);
        }
        Ok(status)
    }

    /// On a connection that others use at the same time.
    async fn by_http2(&self, shared: &Multiplexed) -> Result<u16, Failure> {
        loop {
            let mut sender = self.http2(shared).await?;
            if sender.ready().await.is_err() {
                // Nothing has been sent.
                continue;
            }
            match sender.try_send_request(request()).await {
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

    async fn http2(&self, shared: &Multiplexed) -> Result<http2::SendRequest<Body>, Failure> {
        let mut sender = shared.lock().await;
        if let Some(open) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(open.clone());
        }
        let stream = TokioIo::new(self.connect(b"h2").await?);
        let (open, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        *sender = Some(open.clone());
        Ok(open)
    }
}

fn request() -> Request<Body> {
    let request = Request::get(format!("https://{NAME}/held")).header("host", NAME);
    request.body(Empty::new()).expect("it is well formed")
}

/// The status of an answer that comes to its end.
async fn status(response: Response<Incoming>) -> Result<u16, Failure> {
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    Ok(status)
}
