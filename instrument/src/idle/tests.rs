use std::process::{Command, Stdio};

use super::*;

/// The policy of the process `pid`, as the system shows it.
fn policy_of(pid: u32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let (_, rest) = stat.rsplit_once(')').expect("a name in brackets");
    rest.split_whitespace().nth(38).expect("it has one").parse().expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn another_process_becomes_idle() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
    let id = i32::try_from(child.id()).expect("an id");
    set_idle(id, true).expect("any process may become idle");
    assert_eq!(policy_of(child.id()), libc::SCHED_IDLE);
    // Only with a privilege: then it is ordinary again.
    if set_idle(id, false).is_ok() {
        assert_eq!(policy_of(child.id()), libc::SCHED_OTHER);
    }
    drop(child.stdin.take());
    child.wait().expect("it ends");
}

#[test]
fn a_thread_that_is_not_there_cannot() {
    assert!(set_idle(i32::MAX, true).is_err());
}
