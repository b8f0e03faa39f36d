//! The end of a worker.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use weighbridge_worker::{WorkerConfig, WorkerError, serve};

use crate::client::{Connection, DEADLINE, get, post};
use crate::fixture::{Running, bmp, data_url};

/// Set for a process that is to be a worker.
const IS_WORKER: &str = "WEIGHBRIDGE_TEST_IS_WORKER";

/// A worker in a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start() -> Process {
        let mut child = Command::new(env::current_exe().expect("this program is a file"))
            .args(["--exact", "drain::a_worker_runs_here_where_a_test_asks_for_it", "--nocapture"])
            .env(IS_WORKER, "yes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let address = loop {
            let mut line = String::new();
            assert!(0 < stdout.read_line(&mut line).expect("it is text"), "it says nothing");
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.trim_end().parse().expect("it is an address");
            }
        };
        Process { child, address, stdin, stdout }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).expect("it lives");
    }

    /// Waits for its end; what else it printed.
    fn end(mut self) -> (ExitStatus, String) {
        let (tell, told) = channel();
        thread::spawn(move || {
            let mut rest = String::new();
            self.stdout.read_to_string(&mut rest).expect("it is text");
            tell.send((self.child.wait().expect("it ends"), rest)).ok();
        });
        told.recv_timeout(DEADLINE).expect("it ends in time")
    }
}

/// An operation whose body has not come yet, so that it is in flight for as long as the test likes.
fn in_flight(address: SocketAddr, body: &[u8]) -> Connection {
    let mut connection = Connection::open(address);
    let length = body.len();
    let head = format!(
        "POST /blurimage HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    );
    connection.send(head.as_bytes());
    assert_eq!(connection.response().status, 100);
    connection
}

/// Asks until the worker says that it is not ready, over new connections.
fn wait_until_not_ready(address: SocketAddr) {
    let start = std::time::Instant::now();
    while get(address, "/readyz").status == 200 {
        assert!(start.elapsed() < DEADLINE, "it is ready");
    }
    let answer = get(address, "/readyz");
    answer.assert_problem(503, None);
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn a_drain_refuses_new_work_and_finishes_what_is_there() {
    let mut worker = Running::start(1);
    let body = data_url("bmp", &bmp(8, 8));
    let mut taken = in_flight(worker.address, &body);
    let mut idle = Connection::open(worker.address);
    idle.request("POST", "/blurimage", &[], &body);
    assert_eq!(idle.response().status, 200);

    worker.stop();
    wait_until_not_ready(worker.address);
    idle.request("POST", "/blurimage", &[], &body);
    let refused = idle.response();
    assert_eq!(refused.assert_problem(503, None), "this worker drains: it takes no new work");
    assert_eq!(refused.header("connection"), Some("close"));
    assert!(idle.ends());
    post(worker.address, "/blurimage", &body).assert_problem(503, None);
    assert_eq!(get(worker.address, "/healthz").status, 200);
    assert!((worker.metric("weighbridge_worker_draining") - 1.0).abs() < f64::EPSILON);

    taken.send(&body);
    let answer = taken.response();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(taken.ends());
    let address = worker.address;
    drop(worker);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn connections_that_say_nothing_do_not_keep_a_drained_worker() {
    let worker = Running::start(1);
    let mut silent = Connection::open(worker.address);
    let mut idle = Connection::open(worker.address);
    idle.request("GET", "/", &[], b"");
    assert_eq!(idle.response().status, 200);
    drop(worker);
    assert!(silent.ends());
    assert!(idle.ends());
}

#[test]
fn a_worker_runs_here_where_a_test_asks_for_it() {
    if env::var_os(IS_WORKER).is_none() {
        return;
    }
    let mut config = WorkerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.exit_with_stdin = true;
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    match runtime.block_on(serve(config)) {
        Ok(()) => println!("drained"),
        Err(WorkerError::ParentGone) => println!("parent gone"),
        Err(WorkerError::Impatient) => println!("impatient"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn signals_that_ask_for_the_end_drain_a_process_and_others_do_nothing() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let process = Process::start();
        let body = data_url("bmp", &bmp(8, 8));
        let mut taken = in_flight(process.address, &body);
        for other in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::XFSZ] {
            process.signal(other);
            assert_eq!(get(process.address, "/readyz").status, 200);
        }
        process.signal(signal);
        wait_until_not_ready(process.address);
        taken.send(&body);
        assert_eq!(taken.response().status, 200);
        let (status, printed) = process.end();
        assert!(status.success(), "{status}");
        assert!(printed.contains("drained"), "{printed}");
        assert!(!printed.contains("listening"), "{printed}");
    }
}

#[test]
fn a_second_signal_does_not_wait() {
    let process = Process::start();
    let _taken = in_flight(process.address, b"never sent");
    process.signal(Signal::TERM);
    wait_until_not_ready(process.address);
    process.signal(Signal::TERM);
    assert!(process.end().1.contains("impatient"));
}

#[test]
fn the_end_of_standard_input_ends_a_process_at_once() {
    let mut process = Process::start();
    let _taken = in_flight(process.address, b"never sent");
    drop(process.stdin.take());
    assert!(process.end().1.contains("parent gone"));
}

#[tokio::test]
async fn a_worker_that_cannot_start_says_why() {
    let taken = Running::start(1);
    let config = WorkerConfig::new(taken.address);
    let error = serve(config.clone()).await.expect_err("the port is taken");
    assert_eq!(error.to_string(), format!("cannot listen on `{}`", taken.address));

    let error = serve(WorkerConfig { cores: 0, ..config.clone() }).await.expect_err("no cores");
    assert_eq!(error.to_string(), "a worker needs at least one core");

    let error = serve(WorkerConfig { age_factor: -1.0, ..config.clone() }).await.expect_err("less");
    assert_eq!(error.to_string(), "the age factor is `-1`: expected a number that is not negative");

    let config = WorkerConfig { discipline: "lifo".to_owned(), ..config };
    let error = serve(config).await.expect_err("no such discipline");
    let expected = "no discipline is called `lifo`: expected one of `srpt`, `ps`, `fcfs`";
    assert_eq!(error.to_string(), expected);
}
