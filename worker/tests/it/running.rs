//! A worker of the test's own, in this process.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::oneshot;
use weighbridge_worker::{Worker, WorkerConfig};

use crate::client::{DEADLINE, get};

/// A worker in this process. It drains when it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a worker with `config`.
    pub(crate) fn of(config: WorkerConfig) -> Running {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime starts");
            runtime.block_on(async {
                let worker = Worker::bind(config).await.expect("it binds");
                tell.send(worker.address()).expect("the test waits");
                worker.run(async { drop(stopped.await) }).await;
            });
        });
        let address = told.recv_timeout(DEADLINE).expect("it starts");
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Tells it to drain.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// The value of the metric that a line of `/metrics` gives `name`, labels included; 0 without.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let metrics = get(self.address, "/metrics");
        let value =
            metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Asks until the metric `name` is `value`.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, value: f64) {
        let start = Instant::now();
        loop {
            let now = self.metric(name);
            if (now - value).abs() < f64::EPSILON {
                return;
            }
            assert!(start.elapsed() < DEADLINE, "`{name}` is {now}, expected {value}");
            thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking(), "the worker panicked");
        }
    }
}
