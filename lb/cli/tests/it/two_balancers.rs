//! Two balancers that know nothing of each other, in front of the same workers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::harness::balancer::{Balancer, Place, worker};
use crate::harness::client::Client;
use crate::harness::requests::{endless, ray_trace};
use crate::harness::until;

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Requests, and how many of them may go to the loaded worker: when what it says it has left is
/// used up, its giant is believed to be done until the next report. Of two workers that are as good
/// as each other one in ten thousand times none would get more.
const REQUESTS: usize = 30;
const REQUESTS_LOADED_MAX: usize = 5;

/// Round trips are left out: on a busy machine they are as long as the requests.
fn config(hosts: [SocketAddr; 2]) -> String {
    let [one, other] = hosts;
    format!(
        "[fleet]\nkind = \"static\"\n\
         [[fleet.static.hosts]]\naddress = \"{one}\"\n\
         [[fleet.static.hosts]]\naddress = \"{other}\"\n\
         [timeouts]\nreport_interval = \"20ms\"\n[hosts]\nwarm_up = \"0s\"\n\
         [schedule.weighers]\nround_trip = 0.0\n"
    )
}

/// The addresses of the hosts that have requests, as `balancer` sees it.
fn busy(balancer: &Balancer) -> Vec<String> {
    let hosts = balancer.hosts();
    hosts.iter().filter(|host| 0 < host.in_flight()).map(|h| h.address().to_owned()).collect()
}

#[test]
fn a_balancer_avoids_the_worker_that_another_one_has_loaded() {
    let ((_one, at), (_other, beside)) = (worker(ANY), worker(ANY));
    let places = [(); 2].map(|()| Place::new(&config([at, beside])));
    let [first, second] = [&places[0], &places[1]].map(Place::serve);
    first.has_active(2);
    second.has_active(2);
    let mut giant = Client::new(first.listen);
    giant.send(&endless()).expect("it is sent");
    first.has_in_flight(1);
    let loaded = busy(&first);
    until("the other balancer sees it", || busy(&second) == loaded);

    let mut client = Client::new(second.listen);
    for _ in 0..REQUESTS {
        assert_eq!(client.ask(&ray_trace(100, 80)).expect("it is answered").status, 200);
    }
    until("all are logged", || REQUESTS <= places[1].log().len());
    let log = places[1].log();
    let to_loaded = log.iter().filter(|line| line["host"] == loaded[0].as_str()).count();
    assert!(to_loaded <= REQUESTS_LOADED_MAX, "{to_loaded} of {REQUESTS}");
    giant.hang_up();
    second.assert_idle();
    first.assert_idle();
}
