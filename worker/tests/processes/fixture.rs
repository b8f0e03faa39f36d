//! A worker of the test's own that runs the server beside this file.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use weighbridge_instrument::LoadReport;
use weighbridge_worker::{GuardProgram, RunConfig, WorkerConfig};

use crate::IS_GUARD;
use crate::client::{Connection, DEADLINE, Response, get};
pub(crate) use crate::running::Running;

pub(crate) const BUSY: &str = "weighbridge_worker_busy_slots";
pub(crate) const WAITING: &str = "weighbridge_worker_waiting_requests";
pub(crate) const READY: &str = "weighbridge_worker_processes";
pub(crate) const STARTS: &str = "weighbridge_worker_process_starts_total";
pub(crate) const PREEMPTIONS: &str = "weighbridge_worker_preemptions_total{operation=\"run\"}";

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
