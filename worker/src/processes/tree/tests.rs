use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;

#[test]
fn a_field_is_found_behind_any_name() {
    let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 17 18 20 0";
    assert_eq!(field_of(stat, 3), Some("S"));
    assert_eq!((field_of(stat, 16), field_of(stat, 17)), (Some("17"), Some("18")));
    assert_eq!((field_of(stat, 2), field_of(stat, 99)), (None, None));
}

#[test]
fn a_tree_has_what_was_forked_and_the_time_of_what_has_ended() {
    let script = "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; echo done; read x";
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("it says that it is done");

    let this = rustix::process::getpid();
    let pid = Pid::from_child(&child);
    assert!(descendants(this).contains(&pid));
    let tree = Tree { guard: pid, members: Vec::new(), reaped: Duration::ZERO };
    assert_eq!(tree.cpu_time(), Some(Duration::ZERO), "it has no members");
    assert!(Duration::ZERO < reaped(pid), "what it has waited for has used some");
    assert!(status_bytes(pid, "VmHWM").is_some_and(|bytes| 0 < bytes));
    drop(child.stdin.take());
    child.wait().expect("it ends");
}
