//! The fleet grows under load and shrinks after it.

use std::collections::BTreeSet;

use crate::harness::balancer::{Balancer, Host, Place};
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::process::is_gone;
use crate::harness::requests::{jobs, mixed};
use crate::harness::until;

/// As the default, but in seconds rather than in minutes; and a burst of requests is enough for all
/// hosts, for on a machine that is busy with other things their own CPU may never be.
const CONFIG: &str = "\
[timeouts]
report_interval = \"100ms\"
tick_interval = \"50ms\"

[scale]
stable_window = \"2s\"
panic_window = \"1s\"
panic_factor = 1.0
boot_time = \"200ms\"
backlog_max = \"500ms\"
";

const EVENTS: &str = "weighbridge_scale_events_total";

#[test]
fn the_fleet_grows_under_load_and_shrinks_after_it_without_a_failed_request() {
    let place = Place::new(CONFIG);
    let balancer = place.up("1..3");
    balancer.has_active(1);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());
    let mut seen = BTreeSet::new();

    let burst = Load::closed(balancer.listen, &jobs, 8);
    until("three hosts", || look(&balancer, &mut seen) == 3);
    let answered = burst.answered();
    until("answers of three hosts", || {
        look(&balancer, &mut seen);
        answered + 30 < burst.answered()
    });
    burst.stop().assert_faultless();
    let launched = balancer.metric(EVENTS, "action=\"launch\"");
    assert!((launched - 3.0).abs() < f64::EPSILON, "{launched} launches");

    let trickle = Load::open(balancer.listen, &jobs, 4.0);
    until("one host", || look(&balancer, &mut seen) == 1);
    let survivor = balancer.hosts();
    until("the others are gone", || {
        seen.iter().all(|pid| is_gone(*pid) || survivor.iter().any(|host| host.pid() == *pid))
    });
    trickle.stop().assert_faultless();
    assert_eq!(look(&balancer, &mut seen), 1, "the last host stays");
    let drained = balancer.metric(EVENTS, "action=\"drain\"");
    assert!(2.0 <= drained, "{drained} drains");
    assert!(balancer.metric("weighbridge_hosts_lost_total", "") < 1.0, "a drain is no loss");
    balancer.assert_idle();
}

/// How many hosts there are, at most as many as there may be.
#[track_caller]
fn look(balancer: &Balancer, seen: &mut BTreeSet<u32>) -> usize {
    let hosts = balancer.hosts();
    let kept = hosts.iter().filter(|host| host.0["phase"] != "draining").count();
    assert!((1..=3).contains(&kept), "{hosts:?}");
    seen.extend(hosts.iter().filter(|host| host.is_active()).map(Host::pid));
    if hosts.iter().any(|host| !host.is_active()) { 0 } else { hosts.len() }
}
