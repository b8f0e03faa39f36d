//! Processes that die, and commands that cannot start.

use crate::client::get;
use crate::fixture::{READY, Running, STARTS, eventually, pid_of, problem};

#[test]
fn one_that_dies_with_a_request_is_told_of_and_started_again() {
    let worker = Running::start(2);
    for (target, how) in
        [("/exit?status=7", "ended with exit status 7"), ("/kill", "ended by signal 9 (SIGKILL)")]
    {
        let starts = worker.metric(STARTS);
        let detail = problem(&get(worker.address, target), 502);
        assert!(detail.contains(how), "{detail}");
        // The other one goes on.
        worker.get("/");
        worker.wait_for(STARTS, starts + 1.0);
        worker.wait_for(READY, 2.0);
    }
    worker.get("/");
}

#[test]
fn a_server_may_listen_at_a_socket_of_its_own() {
    let worker = Running::configured(2, |run| {
        run.command = run.command.replace("PORT={port}", "SOCKET={socket}");
    });
    worker.wait_for(READY, 2.0);
    worker.get("/burn?ms=1");
    // The next one finds the socket of the one before.
    problem(&get(worker.address, "/kill"), 502);
    worker.wait_for(STARTS, 3.0);
    worker.wait_for(READY, 2.0);
    worker.get("/");
}

#[test]
fn one_that_does_not_answer_is_told_of() {
    let worker = Running::start(1);
    let pid = pid_of(&worker.get("/"));
    let detail = problem(&get(worker.address, "/break"), 502);
    assert!(detail.contains("process 0 gave no answer"), "{detail}");
    assert_eq!(pid_of(&worker.get("/")), pid, "it lives");
}

#[test]
fn a_command_that_cannot_start_is_told_of_with_what_it_said() {
    let worker = Running::configured(2, |run| {
        run.command = "echo no such luck at {port} >&2; exit 4".to_owned();
    });
    let detail = |path: &str| problem(&get(worker.address, path), 503);
    eventually(|| match detail("/readyz") {
        detail if detail.contains("exit status 4") && detail.contains("no such luck") => Ok(()),
        detail => Err(detail),
    });
    assert_eq!(get(worker.address, "/healthz").status, 200);
    let refused = detail("/");
    assert!(refused.contains("exit status 4"), "{refused}");
    // It is tried again.
    eventually(|| match worker.metric(STARTS) {
        starts if 4.0 <= starts => Ok(()),
        starts => Err(starts.to_string()),
    });
}

#[test]
fn one_that_is_never_ready_is_given_up() {
    let worker = Running::configured(1, |run| {
        run.command = "echo sleeps; exec sleep 1000 # {port}".to_owned();
        run.start_timeout = std::time::Duration::from_millis(50);
    });
    eventually(|| match problem(&get(worker.address, "/readyz"), 503) {
        detail if detail.contains("was not ready within 50ms") => Ok(()),
        detail => Err(detail),
    });
}

#[test]
fn readiness_is_asked_of_the_path() {
    let worker = Running::configured(1, |run| {
        run.ready = Some("/burn?ms=0&status=503".to_owned());
        run.start_timeout = std::time::Duration::from_secs(2);
    });
    eventually(|| match problem(&get(worker.address, "/readyz"), 503) {
        detail if detail.contains("was not ready within 2s") => Ok(()),
        detail => Err(detail),
    });
    let worker = Running::configured(1, |run| run.ready = Some("/burn?ms=0&status=404".to_owned()));
    worker.wait_for(READY, 1.0);
    worker.get("/");
}
