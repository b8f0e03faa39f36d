//! Fleets of EC2 instances: moto has the instances, and for each one that runs there is a real
//! worker.

mod asked;
mod bounds;
mod cloud;
mod cpu;
mod faults;
mod group;
mod life;

use serde_json::Value;

use crate::emulators::{CREDENTIALS, Emulator};
use crate::harness::balancer::{Balancer, Host, Place};
use crate::harness::client::get;

use cloud::Cloud;

/// Looks and scales in fractions of a second, as on a machine whose instances boot at once.
const COMMON: &str = "\
[timeouts]
report_interval = \"100ms\"
tick_interval = \"50ms\"
drain = \"10s\"

[hosts]
warm_up = \"0s\"
";

/// Scales up with a few requests, and down within seconds.
const SCALE: &str = "\
[scale]
stable_window = \"2s\"
panic_window = \"1s\"
panic_factor = 1.0
boot_time = \"500ms\"
backlog_max = \"500ms\"
boot_timeout = \"20s\"
";

const EC2: &str = "\
[fleet]
kind = \"ec2\"
[fleet.ec2]
image = \"ami-12c6146b\"
instance_type = \"c5.large\"
";

/// One core, and looks that come often.
const MACHINES: &str = "\
[fleet.machines]
poll = \"200ms\"
timeout = \"3s\"
cores = 1
";

/// A folder for a balancer with `config`, whose AWS is at `url`.
fn place(config: &str, url: &str) -> Place {
    let urls = ["EC2", "AUTO_SCALING", "CLOUDWATCH"].map(|name| format!("AWS_ENDPOINT_URL_{name}"));
    let place = Place::new(&format!("{COMMON}{config}")).with(&CREDENTIALS);
    urls.iter().fold(place, |place, name| place.with(&[(name.as_str(), url)]))
}

/// A balancer's configuration: an EC2 fleet of `least` to `most` hosts, with `further` keys of
/// `[fleet.ec2]`.
fn ec2(least: usize, most: usize, further: &str) -> String {
    format!("{EC2}{further}\n{MACHINES}{SCALE}hosts_min = {least}\nhosts_max = {most}\n")
}

/// The names of `hosts`, which are the ids of their instances, in order.
fn ids(hosts: &[Host]) -> Vec<String> {
    let mut ids: Vec<String> =
        hosts.iter().map(|host| host.0["name"].as_str().expect("a name").to_owned()).collect();
    ids.sort();
    ids
}

/// Failures of the loop `name`.
fn failures(balancer: &Balancer, name: &str) -> f64 {
    balancer.metric("weighbridge_loop_failures_total", &format!("loop=\"{name}\""))
}

/// What has been done to the fleet.
fn events(balancer: &Balancer, action: &str) -> f64 {
    balancer.metric("weighbridge_scale_events_total", &format!("action=\"{action}\""))
}

/// Whether the worker of `host` says that it has a request. The balancer counts one earlier.
fn has_a_request(host: &Host) -> bool {
    let address = host.address().parse().expect("an address");
    let load: Value = serde_json::from_str(&get(address, "/load").text()).expect("JSON");
    0.0 < load["named_metrics"]["in_flight"].as_f64().expect("a number")
}
