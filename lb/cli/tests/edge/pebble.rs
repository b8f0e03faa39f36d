//! pebble, an authority that speaks ACME, and the names that it finds at this machine.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::config::CertificateFiles;
use crate::pki::Pki;

/// How long its certificates are good, in seconds.
pub(crate) const VALIDITY_SECS: u64 = 12;

/// A running authority. Ended when it is dropped.
pub(crate) struct Pebble {
    processes: Vec<Child>,
    /// Where its directory is.
    pub(crate) directory: SocketAddr,
    /// Where it looks at names by TLS, and by HTTP.
    pub(crate) looks: [u16; 2],
    own: CertificateFiles,
    folder: tempfile::TempDir,
    names: SocketAddr,
    management: SocketAddr,
}

/// A port that was free just now.
pub(crate) fn free() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("it is bound")
}

/// Whether there is a pebble. Says in one line where there is not.
pub(crate) fn is_there() -> bool {
    let is_there = Command::new("pebble").arg("-help").stderr(Stdio::null()).status().is_ok();
    if !is_there {
        println!("not tested: there is no `pebble`, which `.ci/install` installs");
    }
    is_there
}

impl Pebble {
    /// One that is not started yet, with the certificate that `pki` has signed for it.
    pub(crate) fn new(pki: &Pki) -> Pebble {
        Pebble {
            processes: Vec::new(),
            directory: free(),
            looks: [free().port(), free().port()],
            own: pki.server("pebble", &["localhost"]),
            folder: tempfile::tempdir().expect("a folder"),
            names: free(),
            management: free(),
        }
    }

    /// Starts it, and what says that every name is at this machine.
    pub(crate) fn start(&mut self) {
        let names = self.names.to_string();
        let off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
        let mut resolver = Command::new("pebble-challtestsrv");
        let management = free().to_string();
        resolver.args(["-dns01", &names, "-management", &management]).args(off);
        self.run(resolver);
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(self.config()).args(["-dnsserver", &names]);
        // It would wait at random, and refuse at random.
        pebble.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        self.run(pebble);
    }

    /// What the balancer is told of it, with `more` in the table.
    pub(crate) fn acme(&self, pki: &Pki, more: &str) -> String {
        format!(
            "[acme]\ndirectory = \"https://localhost:{}/dir\"\nterms_agreed = true\n\
             ca = \"{}\"\nretry_min = \"1s\"\n{more}\n",
            self.directory.port(),
            pki.ca().display()
        )
    }

    /// The certificate of who signs what it gives, as PEM; told by itself.
    pub(crate) fn root(&self) -> Vec<u8> {
        let url = format!("https://{}/roots/0", self.management);
        let asked =
            crate::tools::run("curl", &["-sSk", "--retry-connrefused", "--retry", "9", &url], b"");
        assert!(asked.stdout.starts_with(b"-----BEGIN"), "{}", crate::tools::text(&asked.stderr));
        asked.stdout
    }

    fn config(&self) -> PathBuf {
        let [tls, http] = self.looks;
        let config = serde_json::json!({ "pebble": {
            "listenAddress": self.directory.to_string(),
            "managementListenAddress": self.management.to_string(),
            "certificate": self.own.chain,
            "privateKey": self.own.key,
            "httpPort": http,
            "tlsPort": tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": VALIDITY_SECS,
        }});
        let file = self.folder.path().join("pebble.json");
        std::fs::write(&file, config.to_string()).expect("a file");
        file
    }

    fn run(&mut self, mut command: Command) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a file");
        let again = log.try_clone().expect("it is open");
        let command = command.stdin(Stdio::null()).stdout(log).stderr(again);
        self.processes.push(command.spawn().expect("it comes with pebble"));
    }

    /// What it has said of itself so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Fails only where it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
