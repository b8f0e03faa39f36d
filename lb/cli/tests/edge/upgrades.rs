//! Reloads and upgrades of a balancer that speaks TLS and HTTP/2: nothing is lost.

use rustix::process::{Pid, Signal, kill_process};

use crate::balancer::{Balancer, listener};
use crate::frames::{ACK, Frame, Frames, GOAWAY, HEADERS, PING};
use crate::host::Host;
use crate::pki::Pki;
use crate::strict::Clients;

/// The highest id that a stream can have (RFC 9113, section 6.8).
const EVERY_STREAM: u32 = (1 << 31) - 1;

/// The balancer that has taken over; ended when it is dropped.
struct Heir(Pid);

impl Drop for Heir {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ended = kill_process(self.0, Signal::KILL);
    }
}

/// Whether the process has ended, whoever waits for it.
fn is_gone(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let Ok(stat) = stat else { return true };
    // `PID (NAME) STATE ...`, where the name may hold anything.
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

/// Lets another process take over.
#[track_caller]
fn upgrade(balancer: &Balancer) -> Heir {
    let (is_done, said) = balancer.operate(&["upgrade"]);
    let pid = said.strip_prefix("process ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    assert!(is_done && pid.is_some(), "{said}\n{}", balancer.log());
    Heir(pid.and_then(Pid::from_raw).expect("a process id"))
}

#[test]
fn no_request_by_tls_is_lost_by_upgrades_and_reloads() {
    let (pki, host) = (Pki::new(), Host::mirror());
    let mut balancer =
        Balancer::before(host.address, &listener(&[&pki.server("a", &["a.example"])], ""));
    let clients = Clients::asking(&pki.ca(), balancer.listeners[1]);
    clients.go_on(30);
    let mut heirs = Vec::new();
    for _ in 0..5 {
        heirs.push(upgrade(&balancer));
        clients.go_on(30);
        let (is_done, said) = balancer.operate(&["reload"]);
        assert!(is_done, "{said}");
        clients.go_on(30);
    }
    let n_requests = clients.assert_faultless();
    println!("{n_requests} requests by TLS, 5 upgrades, 5 reloads");
    assert!(balancer.ends());
    let last = heirs.pop().expect("there were five");
    balancer.wait("those before the last have ended", || heirs.iter().all(|heir| is_gone(heir.0)));
    assert!(!is_gone(last.0));
}

/// Does what a client may that hears of the end when it has just begun another request: it answers
/// the ping first, and both arrive together.
#[track_caller]
fn a_request_that_crosses_is_answered(frames: &mut Frames) {
    let goaway = frames.next_of(GOAWAY);
    assert_eq!(goaway.last_stream(), EVERY_STREAM, "the first says only that there is an end");
    let ping = frames.next_of(PING);
    frames.send(&[Frame { flags: ACK, ..ping }, Frame::get(3)]);
    let answer = frames.next_of(HEADERS);
    assert!(answer.stream == 3 && answer.is_ok(), "{answer:?}");
    assert_eq!(frames.next_of(GOAWAY).last_stream(), 3);
    while frames.next().is_some() {}
}

#[test]
fn a_request_that_crosses_the_goaway_of_an_upgrade_is_answered() {
    let host = Host::mirror();
    let mut balancer = Balancer::before(host.address, "");
    let mut frames = Frames::open(balancer.listeners[0]);
    frames.send(&[Frame::get(1)]);
    assert!(frames.next_of(HEADERS).is_ok());
    let _heir = upgrade(&balancer);
    a_request_that_crosses_is_answered(&mut frames);
    assert!(balancer.ends());
}

#[test]
fn a_request_that_crosses_the_goaway_of_a_stop_is_answered() {
    let host = Host::mirror();
    let mut balancer = Balancer::before(host.address, "");
    let mut frames = Frames::open(balancer.listeners[0]);
    frames.send(&[Frame::get(1)]);
    assert!(frames.next_of(HEADERS).is_ok());
    kill_process(balancer.pid(), Signal::TERM).expect("it runs");
    a_request_that_crosses_is_answered(&mut frames);
    assert!(balancer.ends());
}
