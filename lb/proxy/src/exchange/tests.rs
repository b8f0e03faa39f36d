//! Exchanges without a socket: hosts in memory, and a caller that is no session.

mod hosts;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use pingora::http::ResponseHeader;

use weighbridge_core::host::HostSpec;
use weighbridge_core::units::{Speed, Work};

use super::*;
use crate::access_log::AccessWriter;
use crate::budget::{BudgetLimits, MemoryBudget, Owner};
use crate::config::{Config, Shown, Taken};
use crate::fleet::probe::Probe;
use crate::fleet::{AddressBook, Place};
use crate::fleets::Fleets;
use crate::forward::Connections;
use crate::gauges::Gauges;
use crate::metrics::Metrics;
use crate::repeats::Repeats;
use crate::roster::Roster;
use crate::traces::Traces;
use hosts::{Act, Hosts};
use std::sync::Arc;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kept: yes\r\nKeep-Alive: timeout=5\r\n\
                  endpoint-load-metrics: JSON {\"request_cost\":{\"cpu_seconds\":0.25}}\r\n\r\nhello";

/// A caller that keeps what it gets.
#[derive(Default)]
struct Listener {
    interim: Vec<u16>,
    head: Option<Box<ResponseHeader>>,
    body: Vec<u8>,
    is_done: bool,
    /// Leaves once the hosts have read so many requests.
    leaves_after: Option<(Hosts, usize)>,
    /// Looked at when the answer comes.
    budget: Option<MemoryBudget>,
    held_bytes: u64,
}

impl Caller for Listener {
    fn request(&self, body_bytes: u64) -> pingora::Result<Box<RequestHeader>> {
        let mut request = RequestHeader::build(Method::POST, b"/work?size=3", None)?;
        request.insert_header("host", "service")?;
        request.insert_header("content-length", body_bytes)?;
        Ok(Box::new(request))
    }

    fn owner(&self) -> Owner {
        Owner(None)
    }

    async fn gone(&mut self) {
        let Some((hosts, n_requests)) = &self.leaves_after else {
            return std::future::pending().await;
        };
        while hosts.requests().len() < *n_requests {
            tokio::task::yield_now().await;
        }
    }

    async fn interim(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        self.interim.push(head.status.as_u16());
        Ok(())
    }

    async fn switch(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        self.head = Some(head);
        Ok(())
    }

    async fn receive(&mut self) -> Option<Bytes> {
        std::future::pending().await
    }

    async fn take(&mut self, answer: Whole) -> Result<u64, Gone> {
        self.held_bytes = self.budget.as_ref().map_or(0, MemoryBudget::held_bytes);
        self.head = Some(answer.header);
        self.body = answer.body.to_vec();
        self.is_done = true;
        Ok(answer.body.len() as u64)
    }

    async fn begin(&mut self, head: Box<ResponseHeader>) -> Result<(), Gone> {
        self.head = Some(head);
        Ok(())
    }

    async fn piece(&mut self, piece: Option<Bytes>) -> Result<(), Gone> {
        self.is_done = piece.is_none();
        self.body.extend_from_slice(&piece.unwrap_or_default());
        Ok(())
    }
}

impl Listener {
    fn status(&self) -> u16 {
        self.head.as_ref().unwrap().status.as_u16()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.headers.get(name)?.to_str().ok()
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// The rooms of a balancer with so many hosts that play a script.
struct Rooms {
    dispatch: Dispatch,
    ledger: Ledger,
    hosts: Hosts,
}

fn rooms(n_hosts: u16, settings: &str, script: &[Act]) -> Rooms {
    let text = format!(
        "access_log.to = \"off\"\n{settings}\n[[routes]]\nname = \"work\"\npath = \"/work\"\n\
         idempotent = true\n"
    );
    let config = Arc::new(Config::parse(&text, &weighbridge_scene_extract::extractors()).unwrap());
    let hosts = Hosts::playing(script);
    let fleets = Arc::new(Fleets::new(&config, 1));
    let decide = fleets.main().clone();
    let book = Arc::new(AddressBook::default());
    for port in 1..=n_hosts {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let spec = HostSpec {
            name: address.to_string(),
            cores: 1,
            speed: Speed::ONE,
            discipline: None,
            price: 1.0,
        };
        let name = spec.name.clone();
        let id = decide.with(|balancer, now| {
            let id = balancer.join(now, spec);
            balancer.ready(now, id);
            id
        });
        book.insert(id, Place::plain(name, address, None));
    }
    let metrics = Metrics::new().unwrap();
    let ledger = Ledger {
        access_log: Arc::new(AccessWriter::open(&config.access_log, metrics.registry()).unwrap()),
        traces: Traces::open(&config.traces, metrics.registry()).unwrap(),
        gauges: Arc::new(Gauges::new(metrics.registry()).unwrap()),
        feature_names: config.policy.routes.iter().map(|r| r.features.names().into()).collect(),
        repeats: Arc::new(Repeats::new(&config.repeats, metrics.registry()).unwrap()),
        hosts: book.clone(),
        fleets: fleets.clone(),
        recorder: None,
        metrics,
        config: config.clone(),
    };
    let connections = Arc::new(Connections::over(Arc::new(hosts.clone())));
    let limits = BudgetLimits::by(&config.limits, config.limits.body_bytes);
    let budget = MemoryBudget::new(limits);
    let roster = Roster::new(book.clone(), Probe::new(Duration::from_secs(1)), &config);
    let dispatch = Dispatch {
        connections,
        budget,
        functions: None,
        hosts: book,
        roster: Arc::new(roster),
        fleets,
        config,
    };
    Rooms { dispatch, ledger, hosts }
}

/// The route that `path` takes.
fn route(dispatch: &Dispatch, path: &str) -> RouteId {
    let shown = Shown { host: None, path, method: &http::Method::POST };
    match dispatch.config.route_table.take(shown) {
        Taken::Route(route) => route,
        other => panic!("{other:?}"),
    }
}

impl Rooms {
    async fn serve(&self, caller: &mut Listener) -> (Result<(), ExchangeError>, Record) {
        self.serve_at("/work", caller).await
    }

    /// Serves a request of the route that `path` takes.
    async fn serve_at(
        &self,
        path: &str,
        caller: &mut Listener,
    ) -> (Result<(), ExchangeError>, Record) {
        let route = route(&self.dispatch, path);
        let mut record = Record::new();
        record.route = Some(route);
        let body = Payload::Held(Bytes::from_static(b"body"));
        let rooms = (&self.dispatch, &self.ledger);
        let served = serve(rooms, caller, &mut record, (route, &body));
        let served = tokio::time::timeout(PATIENCE, served).await.unwrap();
        self.dispatch.fleets.main().look(|balancer, _| balancer.check_invariants());
        (served, record)
    }

    fn claims(&self) -> u32 {
        self.dispatch
            .fleets
            .main()
            .look(|balancer, _| balancer.hosts().map(|host| host.in_flight).sum())
    }
}

#[tokio::test]
async fn an_answer_reaches_its_caller_without_what_is_the_balancers() {
    let rooms = rooms(1, "", &[Act::Answer(OK)]);
    let mut caller = Listener::default();
    let (served, record) = rooms.serve(&mut caller).await;
    assert!(served.is_ok());
    assert_eq!((caller.status(), caller.text(), caller.is_done), (200, "hello", true));
    assert_eq!(caller.header("x-kept"), Some("yes"));
    assert_eq!(caller.header("keep-alive"), None);
    assert_eq!(caller.header("endpoint-load-metrics"), None);
    assert!(caller.header("server-timing").unwrap().starts_with("wait;dur="));
    let heard = record.heard.unwrap();
    assert_eq!(heard.cost.cpu_seconds, Some(0.25));
    assert_eq!((record.status, record.tries), (200, 1));
    assert_eq!((record.bytes_in, record.bytes_out), (4, 5));
    assert_eq!(rooms.claims(), 0);
    let requests = rooms.hosts.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("POST /work?size=3 HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[0].ends_with("\r\n\r\nbody"), "{requests:?}");
}

#[tokio::test]
async fn a_host_that_dies_in_the_middle_of_its_answer_is_not_noticed() {
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
    let rooms = rooms(3, "", &[Act::Refuse, Act::Break(broken), Act::Answer(OK)]);
    let mut caller = Listener::default();
    let (served, record) = rooms.serve(&mut caller).await;
    assert!(served.is_ok());
    assert_eq!((caller.status(), caller.text()), (200, "hello"));
    assert_eq!(record.tries, 3);
    assert_eq!(rooms.hosts.requests().len(), 2);
    assert_eq!(rooms.claims(), 0);
}

/// A function whose result is a text of so many bytes.
struct Function(usize);

#[async_trait::async_trait]
impl crate::lambda::Functions for Function {
    async fn invoke(
        &self,
        _name: &str,
        _event: Bytes,
    ) -> Result<Bytes, crate::lambda::InvokeError> {
        Ok(format!("\"{}\"", "x".repeat(self.0)).into())
    }
}

#[tokio::test]
async fn what_a_function_returns_is_in_the_memory_budget_until_the_caller_has_it() {
    let settings = "[lambda]\nenabled = true\n[[routes]]\nname = \"far\"\npath = \"/work/far\"\n\
                    body = \"buffer\"\nlambda = \"far\"";
    let mut rooms = rooms(0, settings, &[]);
    rooms.dispatch.functions = Some(Arc::new(Function(5000)));
    let mut caller =
        Listener { budget: Some(rooms.dispatch.budget.clone()), ..Listener::default() };
    let (served, record) = rooms.serve_at("/work/far", &mut caller).await;
    assert!(served.is_ok());
    assert_eq!((caller.status(), record.bytes_out), (200, caller.body.len() as u64));
    assert_eq!(caller.held_bytes, caller.body.len() as u64);
    assert_eq!(rooms.dispatch.budget.held_bytes(), 0);
}

#[tokio::test]
async fn what_must_not_be_sent_twice_is_not() {
    let settings = "[[routes]]\nname = \"once\"\npath = \"/work/once\"\nidempotent = false";
    let rooms = rooms(2, settings, &[Act::Break(""), Act::Answer(OK)]);
    let mut caller = Listener::default();
    let (served, record) = rooms.serve_at("/work/once", &mut caller).await;
    assert!(served.is_ok());
    assert_eq!((caller.status(), record.status, record.tries), (502, 502, 1));
    assert_eq!(caller.header("content-type"), Some("application/problem+json"));
    assert_eq!(rooms.hosts.requests().len(), 1);
}

#[tokio::test]
async fn a_host_that_closes_on_a_request_does_not_get_it_more_often_than_tried() {
    let script = [Act::Answer(OK), Act::Break(""), Act::Break(""), Act::Answer(OK)];
    let rooms = rooms(2, "retry.tries_max = 3", &script);
    let (served, _) = rooms.serve(&mut Listener::default()).await;
    assert!(served.is_ok());
    // The idle connection breaks, and so does a new one; the third try is at the other host.
    let mut caller = Listener::default();
    let (served, record) = rooms.serve(&mut caller).await;
    assert!(served.is_ok());
    assert_eq!((caller.status(), record.tries), (200, 3));
    assert_eq!(rooms.hosts.requests().len(), 4);
}

#[tokio::test]
async fn a_request_that_every_host_fails_gets_its_verdict_soon() {
    let script = [Act::Break("nonsense\r\n\r\n"), Act::Answer(OK)];
    let rooms = rooms(1, "", &script);
    let mut caller = Listener::default();
    let looking = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            rooms.dispatch.fleets.main().with(|_, _| ());
        }
    };
    let (served, record) = tokio::select! {
        served = rooms.serve(&mut caller) => served,
        () = looking => unreachable!("it looks for ever"),
    };
    assert!(served.is_ok());
    assert_eq!((caller.status(), record.tries), (502, 1));
    assert_eq!(rooms.hosts.requests().len(), 1);
}

#[tokio::test]
async fn where_no_host_can_serve_the_caller_gets_what_the_last_one_said() {
    let full = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull";
    let rooms = rooms(2, "retry.tries_max = 2", &[Act::Answer(full), Act::Answer(full)]);
    let mut caller = Listener::default();
    let (served, record) = rooms.serve(&mut caller).await;
    assert!(served.is_ok());
    assert_eq!((caller.status(), caller.text(), record.tries), (503, "full", 2));
}

#[tokio::test]
async fn a_long_answer_comes_in_pieces_and_ends() {
    let settings = "limits.response_buffer_bytes = \"4B\"";
    let rooms = rooms(1, settings, &[Act::Answer(OK)]);
    let mut caller = Listener::default();
    let (served, record) = rooms.serve(&mut caller).await;
    assert!(served.is_ok());
    assert_eq!((caller.status(), caller.text(), caller.is_done), (200, "hello", true));
    assert_eq!(record.bytes_out, 5);
    assert_eq!(rooms.claims(), 0);
}

#[tokio::test]
async fn a_long_answer_that_breaks_off_is_told_from_one_that_ends() {
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
    let settings = "limits.response_buffer_bytes = \"4B\"";
    let rooms = rooms(1, settings, &[Act::Break(broken)]);
    let mut caller = Listener::default();
    let (served, _) = rooms.serve(&mut caller).await;
    assert!(matches!(served, Err(ExchangeError::BrokenOff(_))), "{served:?}");
    assert_eq!((caller.text(), caller.is_done), ("hello", false));
    assert_eq!(rooms.claims(), 0);
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_request_from_the_host() {
    let rooms = rooms(1, "", &[Act::Hang]);
    let leaves_after = Some((rooms.hosts.clone(), 1));
    let mut caller = Listener { leaves_after, ..Listener::default() };
    let (served, record) = rooms.serve(&mut caller).await;
    assert!(matches!(served, Err(ExchangeError::Gone(_))), "{served:?}");
    assert!(caller.head.is_none());
    assert_eq!((record.status, record.tries, rooms.claims()), (0, 1, 0));
    let told = async {
        while rooms.hosts.hung_up() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_the_waiting_room_gives_its_place_back() {
    let rooms = rooms(0, "", &[]);
    let leaves_after = Some((rooms.hosts.clone(), 0));
    let mut caller = Listener { leaves_after, ..Listener::default() };
    let (served, record) = rooms.serve(&mut caller).await;
    assert!(matches!(served, Err(ExchangeError::Gone(_))), "{served:?}");
    assert_eq!(record.tries, 0);
    let waiting = rooms.dispatch.fleets.main().look(|balancer, _| balancer.waiting().requests);
    assert_eq!(waiting, 0);
}

/// The body of such a request stays with its client: only the head is held.
#[tokio::test]
async fn a_held_request_goes_at_the_end_of_another_or_when_its_client_leaves() {
    let rooms = rooms(1, "", &[]);
    let decide = rooms.dispatch.fleets.main();
    let route = route(&rooms.dispatch, "/work");
    let arrive = || {
        let head = Listener::default().request(0).unwrap();
        let mut ask = ask::streamed(&rooms.dispatch, route, &head, Some(1 << 40)).ask;
        ask.known = Work::from_cpu_secs(1.0);
        decide.arrive(ask)
    };
    let (first, verdict) = arrive();
    assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
    let (mut second, verdict) = arrive();
    assert!(matches!(verdict, Verdict::Queue { .. }), "{verdict:?}");
    let (mut third, verdict) = arrive();
    assert!(matches!(verdict, Verdict::Queue { .. }), "{verdict:?}");
    let waiting = decide.look(|balancer, _| balancer.waiting());
    assert_eq!((waiting.requests, waiting.bytes), (2, 0));
    let mut record = Record::new();
    record.answered();
    first.complete(&record.outcome(), None);
    let verdict = tokio::time::timeout(PATIENCE, second.verdict()).await.unwrap();
    assert!(matches!(verdict, Some(Verdict::Forward(_))), "{verdict:?}");
    drop(second);
    let verdict = tokio::time::timeout(PATIENCE, third.verdict()).await.unwrap();
    assert!(matches!(verdict, Some(Verdict::Forward(_))), "{verdict:?}");
}
