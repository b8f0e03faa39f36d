//! Takes callbacks: which job was told of, and under which ids. A delivery may come twice; then it
//! has the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The ids of the deliveries for each target: `/told/7`.
type Told = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

/// See the module. Ends when dropped.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    told: Told,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(super) async fn start() -> io::Result<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let told = Told::default();
        let task = tokio::spawn(accept(listener, told.clone()));
        Ok(Receiver { address, told, task })
    }

    /// How many targets have been told, and how many of them of more than one event.
    pub(super) fn counts(&self) -> (usize, usize) {
        let told = self.told.lock();
        (told.len(), told.values().filter(|ids| 1 < ids.len()).count())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, told: Told) {
    while let Ok((stream, _)) = listener.accept().await {
        let told = told.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| take(request, told.clone()));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A connection that breaks is of a balancer that was killed: it will call again.
            let _broken = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn take(
    request: Request<Incoming>,
    told: Told,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let target = request.uri().path().to_owned();
    let id = request.headers().get("webhook-id").map(|id| id.as_bytes().to_vec());
    let _event = request.into_body().collect().await?;
    let id = String::from_utf8_lossy(&id.unwrap_or_default()).into_owned();
    told.lock().entry(target).or_default().insert(id);
    Ok(Response::new(Full::default()))
}
