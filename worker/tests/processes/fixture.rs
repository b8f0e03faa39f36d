//! A worker of the test's own that runs the server beside this file.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use tokio::sync::oneshot;
use weighbridge_instrument::LoadReport;
use weighbridge_worker::{GuardProgram, RunConfig, Worker, WorkerConfig};

use crate::IS_GUARD;
use crate::client::{Connection, DEADLINE, Response, get};

pub(crate) const BUSY: &str = "weighbridge_worker_busy_slots";
pub(crate) const WAITING: &str = "weighbridge_worker_waiting_requests";
pub(crate) const READY: &str = "weighbridge_worker_processes";
pub(crate) const STARTS: &str = "weighbridge_worker_process_starts_total";
pub(crate) const PREEMPTIONS: &str = "weighbridge_worker_preemptions_total{operation=\"run\"}";

/// A worker in this process. It drains when it is dropped, and its processes end.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the server.
pub(crate) fn command() -> String {
    let server = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/processes/server.py");
    format!("PORT={{port}} exec python3 -B {}", server.display())
}

/// What the tests run: `processes` of the server on a core.
pub(crate) fn config(processes: usize) -> WorkerConfig {
    let exe = env::current_exe().expect("this program is a file");
    let name = "a_guard_runs_here_where_a_worker_asks_for_it";
    let arguments = [&format!("{IS_GUARD}=yes"), exe.to_str().expect("text"), "--exact", name];
    let guard = GuardProgram {
        program: "env".into(),
        arguments: arguments.into_iter().map(str::to_owned).chain(["-q".to_owned()]).collect(),
    };
    let mut config = WorkerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.cores = 1;
    config.run = Some(RunConfig { processes, ..RunConfig::new(command(), 1, guard) });
    config
}

impl Running {
    /// Starts a worker with so many processes, and waits until all are ready.
    pub(crate) fn start(processes: usize) -> Running {
        let running = Running::configured(processes, |_| ());
        running.wait_for(READY, processes as f64);
        running
    }

    /// Starts a worker whose configuration `adjust` has adjusted.
    pub(crate) fn configured(processes: usize, adjust: impl FnOnce(&mut RunConfig)) -> Running {
        let mut config = config(processes);
        adjust(config.run.as_mut().expect("it runs a server"));
        Running::of(config)
    }

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
        eventually(|| {
            let now = self.metric(name);
            if (now - value).abs() < f64::EPSILON { Ok(()) } else { Err(format!("{name} {now}")) }
        });
    }

    /// The answer to a request that must succeed.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        let answer = get(self.address, target);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer
    }

    /// A request that its process has begun.
    pub(crate) fn begin(&self, target: &str, headers: &[&str]) -> Connection {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("not-begun");
        std::fs::write(&file, "").expect("it is writable");
        let connection = self.send(&format!("{target}&begun={}", file.display()), headers);
        eventually(|| if file.exists() { Err("not begun".to_owned()) } else { Ok(()) });
        connection
    }

    /// A request that is on its way.
    pub(crate) fn send(&self, target: &str, headers: &[&str]) -> Connection {
        let mut connection = Connection::open(self.address);
        connection.request("GET", target, headers, b"");
        connection
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

/// Asks `is` again and again, until it says yes; or fails with what it said last.
#[track_caller]
pub(crate) fn eventually(is: impl Fn() -> Result<(), String>) {
    let start = Instant::now();
    while let Err(still) = is() {
        assert!(start.elapsed() < DEADLINE, "still {still}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The process that has answered.
pub(crate) fn pid_of(answer: &Response) -> i32 {
    number_of(answer, "pid")
}

pub(crate) fn number_of(answer: &Response, name: &str) -> i32 {
    let number = answer.json()[name].as_i64().expect("a number");
    i32::try_from(number).expect("an id")
}

#[track_caller]
pub(crate) fn wait_until_gone(pid: i32) {
    let id = Pid::from_raw(pid).expect("an id");
    eventually(
        || if test_kill_process(id).is_err() { Ok(()) } else { Err(format!("{pid} lives")) },
    );
}

/// The load report of an answer.
#[track_caller]
pub(crate) fn report_of(answer: &Response) -> LoadReport {
    let report = answer.header("endpoint-load-metrics").expect("every answer has one");
    LoadReport::decode_header(report).expect("it is a report")
}

/// The detail of a problem as RFC 9457 has it.
#[track_caller]
pub(crate) fn problem(answer: &Response, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    answer.json()["detail"].as_str().expect("it has one").to_owned()
}
