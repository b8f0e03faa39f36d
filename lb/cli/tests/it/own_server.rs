//! Somebody's own server, started by the workers.

use rustix::process::Signal;

use crate::harness::balancer::{Place, run, spawn, weighbridge};
use crate::harness::client::get;
use crate::harness::process::is_gone;
use crate::harness::{eventually, until};

/// Python's own server of files. It says on standard error what it is asked for.
fn files(place: &Place) -> String {
    let folder: &std::path::Path = place.as_ref();
    std::fs::write(folder.join("hello.txt"), "hello from a file\n").expect("it is writable");
    let folder = folder.display();
    format!("exec python3 -u -m http.server {{port}} --bind 127.0.0.1 --directory '{folder}'")
}

#[test]
fn one_line_puts_a_server_behind_the_balancer() {
    let place = Place::new("");
    let balancer = place.up_with(&["--workers", "1", "--processes", "2", "--run", &files(&place)]);
    balancer.has_active(1);
    let answer = get(balancer.listen, "/hello.txt");
    assert_eq!((answer.status, answer.text()), (200, "hello from a file\n".into()));
    assert_eq!(get(balancer.listen, "/nothing").status, 404);
    // The worker has measured it, and the balancer believes that.
    balancer.has_learned("what requests cost", || {
        let route = balancer.json("/models")["routes"]["all"].clone();
        (route["observations"] == 2 && route["learned_from"] == "costs").then_some(())
    });
    // What the server prints is in the log, with its number.
    eventually("the log", || balancer.process.said("GET /hello.txt"));
}

#[test]
fn nothing_of_it_is_left_when_the_balancer_is_killed() {
    let place = Place::new("");
    let balancer = place.up_with(&["--workers", "1", "--processes", "2", "--run", &files(&place)]);
    balancer.has_active(1);
    let started = descendants(balancer.process.pid());
    assert!(5 <= started.len(), "a worker, two guards and two servers: {started:?}");
    balancer.process.send(Signal::KILL);
    for pid in started {
        until(&format!("the end of {pid}"), || is_gone(pid));
    }
}

#[test]
fn a_worker_tells_of_all_mistakes_at_once() {
    let wrong = ["worker", "--listen", "127.0.0.1:0", "--run", "gunicorn app:app"];
    let more = ["--processes", "3", "--concurrency", "2", "--ready", "health"];
    let told = run(wrong.into_iter().chain(more));
    assert!(!told.status.success());
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    for mistake in ["`gunicorn app:app` does not say where", "concurrency is `2`", "`health`"] {
        assert!(told.contains(mistake), "no `{mistake}` in {told}");
    }
}

#[test]
fn options_of_a_server_need_one() {
    for option in [["--processes", "2"], ["--park", "stop"], ["--ready", "/"]] {
        let refused = run(["worker", "--listen", "127.0.0.1:0"].into_iter().chain(option));
        assert!(!refused.status.success());
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains("--run"), "{told}");
    }
}

#[test]
fn a_command_that_cannot_start_is_told_of_plainly() {
    let command = "echo there is no app called nonsense >&2; exit 3 # {port}";
    let mut worker =
        spawn(weighbridge(["worker", "--listen", "127.0.0.1:0", "--cores", "1", "--run", command]));
    let address = worker.says("listening on ").parse().expect("an address");
    worker.says("cannot be started: it ended with exit status 3; it said: there is no");
    until("it is not ready", || get(address, "/readyz").text().contains("nonsense"));
}

/// Every process below `pid`.
fn descendants(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(&pid) = all.get(next) {
        next += 1;
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    all.split_off(1)
}
