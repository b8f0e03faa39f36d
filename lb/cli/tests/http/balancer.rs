//! A balancer that runs for one test.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// What every test's configuration begins with.
const QUIET: &str = "access_log.to = \"off\"\nstore.kind = \"off\"\n";

/// A running balancer; dropping it ends it and its workers.
pub(crate) struct Balancer {
    process: Child,
    pub(crate) address: SocketAddr,
    /// For operators.
    pub(crate) admin: SocketAddr,
    /// Open to its end: the balancer would not live without it.
    _welcome: Lines<BufReader<ChildStdout>>,
    _folder: tempfile::TempDir,
}

impl Balancer {
    /// With the default configuration: one local worker.
    pub(crate) fn local() -> Balancer {
        Balancer::configured("")
    }

    /// In front of `hosts`: the route `/held` reads bodies whole, `/stream` does not, and those
    /// below `/once` do the same without ever asking twice. `more` is added to the configuration.
    pub(crate) fn before(hosts: &[SocketAddr], more: &str) -> Balancer {
        let mut config = "timeouts.report_interval = \"20ms\"\nhosts.eject_failures = 1000\n\
                          fleet.kind = \"static\"\n"
            .to_owned();
        config += more;
        let hosts = hosts.iter().map(|host| format!("{{ address = \"{host}\" }}"));
        config +=
            &["fleet.static.hosts = [", &hosts.collect::<Vec<_>>().join(", "), "]\n"].concat();
        for (path, body, idempotent) in [
            ("held", "buffer", true),
            ("stream", "stream", true),
            ("once/held", "buffer", false),
            ("once/stream", "stream", false),
        ] {
            let name = path.replace('/', "-");
            let route = format!(
                "[[routes]]\nname = \"{name}\"\npath = \"/{path}\"\nbody = \"{body}\"\n\
                 idempotent = {idempotent}\ncors = true\n"
            );
            config += &route;
        }
        for (name, path) in [("health", "/"), ("health-test", "/test")] {
            let route = format!(
                "[[routes]]\nname = \"{name}\"\npath = \"{path}\"\npath_match = \"exact\"\n\
                 respond = 200\ncors = true\n"
            );
            config += &route;
        }
        Balancer::configured(&config)
    }

    /// With a configuration of its own.
    pub(crate) fn configured(config: &str) -> Balancer {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("weighbridge.toml");
        std::fs::write(&file, format!("{QUIET}{config}")).expect("a file");
        let mut process = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
            .args(["up", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--data-dir".as_ref(), folder.path().as_os_str()])
            .args(["--config".as_ref(), file.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let mut welcome = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut told = |prefix: &str| {
            let address = welcome.find_map(|line| {
                let line = line.expect("the balancer writes text");
                let address = line.trim().strip_prefix(prefix)?.trim().strip_prefix("http://")?;
                address.split(' ').next()?.parse::<SocketAddr>().ok()
            });
            address.expect("the balancer tells where it listens")
        };
        let (address, admin) = (told("requests"), told("admin"));
        Balancer { process, address, admin, _welcome: welcome, _folder: folder }
    }

    /// The most memory that it has had so far, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory_peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.expect("Linux tells it") * 1024
    }
}

#[cfg(target_os = "linux")]
impl Balancer {
    /// The names of its threads.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id()));
        let names = tasks.expect("it runs").filter_map(|task| {
            // A thread may end meanwhile.
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        });
        names.map(|name| name.trim().to_owned()).collect()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
