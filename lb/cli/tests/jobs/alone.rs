//! Jobs that kill hosts, and hosts that die on a connection that had been used before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::park_timeout;
use std::time::Duration;

use crate::harness::balancer::Place;
use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::{Gate, Service, ask, config, result, text};

/// Some looks at the line.
const LOOKS: Duration = Duration::from_millis(300);

/// A host that `/poison` kills, as far as can be seen: the connection ends. From the third time on
/// it lasts until the gate opens. `/first` waits at another gate.
struct Victim {
    host: Host,
    /// How often it was killed.
    deaths: Arc<AtomicUsize>,
    first: Gate,
    third: Gate,
}

impl Victim {
    fn start() -> Victim {
        let (first, third) = (Gate::default(), Gate::default());
        let deaths = Arc::new(AtomicUsize::new(0));
        let (one, three, count) = (first.clone(), third.clone(), Arc::clone(&deaths));
        let host = Host::start(move |heard, client| {
            if heard.is_for("/poison") {
                let before = count.fetch_add(1, Ordering::SeqCst);
                if 2 <= before {
                    three.pass();
                }
                return Then::Close;
            }
            if heard.is_for("/first") {
                one.pass();
            }
            answer(client, "200 OK", &[], heard.line.as_bytes());
            Then::Keep
        });
        Victim { host, deaths, first, third }
    }

    fn deaths(&self) -> usize {
        self.deaths.load(Ordering::SeqCst)
    }
}

#[test]
fn what_has_killed_hosts_runs_alone_once_and_is_then_dead() {
    let victim = Victim::start();
    let service = Service::start(&[&victim.host], "", "host_deaths_max = 3\n");
    let first = service.accept("/first", &[], b"");
    until("it runs", || victim.host.heard().len() == 1);
    let poison = service.accept("/poison", &[], b"");
    until("it has killed two", || victim.deaths() == 2);
    // From now on it waits until its host has nothing else to do, and others go past it.
    let second = service.accept("/second", &[], b"");
    assert_eq!(service.result(&second).status, 200);
    park_timeout(LOOKS);
    assert_eq!((victim.deaths(), service.status(&poison)["state"].as_str()), (2, Some("queued")));
    victim.first.open(1);
    assert_eq!(service.result(&first).status, 200);
    until("it runs alone", || victim.deaths() == 3);
    let third = service.accept("/third", &[], b"");
    park_timeout(LOOKS);
    assert_eq!(service.status(&third)["state"], "queued", "nothing runs beside it");
    victim.third.open(1);
    let told = service.becomes(&poison, "dead");
    let job = &told["ledger"]["job"];
    assert_eq!(
        (job["host_deaths"].as_u64(), job["attempts"].as_u64()),
        (Some(3), Some(3)),
        "{told}"
    );
    assert_eq!(told["reason"], "the host died under it");
    assert_eq!(service.result(&third).status, 200);
    assert_eq!(victim.deaths(), 3, "no more hosts die of it");
}

/// The host has an idle connection of the balancer, reads a request from it, and dies: that is no
/// connection that was closing anyway, and not a host without room, which would be tried again
/// after five minutes here.
#[test]
fn a_host_that_dies_on_a_connection_that_was_used_before_is_lost_at_once() {
    let count = AtomicUsize::new(0);
    let host = Host::start(move |heard, client| {
        if heard.is_for("/a") && count.fetch_add(1, Ordering::SeqCst) == 0 {
            return Then::Close;
        }
        answer(client, "200 OK", &[], heard.line.as_bytes());
        Then::Keep
    });
    let config =
        config(&[host.address], "", "").replace("backoff_min = \"10ms\"", "backoff_min = \"5m\"");
    let place = Place::new(&config);
    let balancer = place.serve();
    balancer.has_active(1);
    assert_eq!(ask(balancer.listen, "GET", "/warm", &[], b"").status, 200);
    let accepted = ask(balancer.listen, "GET", "/a", &["Prefer: respond-async"], b"");
    let location = accepted.header("location").expect("a place").to_owned();
    assert_eq!(text(&result(balancer.listen, &location)), "GET /a HTTP/1.1");
    let told = balancer.json(&location);
    let job = &told["ledger"]["job"];
    assert_eq!(
        (job["attempts"].as_u64(), job["host_deaths"].as_u64()),
        (Some(2), Some(1)),
        "{told}"
    );
    assert_eq!(job["excused"], 0, "{told}");
}
