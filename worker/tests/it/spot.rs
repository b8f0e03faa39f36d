//! A worker on a spot instance that is taken back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use weighbridge_worker::SpotNotices;

use crate::client::{Connection, DEADLINE, get, post};
use crate::fixture::{Running, bmp, data_url};

/// What a metadata service answers to a look for a notice.
const NOTHING_PLANNED: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
const TAKEN_BACK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 53\r\n\r\n\
                          {\"action\":\"terminate\",\"time\":\"2026-11-30T18:00:00Z\"}\n";

/// A metadata service with tokens (version 2).
struct Metadata {
    address: SocketAddr,
    says: Arc<Mutex<&'static str>>,
    /// Looks with the token that was given.
    looks: Arc<AtomicUsize>,
}

impl Metadata {
    fn start(says: &'static str) -> Metadata {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens");
        let (says, looks) = (Arc::new(Mutex::new(says)), Arc::new(AtomicUsize::new(0)));
        let (answer, counted) = (Arc::clone(&says), Arc::clone(&looks));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = *answer.lock().expect("nobody panics");
                serve(stream, answer, &counted);
            }
        });
        Metadata { address, says, looks }
    }

    fn notices(&self) -> SpotNotices {
        SpotNotices { address: self.address, interval: Duration::from_millis(10) }
    }

    fn wait_for_looks(&self) {
        let (before, start) = (self.looks.load(Ordering::Acquire), Instant::now());
        while self.looks.load(Ordering::Acquire) < before + 3 {
            assert!(start.elapsed() < DEADLINE, "nobody looks");
            thread::yield_now();
        }
    }
}

/// One answer for each connection; the worker keeps none.
fn serve(mut stream: TcpStream, answer: &str, looks: &AtomicUsize) {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => head.extend_from_slice(&buffer[..length]),
            Ok(_) | Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let answer = if head.starts_with("put /latest/api/token ") {
        assert!(head.contains("x-aws-ec2-metadata-token-ttl-seconds: 60"), "{head}");
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsesame"
    } else {
        assert!(head.starts_with("get /latest/meta-data/spot/instance-action "), "{head}");
        assert!(head.contains("x-aws-ec2-metadata-token: sesame\r\n"), "{head}");
        looks.fetch_add(1, Ordering::AcqRel);
        answer
    };
    // The worker may have gone.
    let _ = stream.write_all(answer.as_bytes());
}

fn leaves(worker: &Running) -> bool {
    get(worker.address, "/load").header("weighbridge-draining").is_some()
}

#[test]
fn a_notice_lets_it_refuse_new_work_and_finish_what_it_has() {
    let metadata = Metadata::start(NOTHING_PLANNED);
    let worker = Running::configured(|config| config.spot_notices = Some(metadata.notices()));
    let body = data_url("bmp", &bmp(8, 8));
    metadata.wait_for_looks();
    assert!(!leaves(&worker));
    assert_eq!(post(worker.address, "/blurimage", &body).status, 200);
    let mut taken = Connection::open(worker.address);
    let length = body.len();
    let head = format!(
        "POST /blurimage HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    );
    taken.send(head.as_bytes());
    assert_eq!(taken.response().status, 100);

    *metadata.says.lock().expect("nobody panics") = TAKEN_BACK;
    let start = Instant::now();
    while !leaves(&worker) {
        assert!(start.elapsed() < DEADLINE, "it takes new work");
    }
    post(worker.address, "/blurimage", &body).assert_problem(503, None);
    assert_eq!(get(worker.address, "/readyz").status, 503);
    taken.send(&body);
    assert_eq!(taken.response().status, 200);
    // It stays until the machine ends it: one that is started anew would take work again.
    assert_eq!(get(worker.address, "/healthz").status, 200);
}

#[test]
fn a_metadata_service_that_is_away_or_broken_is_no_notice() {
    let metadata = Metadata::start("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    let worker = Running::configured(|config| config.spot_notices = Some(metadata.notices()));
    metadata.wait_for_looks();
    assert!(!leaves(&worker));
    *metadata.says.lock().expect("nobody panics") = TAKEN_BACK;
    let start = Instant::now();
    while !leaves(&worker) {
        assert!(start.elapsed() < DEADLINE, "it has given up");
    }

    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("it listens");
    drop(nobody);
    let notices = SpotNotices { address, interval: Duration::from_millis(1) };
    let worker = Running::configured(|config| config.spot_notices = Some(notices));
    let body = data_url("bmp", &bmp(8, 8));
    for _ in 0..20 {
        assert_eq!(post(worker.address, "/blurimage", &body).status, 200);
    }
    assert!(!leaves(&worker));
}
