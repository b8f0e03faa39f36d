//! A service with jobs: a balancer before hosts that do as a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::client::{Connection, Response, request};
use crate::harness::DEADLINE;
use crate::harness::balancer::{Balancer, Place};
use crate::harness::eventually;
use crate::host::{Host, Then, answer};

/// What every test's configuration begins with.
const CONFIG: &str = "admin_hosts = [\"weighbridge\"]\ntimeouts.report_interval = \"50ms\"\nhosts.eject_failures = 1000\n\
     fleet.kind = \"static\"\nrepeats.entries_max = 0\n";

/// What jobs are to be like, unless a test says otherwise.
const JOBS: &str = "[jobs]\nenabled = true\npoll = \"50ms\"\nbackoff_min = \"10ms\"\n";

/// A gate that hosts wait at.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<usize>, Condvar)>);

/// The configuration of a balancer before `hosts`, with one route for all paths. `route` and `jobs`
/// are further keys of these tables; `jobs` may have further tables behind them.
pub(crate) fn config(hosts: &[SocketAddr], route: &str, jobs: &str) -> String {
    let hosts: Vec<String> =
        hosts.iter().map(|host| format!("{{ address = \"{host}\", cores = 4 }}")).collect();
    let hosts = hosts.join(", ");
    format!(
        "{CONFIG}fleet.static.hosts = [{hosts}]\n[[routes]]\nname = \"work\"\npath = \"/\"\n\
         {route}\n{JOBS}{jobs}\n"
    )
}

/// A balancer that serves in a folder of its own.
pub(crate) struct Service {
    pub(crate) balancer: Balancer,
    pub(crate) place: Place,
}

impl Service {
    /// Before `hosts`, all of which are ready.
    pub(crate) fn start(hosts: &[&Host], route: &str, jobs: &str) -> Service {
        let addresses: Vec<SocketAddr> = hosts.iter().map(|host| host.address).collect();
        let place = Place::new(&config(&addresses, route, jobs));
        let balancer = place.serve();
        balancer.has_active(hosts.len());
        Service { balancer, place }
    }

    /// Asks with further header lines.
    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Response {
        ask(self.balancer.listen, method, target, headers, body)
    }

    /// Has a job accepted. Where it is asked for.
    #[track_caller]
    pub(crate) fn accept(&self, target: &str, headers: &[&str], body: &[u8]) -> String {
        let headers = [&["Prefer: respond-async"], headers].concat();
        let accepted = self.ask("POST", target, &headers, body);
        assert_eq!(accepted.status, 202, "{}", text(&accepted));
        accepted.header("location").expect("a place to ask").to_owned()
    }

    /// How the job at `location` is.
    #[track_caller]
    pub(crate) fn status(&self, location: &str) -> Value {
        let answer = self.ask("GET", location, &[], b"");
        assert!(matches!(answer.status, 200 | 202), "{}: {}", answer.status, text(&answer));
        json(&answer)
    }

    /// Asks how the job at `location` is, which may have ended.
    #[track_caller]
    pub(crate) fn status_or_end(&self, location: &str) {
        let answer = self.ask("GET", location, &[], b"");
        assert!(matches!(answer.status, 200 | 303), "{}: {}", answer.status, text(&answer));
    }

    /// Waits until the job at `location` is in that state.
    #[track_caller]
    pub(crate) fn becomes(&self, location: &str, state: &str) -> Value {
        eventually(&format!("{location} is {state}"), || {
            Some(self.operators(location)).filter(|told| told["state"] == state)
        })
    }

    /// What operators see of the job at `location`.
    pub(crate) fn operators(&self, location: &str) -> Value {
        self.balancer.json(location)
    }

    /// Waits for the result of the job at `location`.
    #[track_caller]
    pub(crate) fn result(&self, location: &str) -> Response {
        result(self.balancer.listen, location)
    }
}

/// Waits for the result of the job at `location` of the balancer at `listen`.
#[track_caller]
pub(crate) fn result(listen: SocketAddr, location: &str) -> Response {
    let begun = std::time::Instant::now();
    loop {
        let told = ask(listen, "GET", location, &["Prefer: wait=10"], b"");
        if told.status == 303 {
            let at = told.header("location").expect("a place").to_owned();
            return ask(listen, "GET", &at, &[], b"");
        }
        assert_eq!(told.status, 200, "{}", text(&told));
        assert!(begun.elapsed() < DEADLINE, "not in time: {}", text(&told));
    }
}

/// One request on a connection of its own.
pub(crate) fn ask(
    listen: SocketAddr,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &[u8],
) -> Response {
    let mut connection = Connection::open(listen);
    connection.send(request(method, target, headers, body));
    connection.response(method)
}

pub(crate) fn text(answer: &Response) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[track_caller]
pub(crate) fn json(answer: &Response) -> Value {
    let read = serde_json::from_slice(&answer.body);
    assert!(read.is_ok(), "no JSON: {}", text(answer));
    read.unwrap_or_default()
}

/// A host that answers everything with its own request line and body.
pub(crate) fn echo() -> Host {
    Host::start(|heard, client| {
        let body = [heard.line.as_bytes(), b"|", &heard.body].concat();
        answer(client, "200 OK", &["X-Kept: yes"], &body);
        Then::Keep
    })
}

/// A host that answers when the gate lets it.
pub(crate) fn gated(gate: &Gate) -> Host {
    let gate = gate.clone();
    Host::start(move |heard, client| {
        gate.pass();
        answer(client, "200 OK", &[], &heard.body);
        Then::Keep
    })
}

// === impl Gate ===

impl Gate {
    /// Lets `n` more through.
    pub(crate) fn open(&self, n: usize) {
        let (free, changed) = &*self.0;
        *free.lock().expect("no test panics here") += n;
        changed.notify_all();
    }

    /// Waits until it is let through.
    pub(crate) fn pass(&self) {
        let (free, changed) = &*self.0;
        let guard = free.lock().expect("no test panics here");
        let mut guard = changed.wait_while(guard, |free| *free == 0).expect("as above");
        *guard -= 1;
    }
}
