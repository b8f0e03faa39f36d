//! A balancer that runs for one test, in front of a host.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::client::{Connection, DEADLINE, Response};
use crate::config::CertificateFiles;
use crate::tools::{run, text};

/// A running balancer; dropping it ends it.
pub(crate) struct Balancer {
    process: Child,
    /// Where it listens, in the order of the configuration.
    pub(crate) listeners: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    /// Open to its end: the balancer would not live without it.
    _welcome: Lines<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
}

impl Balancer {
    /// In front of `host`, with two routes: `/held` reads bodies whole, `/stream` does not. `more`
    /// begins the configuration; it may end with tables.
    pub(crate) fn before(host: SocketAddr, more: &str) -> Balancer {
        Balancer::limited(host, more, ":")
    }

    /// The same, after the command `limit` of a shell.
    pub(crate) fn limited(host: SocketAddr, more: &str, limit: &str) -> Balancer {
        let balancer = Balancer::start(host, more, limit);
        balancer.wait("it is ready", || balancer.look("/readyz").status == 200);
        balancer
    }

    /// The same, before a host that does not come to be ready.
    pub(crate) fn before_unready(host: SocketAddr, more: &str) -> Balancer {
        Balancer::start(host, more, ":")
    }

    fn start(host: SocketAddr, more: &str, limit: &str) -> Balancer {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("weighbridge.toml");
        std::fs::write(&file, config(host, more)).expect("a file");
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let mut process = Command::new("sh")
            .args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_weighbridge"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--config".as_ref(), file.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program runs");
        let mut welcome = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let (mut listeners, mut admin) = (Vec::new(), None);
        while admin.is_none() {
            let line = welcome.next().expect("it tells where it listens").expect("text");
            let mut words = line.split_whitespace();
            let (name, url) = (words.next(), words.next().unwrap_or_default());
            let address = url.rsplit('/').next().and_then(|address| address.parse().ok());
            match name {
                Some("requests") => listeners.extend(address),
                Some("admin") => admin = address,
                _ => {}
            }
        }
        let admin = admin.expect("it has been found");
        Balancer { process, listeners, admin, _welcome: welcome, folder }
    }

    /// The answer of the admin API.
    pub(crate) fn look(&self, path: &str) -> Response {
        let mut connection = Connection::open(self.admin);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        connection.response("GET")
    }

    /// The value of the metric `series`, with its labels as they are written; 0 where there is
    /// none.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let metrics = String::from_utf8(self.look("/metrics").body).expect("text");
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.trim().parse().expect("a number"))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Waits for its end, and tells whether that was a good one.
    pub(crate) fn ends(&mut self) -> bool {
        self.process.wait().expect("it can be waited for").success()
    }

    /// Runs `weighbridge` with `arguments` about it, and returns what it says.
    pub(crate) fn operate(&self, arguments: &[&str]) -> (bool, String) {
        let admin = self.admin.to_string();
        let output = run(
            env!("CARGO_BIN_EXE_weighbridge"),
            &[arguments, &["--admin", &admin]].concat(),
            b"",
        );
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    /// What it has said of itself so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a file")
    }

    /// Waits until `condition` holds.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition() {
            assert!(Instant::now() < deadline, "it never came to this: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The configuration of [`Balancer::before`].
pub(crate) fn config(host: SocketAddr, more: &str) -> String {
    format!(
        "access_log.to = \"off\"\nstore.kind = \"off\"\ntimeouts.report_interval = \"20ms\"\n\
         timeouts.certificate_interval = \"20ms\"\nfleet.kind = \"static\"\n\
         fleet.static.hosts = [{{ address = \"{host}\" }}]\n{more}\n\
         [[routes]]\nname = \"held\"\npath = \"/held\"\n\
         [[routes]]\nname = \"stream\"\npath = \"/stream\"\nbody = \"stream\"\n"
    )
}

/// A further listener that shows `certificates`, with the keys `more`.
pub(crate) fn listener(certificates: &[&CertificateFiles], more: &str) -> String {
    let entries = certificates.iter().map(|files| {
        let show = |path: &PathBuf| path.display().to_string();
        format!("{{ chain = \"{}\", key = \"{}\" }}", show(&files.chain), show(&files.key))
    });
    let entries = entries.collect::<Vec<_>>().join(", ");
    format!("[[listeners]]\naddress = \"127.0.0.1:0\"\ncertificates = [{entries}]\n{more}\n")
}
