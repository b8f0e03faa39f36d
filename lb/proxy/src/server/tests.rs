//! A balancer that gets signals: those of this process. One test, because they are for all of it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};

use super::*;
use crate::signals::Signals;

/// Nothing here takes so long, unless something is wrong.
const DEADLINE: Duration = Duration::from_secs(30);

/// A host that is ready, and answers each request when it is told to.
fn host() -> (SocketAddr, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (go, gone) = channel();
    let gone = Arc::new(parking_lot::Mutex::new(gone));
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let gone = gone.clone();
            thread::spawn(move || {
                let mut head = [0; 4096];
                while let Ok(1..) = stream.read(&mut head) {
                    if head.starts_with(b"GET /wait") && gone.lock().recv().is_err() {
                        return;
                    }
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, go)
}

async fn start(host: SocketAddr, log: &Path) -> Server {
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nthreads = 1\n\
         [fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{host}\"\n\
         [[routes]]\nname = \"all\"\npath = \"/wait\"\n\
         [store]\nkind = \"off\"\n[timeouts]\ndrain = \"100ms\"\n\
         [access_log]\nto = \"file\"\npath = \"{}\"\n",
        log.display()
    );
    let config = Config::parse(&text, &[]).unwrap();
    Server::start(config, Services::default()).await.unwrap()
}

/// Sends a request whose answer the host holds back; a thread waits for the status line.
fn ask(balancer: SocketAddr) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut stream = TcpStream::connect(balancer).unwrap();
        stream.write_all(b"GET /wait HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // One that is cut off may end in a reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    })
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn signal(signal: Signal) {
    kill_process(getpid(), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_signal_cuts_a_request_but_the_end_of_a_drain_which_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let [log, moved] = ["access.jsonl", "access.jsonl.1"].map(|name| folder.path().join(name));
    let (host, go) = host();
    let mut signals = Signals::listen().unwrap();
    let server = start(host, &log).await;
    let (front, listen) = (server.front(), server.listen);
    let running = tokio::spawn(async move { server.run(&mut signals).await });

    let asked = ask(listen);
    until("a request is in flight", || front.in_flight() == 1).await;
    for reopens in [Signal::USR1, Signal::HUP] {
        std::fs::rename(&log, &moved).unwrap();
        signal(Signal::USR2);
        signal(Signal::XFSZ);
        signal(reopens);
        until("the log is opened again", || log.exists()).await;
    }
    go.send(()).unwrap();
    let joined = tokio::task::spawn_blocking(|| asked.join().unwrap());
    assert_eq!(joined.await.unwrap(), "HTTP/1.1 200 OK");
    until("it is logged", || std::fs::read_to_string(&log).unwrap().lines().count() == 1).await;

    let asked = ask(listen);
    until("a request is in flight", || front.in_flight() == 1).await;
    signal(Signal::QUIT);
    assert_eq!(running.await.unwrap(), 1, "requests that were cut off");
    drop(go);
    drop(asked);
}
