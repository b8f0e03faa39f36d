//! Hosts whose costs have, for a time, nothing to do with what can be seen of a request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Place};
use crate::harness::client::Client;
use crate::harness::requests::Request;

/// What both hosts do.
#[derive(Debug, Default)]
struct Hosts {
    /// Costs follow the size, or nothing.
    is_erratic: AtomicBool,
    asked: AtomicU64,
    /// Whether those that are to wait may go.
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Hosts {
    fn answer(&self, head: &str) -> (String, String) {
        if head.contains("hold=1") {
            let shut = self.is_open.lock().expect("no test panics here");
            let open = self.opened.wait_while(shut, |is_open| !*is_open);
            drop(open.expect("no test panics here"));
        }
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let cpu_seconds = if self.is_erratic.load(Ordering::Relaxed) {
            // Five decades, in no order: the golden ratio's multiples are spread evenly.
            10_f64.powf((asked as f64 * 0.618_034).fract() * 5.0 - 4.0)
        } else {
            size(head) * 1e-4
        };
        let report = format!("JSON {{\"request_cost\":{{\"cpu_seconds\":{cpu_seconds}}}}}");
        (format!("endpoint-load-metrics: {report}\r\n"), "ok".to_owned())
    }

    fn open(&self) {
        *self.is_open.lock().expect("no test panics here") = true;
        self.opened.notify_all();
    }
}

/// The number that a request's query gives.
fn size(head: &str) -> f64 {
    let digits = head.split("size=").nth(1).and_then(|rest| rest.split(['&', ' ']).next());
    digits.and_then(|digits| digits.parse().ok()).expect("it has a size")
}

fn start(hosts: &[Backend; 2]) -> (Place, Balancer) {
    let [one, other] = hosts.each_ref().map(|host| host.address);
    let place = Place::new(&format!(
        "timeouts.tick_interval = \"20ms\"\nrepeats.entries_max = 0\n\
         [fleet]\nkind = \"static\"\n\
         [fleet.static]\ncores = 8\nhosts = [{{ address = \"{one}\" }}, {{ address = \"{other}\" }}]\n\
         [hosts]\nwarm_up = \"0s\"\n\
         [learn]\nwindow = 60\nretrain_after = 10\ndrift_error_max = 0.5\n\
         [[routes]]\nname = \"sized\"\npath = \"/sized\"\nfeatures = [\"query.size\"]\n\
         work_max = \"1h\"\n"
    ));
    let balancer = place.serve();
    balancer.has_active(2);
    (place, balancer)
}

/// Sends requests until the metric says that estimates steer, or do not.
#[track_caller]
fn is_trusted(balancer: &Balancer, expected: f64) {
    let mut client = Client::new(balancer.listen);
    let mut sent = 0;
    balancer.has_learned("a judgement of the drift gate", || {
        for _ in 0..10 {
            sent += 1;
            let request = Request::get(&format!("/sized?size={}", 1 + sent * 37 % 100));
            assert_eq!(client.ask(&request).expect("it is answered").status, 200);
        }
        let trusted = balancer.metric("weighbridge_model_trusted", "route=\"sized\"");
        (60 <= sent && (trusted - expected).abs() < 0.5).then_some(())
    });
}

/// Whether a request of a size that was not asked for before tells its host of an estimate.
fn is_told(hosts: &[Backend; 2], balancer: &Balancer, size: u32) -> bool {
    balancer.ask(&Request::get(&format!("/sized?size={size}")));
    let size = format!("size={size} ");
    let mut asked = hosts.iter().flat_map(Backend::asked);
    asked.find(|head| head.contains(&size)).expect("it was asked").contains("weighbridge-estimate")
}

#[test]
fn estimates_that_have_nothing_to_do_with_costs_do_not_steer_until_they_have() {
    let world = Arc::new(Hosts::default());
    let hosts = [(); 2].map(|()| {
        let world = Arc::clone(&world);
        Backend::answering(move |head| world.answer(head))
    });
    let (_place, balancer) = start(&hosts);
    is_trusted(&balancer, 1.0);
    assert!(is_told(&hosts, &balancer, 777));

    world.is_erratic.store(true, Ordering::Relaxed);
    is_trusted(&balancer, 0.0);
    assert!(!is_told(&hosts, &balancer, 778), "a host is not told what is not believed");
    // A giant, as they once were, counts as much as a dwarf.
    let sizes = [100_000, 1, 1, 1, 1, 1, 1, 1];
    let clients = sizes.map(|size| {
        let mut client = Client::new(balancer.listen);
        client.send(&Request::get(&format!("/sized?size={size}&hold=1"))).expect("it is sent");
        client
    });
    balancer.has_in_flight(8);
    assert_eq!(balancer.hosts().iter().map(|host| host.in_flight()).collect::<Vec<_>>(), [4, 4]);
    world.open();
    for mut client in clients {
        assert_eq!(client.answer().expect("it is answered").status, 200);
    }

    world.is_erratic.store(false, Ordering::Relaxed);
    is_trusted(&balancer, 1.0);
    assert!(balancer.metric("weighbridge_load_reports_rejected_total", "") < 1.0);
    balancer.assert_idle();
}
