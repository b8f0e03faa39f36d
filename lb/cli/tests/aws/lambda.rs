//! Requests that spill over to Lambda, and what becomes of them when Lambda does not do its part.

mod failures;
mod limits;
mod spill_over;

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::emulators::{CREDENTIALS, Emulator};
use crate::functions::{Bootstrap, Told};
use crate::harness::balancer::{Balancer, Place, worker};
use crate::harness::process::Process;

/// A free port of loopback, whichever.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The three real functions, by route.
const REAL: [(&str, &str, &str); 3] = [
    ("blur", "/blurimage", "weighbridge-blur"),
    ("enhance", "/enhanceimage", "weighbridge-enhance"),
    ("raytrace", "/raytracer", "weighbridge-raytrace"),
];

/// One worker that runs one request at a time, and a balancer with little patience.
struct Stage {
    balancer: Balancer,
    place: Place,
    host: SocketAddr,
    _worker: Process,
}

impl Stage {
    /// `routes`: name, path and function of each. `lambda`: further lines of that table.
    #[track_caller]
    fn new(emulator: &Emulator, routes: &[(&str, &str, &str)], lambda: &str) -> Stage {
        let (worker, host) = worker(ANY);
        let place = place(&emulator.url(), host, routes, lambda);
        let balancer = place.serve();
        balancer.has_active(1);
        Stage { balancer, place, host, _worker: worker }
    }

    /// Invocations that ended so.
    #[track_caller]
    fn invoked(&self, outcome: &str) -> f64 {
        let label = format!("outcome=\"{outcome}\"");
        self.balancer.metric("weighbridge_lambda_invocations_total", &label)
    }

    /// Fails unless nothing is left of any request.
    #[track_caller]
    fn assert_idle(&self) {
        self.balancer.assert_idle();
        assert!(self.balancer.metric("weighbridge_lambda_running", "") < 1.0, "no run is left");
    }

    /// Lines of the access log of what was answered by Lambda.
    fn lambda_lines(&self) -> Vec<serde_json::Value> {
        let by_lambda = |line: &serde_json::Value| {
            line["host"].as_str().is_some_and(|host| host.starts_with("lambda:"))
        };
        self.place.log().into_iter().filter(by_lambda).collect()
    }
}

/// A folder for a balancer of `host` whose Lambda is at `url`. What the host cannot begin at once
/// waits, or goes to Lambda.
fn place(url: &str, host: SocketAddr, routes: &[(&str, &str, &str)], lambda: &str) -> Place {
    let mut config = format!(
        "[fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{host}\"\n\
         discipline = \"fcfs\"\n\
         [repeats]\nentries_max = 0\n[retry]\ntries_max = 4\n\
         [hosts]\neject_base = \"200ms\"\neject_max = \"1s\"\n\
         [route_defaults]\npatience = \"0s\"\nprior = \"20ms\"\n\
         [lambda]\nenabled = true\ncold_start = \"1ms\"\nconcurrency_max = 4\n{lambda}\n"
    );
    for (name, path, function) in routes {
        // Writing to a String cannot fail.
        let _ = writeln!(
            config,
            "[[routes]]\nname = \"{name}\"\npath = \"{path}\"\nlambda = \"{function}\"\nidempotent = true\n\
             features = [\"body.bytes\"]"
        );
    }
    Place::new(&config).with(&CREDENTIALS).with(&[("AWS_ENDPOINT_URL_LAMBDA", url)])
}

/// Creates the three real functions.
#[track_caller]
fn create_real(emulator: &Emulator) {
    let real = Bootstrap::real();
    for (operation, _, name) in REAL {
        let environment = ("WEIGHBRIDGE_OPERATION", operation);
        real.create(emulator, &Told { name, environment, timeout: 60 });
    }
}

/// Creates a function that does `what`, named so.
#[track_caller]
fn create_obedient(emulator: &Emulator, bootstrap: &Bootstrap, what: &str) {
    bootstrap.create(emulator, &Told { name: what, environment: ("DO", what), timeout: 60 });
}
