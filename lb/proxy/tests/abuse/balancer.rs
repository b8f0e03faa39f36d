//! A balancer that runs in this process for one test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use weighbridge_proxy::config::Config;
use weighbridge_proxy::server::{Server, Services};

use crate::client::DEADLINE;

/// A running balancer; dropping it ends it.
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    server: Option<Server>,
    runtime: Runtime,
}

impl Balancer {
    /// In front of `hosts`: the route `/held` reads bodies whole, `/stream` does not. `more` is
    /// added to the configuration, before its tables.
    pub(crate) fn before(hosts: &[SocketAddr], more: &str) -> Balancer {
        Balancer::before_with(hosts, more, "")
    }

    /// The same, with more in the defaults of the routes.
    pub(crate) fn before_with(hosts: &[SocketAddr], more: &str, of_routes: &str) -> Balancer {
        let hosts = hosts.iter().map(|host| format!("{{ address = \"{host}\" }}"));
        let hosts = hosts.collect::<Vec<_>>().join(", ");
        let text = format!(
            "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nthreads = 2\n\
             access_log.to = \"off\"\nstore.kind = \"off\"\nfleet.kind = \"static\"\n\
             timeouts.report_interval = \"50ms\"\nhosts.eject_failures = 1000\n\
             timeouts.drain = \"0s\"\n{more}fleet.static.hosts = [{hosts}]\n\
             [route_defaults]\nidempotent = true\ncors = true\n{of_routes}\
             [[routes]]\nname = \"held\"\npath = \"/held\"\n\
             [[routes]]\nname = \"stream\"\npath = \"/stream\"\nbody = \"stream\"\n"
        );
        let extractors = weighbridge_scene_extract::extractors();
        let config = Config::parse(&text, &extractors).expect("the configuration is right");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("there are threads");
        let server = runtime.block_on(Server::start(config, Services::default()));
        let server = server.expect("it starts");
        let (address, admin) = (server.listen, server.admin);
        let balancer = Balancer { address, admin, server: Some(server), runtime };
        wait("it is ready", || balancer.look("/readyz").starts_with("HTTP/1.1 200"));
        balancer
    }

    /// The answer of the admin API, head and all.
    pub(crate) fn look(&self, path: &str) -> String {
        self.try_look(path).expect("the admin API answers")
    }

    /// The same, if it comes.
    pub(crate) fn try_look(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let metrics = self.look("/metrics");
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| unreachable!("{name}"))
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}
