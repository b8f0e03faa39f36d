//! Many at once: the memory budget and the waiting room.

use std::sync::{Arc, Condvar, Mutex};

use crate::balancer::Balancer;
use crate::client::{Connection, ask, head, request};
use crate::host::{self, Host, Then};

#[test]
fn many_long_bodies_at_once_stay_within_the_budget() {
    const BODY_BYTES: usize = 16 << 20;
    let host = Host::start(|heard, client| {
        host::answer(client, "200 OK", &[], heard.body.len().to_string().as_bytes());
        Then::Keep
    });
    let balancer = Balancer::before(&[host.address], "limits.buffer_bytes_total = \"64MiB\"\n");
    let body = vec![b'a'; BODY_BYTES];
    std::thread::scope(|scope| {
        let one = || ask(balancer.address, "POST", "/held", &body);
        let all: Vec<_> = (0..24).map(|_| scope.spawn(one)).collect();
        for answer in all {
            let answer = answer.join().expect("it is answered");
            assert_eq!(answer.status, 200, "they wait for each other");
            assert_eq!(answer.body, BODY_BYTES.to_string().as_bytes());
        }
    });
    #[cfg(target_os = "linux")]
    {
        let peak = balancer.memory_peak();
        assert!(peak < 200 << 20, "24 x 16 MiB took `{peak}` bytes");
    }
}

#[test]
fn a_body_that_finds_no_room_in_time_is_refused() {
    let host = Host::mirror();
    let more = "limits.body_bytes = \"1MiB\"\nlimits.buffer_bytes_total = \"1MiB\"\n\
                limits.rate_min = \"1B\"\ntimeouts.body_read = \"300ms\"\n";
    let balancer = Balancer::before(&[host.address], more);
    // It holds all the room, for as long as it sends a byte now and then: that is fast enough.
    let mut greedy = Connection::open(balancer.address);
    greedy.send(head("POST", "/held", &["Expect: 100-continue", "Content-Length: 1048576"]));
    assert_eq!(greedy.response("POST").status, 100, "it has its room");
    let refused = std::thread::scope(|scope| {
        let refused = scope.spawn(|| ask(balancer.address, "POST", "/held", &vec![b'a'; 1 << 20]));
        while !refused.is_finished() {
            greedy.send(b"a");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        refused.join().expect("it is answered")
    });
    refused.assert_problem(503, Some("body"));
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_full_waiting_room_sheds_with_a_time_to_come_back() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let inner = gate.clone();
    let host = Host::start(move |_, client| {
        let (open, opened) = &*inner;
        let guard = opened.wait_while(open.lock().expect("no panic"), |open| !*open);
        drop(guard.expect("no panic"));
        host::answer(client, "200 OK", &[], b"");
        Then::Keep
    });
    let more = "hosts.in_flight_max_per_core = 1\nqueue.requests_max = 1\n";
    let balancer = Balancer::before(&[host.address], more);
    for target in ["/held", "/stream"] {
        *gate.0.lock().expect("no panic") = false;
        let heard = host.heard().len();
        let mut running = Connection::open(balancer.address);
        running.send(request("GET", target, &[], b""));
        while host.heard().len() == heard {
            std::thread::yield_now();
        }
        // Of two more, one waits and the other finds the waiting room full.
        let mut others = [(); 2].map(|()| Connection::open(balancer.address));
        for other in &mut others {
            other.send(request("GET", target, &[], b""));
        }
        let statuses = std::thread::scope(|scope| {
            let both = others.each_mut().map(|other| scope.spawn(|| other.response("GET")));
            // Whoever is shed is so before anything else ends.
            while !both.iter().any(std::thread::ScopedJoinHandle::is_finished) {
                std::thread::yield_now();
            }
            *gate.0.lock().expect("no panic") = true;
            gate.1.notify_all();
            both.map(|answer| answer.join().expect("it is answered"))
        });
        assert_eq!(running.response("GET").status, 200);
        let shed = statuses.iter().find(|answer| answer.status == 503).expect("one is shed");
        shed.assert_problem(503, None);
        let secs: u64 = shed.header("retry-after").expect("a time").parse().expect("seconds");
        assert!((1..=60).contains(&secs));
        assert!(statuses.iter().any(|answer| answer.status == 200), "{target}");
    }
}
