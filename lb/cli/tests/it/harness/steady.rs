//! Clients that ask steadily, and note every request that fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;

use super::client::Client;
use super::requests::Request;
use super::until;

/// Each client asks so often: ten of them ask 200 times a second.
const PAUSE: Duration = Duration::from_millis(50);

/// Clients that ask all the time until they are dropped.
pub(crate) struct Clients {
    end: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Some keep their connections, some make a new one for each request, some speak HTTP/2.
    pub(crate) fn asking(address: SocketAddr) -> Clients {
        let mut clients = Clients {
            end: Arc::default(),
            asked: Arc::default(),
            failed: Arc::default(),
            threads: Vec::new(),
        };
        for nth in 0..8 {
            let keeps = nth % 2 == 0;
            let mut client = Client::new(address);
            clients.start(move || {
                if !keeps {
                    client = Client::new(address);
                }
                client.ask(&Request::get("/x")).map(|answer| answer.status).map_err(to_text)
            });
        }
        for _ in 0..2 {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
            let mut builder = HyperClient::builder(TokioExecutor::new());
            let client: HyperClient<_, Empty<Bytes>> = builder.http2_only(true).build_http();
            clients.start(move || {
                runtime.block_on(async {
                    let uri = format!("http://{address}/x").parse().expect("an address");
                    let answer = client.get(uri).await.map_err(to_text)?;
                    let status = answer.status().as_u16();
                    answer.into_body().collect().await.map_err(to_text)?;
                    Ok(status)
                })
            });
        }
        clients
    }

    fn start(&mut self, mut ask: impl FnMut() -> Result<u16, String> + Send + 'static) {
        let (end, asked, failed) = (self.end.clone(), self.asked.clone(), self.failed.clone());
        self.threads.push(thread::spawn(move || {
            while !end.load(Ordering::Acquire) {
                match ask() {
                    Ok(200) => {}
                    other => failed.lock().push(format!("{other:?}")),
                }
                asked.fetch_add(1, Ordering::AcqRel);
                thread::park_timeout(PAUSE);
            }
        }));
    }

    /// Waits until so many more requests have ended.
    pub(crate) fn go_on(&self, n: usize) {
        let before = self.asked.load(Ordering::Acquire);
        until("requests go on", || before + n < self.asked.load(Ordering::Acquire));
    }

    /// Ends them. Fails where any request has. Returns how many there were.
    #[track_caller]
    pub(crate) fn assert_faultless(mut self) -> usize {
        self.end.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.join().expect("no panic");
        }
        let failed = self.failed.lock();
        assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
        self.asked.load(Ordering::Acquire)
    }
}

fn to_text(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
