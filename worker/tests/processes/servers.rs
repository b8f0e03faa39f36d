//! Servers that people use. One that this machine does not have is skipped, with a line that says
//! so.

use std::process::{Command, Stdio};

use crate::client::{Response, get};
use crate::fixture::{BUSY, PREEMPTIONS, READY, Running, report_of};

/// A worker of two processes of `command`, in the folder of the services; `None` where `program`
/// is not there.
fn start(program: &str, command: &str) -> Option<Running> {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()
        .expect("there is a shell");
    if !found.success() {
        println!("skipped: `{program}` is not installed");
        return None;
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/processes/servers");
    let command = format!("cd '{folder}' && export PYTHONDONTWRITEBYTECODE=1 && {command}");
    let worker = Running::configured(2, |run| run.command = command);
    worker.wait_for(READY, 2.0);
    Some(worker)
}

fn own_seconds(answer: &Response) -> f64 {
    answer.header("x-cpu-seconds").and_then(|secs| secs.parse().ok()).expect("it says so")
}

fn measured_seconds(answer: &Response) -> f64 {
    report_of(answer).request_cost["cpu_seconds"]
}

/// Measures what the server measures itself, and runs a shorter request first.
fn check(program: &str, command: &str) {
    let Some(worker) = start(program, command) else { return };
    let answer = worker.get("/burn?ms=200");
    let (own, measured) = (own_seconds(&answer), measured_seconds(&answer));
    println!("{program}: measures {own:.4} s itself, the worker {measured:.4} s");
    // What the server does around its own reading is measured too.
    assert!(own * 0.9 <= measured && measured <= own * 1.3 + 0.05, "{own} {measured}");

    let mut giant = worker.send("/burn?ms=1500", &["weighbridge-estimate: 1.5"]);
    worker.wait_for(BUSY, 1.0);
    let mut dwarf = worker.send("/burn?ms=2", &["weighbridge-estimate: 0.002"]);
    let (dwarf, giant) = (dwarf.response(), giant.response());
    assert_eq!((dwarf.status, giant.status), (200, 200));
    assert_ne!(dwarf.header("x-pid"), giant.header("x-pid"));
    let left = report_of(&dwarf).named_metrics["in_flight"];
    assert!((left - 1.0).abs() < f64::EPSILON, "the giant is still there: {left}");
    assert!(0.0 < worker.metric(PREEMPTIONS));
}

#[test]
fn gunicorn() {
    check("gunicorn", "gunicorn app:app -b {address} -w 1");
}

#[test]
fn gunicorn_serves_well_known_libraries() {
    let Some(worker) = start("gunicorn", "gunicorn app:app -b {address} -w 1") else { return };
    for service in ["thumbnail", "chart", "archive", "rows", "page", "document"] {
        for round in 0..3 {
            let answer = get(worker.address, &format!("/{service}"));
            if answer.status == 501 {
                println!("skipped: {}", String::from_utf8_lossy(&answer.body));
                break;
            }
            assert_eq!(answer.status, 200);
            let (own, measured) = (own_seconds(&answer), measured_seconds(&answer));
            let bytes = report_of(&answer).request_cost["memory_bytes"];
            let mib = bytes / f64::from(1 << 20);
            println!("{service} {round}: {own:.4} s itself, {measured:.4} s, {mib:.0} MiB");
            assert!(own * 0.9 <= measured && measured <= own * 1.3 + 0.05, "{own} {measured}");
        }
    }
}

#[test]
fn uvicorn() {
    check("uvicorn", "exec uvicorn app:asgi --port {port} --log-level warning");
}

#[test]
fn node() {
    check("node", "exec node server.js # {port}");
}

#[test]
fn php() {
    check("php", "exec php -S {address} index.php");
}

#[test]
fn java() {
    check("javac", "exec java Server.java # {port}");
}
