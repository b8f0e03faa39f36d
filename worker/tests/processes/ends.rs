//! Nothing is left running when the worker ends, however it does.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use weighbridge_worker::{ParkChoice, serve};

use crate::IS_WORKER;
use crate::client::{Connection, get};
use crate::fixture::{
    BUSY, Running, config, eventually, number_of, pid_of, problem, wait_until_gone,
};

#[test]
fn a_drain_finishes_what_is_there_and_refuses_the_rest() {
    let mut worker = Running::start(2);
    let pid = pid_of(&worker.get("/"));
    let mut idle = Connection::open(worker.address);
    let mut runs = worker.send("/burn?ms=1000", &[]);
    worker.wait_for(BUSY, 1.0);
    worker.stop();
    eventually(|| match get(worker.address, "/readyz").status {
        503 => Ok(()),
        status => Err(status.to_string()),
    });
    idle.request("GET", "/", &[], b"");
    assert_eq!(problem(&idle.response(), 503), "this worker drains: it takes no new work");
    assert_eq!(runs.response().status, 200);
    drop(worker);
    wait_until_gone(pid);
}

/// Runs a worker in a process of its own, which a test has asked for.
#[tokio::test]
async fn a_worker_runs_here_where_a_test_asks_for_it() {
    let Some(way) = env::var_os(IS_WORKER) else { return };
    let mut config = config(2);
    if way == "stop" {
        config.run.as_mut().expect("it runs a server").park = ParkChoice::Only("stop");
    }
    serve(config).await.expect("it ends by a drain");
}

struct Worker {
    child: Child,
    address: std::net::SocketAddr,
    _stdout: BufReader<std::process::ChildStdout>,
}

fn start(way: &str) -> Worker {
    let mut child = Command::new(env::current_exe().expect("this program is a file"))
        .args(["--exact", "ends::a_worker_runs_here_where_a_test_asks_for_it", "--nocapture"])
        .env(IS_WORKER, way)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let address = loop {
        let mut line = String::new();
        assert!(0 < stdout.read_line(&mut line).expect("it is text"), "it says nothing");
        if let Some((_, address)) = line.split_once("listening on ") {
            break address.trim_end().parse().expect("it is an address");
        }
    };
    Worker { child, address, _stdout: stdout }
}

/// The processes of `worker`, and one that would outlive its parent.
fn pids(worker: &Worker) -> Vec<i32> {
    let orphan = get(worker.address, "/orphan");
    vec![pid_of(&orphan), number_of(&orphan, "child")]
}

#[test]
fn a_worker_that_is_killed_leaves_nothing_running() {
    let mut worker = start("auto");
    let mut pids = pids(&worker);
    pids.push(pid_of(&get(worker.address, "/")));
    worker.child.kill().expect("it lives");
    worker.child.wait().expect("it ends");
    pids.into_iter().for_each(wait_until_gone);
}

#[test]
fn nor_does_it_leave_anything_stopped() {
    let mut worker = start("stop");
    let mut pids = pids(&worker);
    let mut giant = Connection::open(worker.address);
    giant.request("GET", "/burn?ms=100000", &["weighbridge-estimate: 100"], b"");
    eventually(|| {
        let named = get(worker.address, "/load").json()["named_metrics"]["in_flight"].clone();
        if named == 1.0 { Ok(()) } else { Err(named.to_string()) }
    });
    let mut dwarf = Connection::open(worker.address);
    dwarf.request("GET", "/burn?ms=20000", &["weighbridge-estimate: 1"], b"");
    eventually(|| {
        let metrics = get(worker.address, "/metrics");
        let is_parked = metrics.text().contains("weighbridge_worker_parked_requests 1\n");
        if is_parked { Ok(()) } else { Err("not parked".to_owned()) }
    });
    let id = Pid::from_child(&worker.child);
    pids.extend(children(id));
    kill_process(id, Signal::KILL).expect("it lives");
    worker.child.wait().expect("it ends");
    pids.into_iter().for_each(wait_until_gone);
}

#[test]
fn a_worker_that_is_told_to_end_ends_them() {
    let mut worker = start("auto");
    let pids = pids(&worker);
    kill_process(Pid::from_child(&worker.child), Signal::TERM).expect("it lives");
    assert!(worker.child.wait().expect("it ends").success());
    pids.into_iter().for_each(wait_until_gone);
}

#[test]
fn a_guard_that_is_killed_takes_its_process_with_it() {
    let mut worker = start("auto");
    let orphan = pids(&worker);
    let guards = children(Pid::from_child(&worker.child));
    assert_eq!(guards.len(), 2);
    // One of them may not be ready yet.
    let below = |guard: &i32| children(Pid::from_raw(*guard).expect("an id"));
    let before = guards.iter().flat_map(below).chain(orphan).collect::<Vec<_>>();
    for guard in guards {
        kill_process(Pid::from_raw(guard).expect("an id"), Signal::KILL).expect("it lives");
    }
    before.into_iter().for_each(wait_until_gone);
    eventually(|| match get(worker.address, "/").status {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
    kill_process(Pid::from_child(&worker.child), Signal::TERM).expect("it lives");
    assert!(worker.child.wait().expect("it ends").success());
}

/// What the process `id` has started.
fn children(id: Pid) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("it lives");
    let lists =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    let lists = lists.collect::<Vec<_>>().join(" ");
    lists.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}
