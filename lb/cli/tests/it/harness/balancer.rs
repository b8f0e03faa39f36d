//! The balancer as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::client::{Client, get};
use super::process::Process;
use super::requests::Request;
use super::{eventually, eventually_or, until};

/// A balancer. Killed when dropped; its workers end with it.
pub(crate) struct Balancer {
    pub(crate) process: Process,
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
    /// Where operators connect.
    pub(crate) admin: SocketAddr,
}

/// A folder for one test, with a configuration file in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// What `/fleet` says of one host.
#[derive(Debug, Clone)]
pub(crate) struct Host(pub(crate) Value);

/// The program, with `arguments`.
pub(crate) fn weighbridge<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// Runs the program with `arguments` to its end.
pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    weighbridge(arguments).output().expect("it starts")
}

/// Starts the program with its output piped.
pub(crate) fn spawn(mut command: Command) -> Process {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process::new(command.spawn().expect("it starts"))
}

/// A worker of one core that belongs to nobody, listening at `address`.
pub(crate) fn worker(address: SocketAddr) -> (Process, SocketAddr) {
    let address = address.to_string();
    let mut process = spawn(weighbridge(["worker", "--listen", &address, "--cores", "1"]));
    let address = process.says("listening on ").parse().expect("an address");
    (process, address)
}

// === impl Place ===

/// Routes whose bodies are held, and one that streams.
pub(crate) const ROUTES: &str = "[route_defaults]\nidempotent = true\n\
     [[routes]]\nname = \"blur\"\npath = \"/blurimage\"\n\
     [[routes]]\nname = \"raytrace\"\npath = \"/raytracer\"\n\
     [[routes]]\nname = \"streamed\"\npath = \"/streamed\"\nbody = \"stream\"\n";

impl Place {
    /// An empty folder, with `config` and an access log in the configuration file.
    pub(crate) fn new(config: &str) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("access.jsonl");
        let access_log = format!("\n[access_log]\nto = \"file\"\npath = \"{}\"\n", log.display());
        std::fs::write(folder.path().join("weighbridge.toml"), format!("{config}{access_log}"))
            .expect("the folder is writable");
        Place { folder, environment: Vec::new() }
    }

    /// The same with more in the environment of what is started here.
    #[allow(dead_code, reason = "for the tests with AWS")]
    pub(crate) fn with(mut self, environment: &[(&str, &str)]) -> Place {
        let pairs = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        self.environment.extend(pairs);
        self
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("weighbridge.toml")
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the access log says by now.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("access.jsonl"));
        let text = text.unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Starts `weighbridge up` here, with so many workers: `1..2`.
    #[track_caller]
    pub(crate) fn up(&self, workers: &str) -> Balancer {
        let mut command = weighbridge(["up", "--workers", workers, "-c"]);
        command.arg(self.config());
        self.start(command)
    }

    /// Starts `weighbridge up` here with these arguments, and without the configuration file.
    #[track_caller]
    #[allow(dead_code, reason = "only one of the test programs wants it")]
    pub(crate) fn up_with(&self, arguments: &[&str]) -> Balancer {
        self.start(weighbridge(["up"].iter().chain(arguments).copied()))
    }

    /// Starts `weighbridge serve` here.
    #[track_caller]
    pub(crate) fn serve(&self) -> Balancer {
        let mut command = weighbridge(["serve", "-c"]);
        command.arg(self.config());
        self.start(command)
    }

    /// The same, where no file may grow beyond so many `blocks` of 512 bytes.
    #[track_caller]
    #[allow(dead_code, reason = "only one of the test programs wants it")]
    pub(crate) fn serve_with_small_files(&self, blocks: u32) -> Balancer {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "sh"]);
        command.arg(env!("CARGO_BIN_EXE_weighbridge")).env_remove("RUST_LOG");
        command.args(["serve", "-c"]).arg(self.config());
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Balancer {
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data-dir"]);
        command.arg(self.data());
        command.envs(self.environment.iter().cloned());
        let mut process = spawn(command);
        let address = |process: &mut Process, mark: &str| {
            process.says(mark).parse().expect("an address and a port")
        };
        let listen = address(&mut process, "requests  http://");
        let admin = address(&mut process, "admin     http://");
        Balancer { process, listen, admin }
    }
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        self.folder.path()
    }
}

// === impl Balancer ===

impl Balancer {
    /// What the admin API says at `path`.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = get(self.admin, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The hosts that `/fleet` tells of.
    #[track_caller]
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let fleet = self.json("/fleet");
        fleet["hosts"].as_array().expect("an array").iter().cloned().map(Host).collect()
    }

    /// The hosts that take requests.
    #[track_caller]
    pub(crate) fn active(&self) -> Vec<Host> {
        self.hosts().into_iter().filter(Host::is_active).collect()
    }

    /// Waits until `n` hosts take requests, and returns them.
    #[track_caller]
    pub(crate) fn has_active(&self, n: usize) -> Vec<Host> {
        eventually(&format!("{n} active hosts"), || {
            let hosts = self.active();
            (hosts.len() == n).then_some(hosts)
        })
    }

    /// Whether it says that it is ready for requests.
    #[track_caller]
    pub(crate) fn is_ready(&self) -> bool {
        get(self.admin, "/readyz").status == 200
    }

    /// Waits until there is something, and returns it; where there is not, says what `/models`
    /// does: of each route also whether it is being trained, and if not, what it lacks.
    #[track_caller]
    pub(crate) fn has_learned<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        eventually_or(what, look, || format!("{:#}", self.json("/models")))
    }

    /// Waits until hosts have `n` requests in all.
    #[track_caller]
    pub(crate) fn has_in_flight(&self, n: u64) {
        until(&format!("{n} in flight"), || {
            n == self.hosts().iter().map(Host::in_flight).sum::<u64>()
        });
    }

    /// Waits until `n` requests wait.
    #[track_caller]
    pub(crate) fn has_waiting(&self, n: u64) {
        until(&format!("{n} waiting"), || self.json("/fleet")["waiting"]["requests"] == n);
    }

    /// Fails unless no host has a claim and nothing waits, within the time that takes to be seen.
    #[track_caller]
    pub(crate) fn assert_idle(&self) {
        self.has_waiting(0);
        until("no claim is left", || {
            self.hosts().iter().all(|host| host.in_flight() == 0 && host.work_left() <= 0.0)
        });
    }

    /// The sum of the metric `name` over all labels that contain `label`.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        let text = get(self.admin, "/metrics").text();
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        let values = lines.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label));
        values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// What it answers to `request`.
    #[track_caller]
    pub(crate) fn ask(&self, request: &Request) -> super::client::Answer {
        Client::new(self.listen).ask(request).expect("it answers")
    }
}

// === impl Host ===

impl Host {
    pub(crate) fn is_active(&self) -> bool {
        self.0["phase"] == "active"
    }

    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        u32::try_from(self.0["pid"].as_u64().expect("a local host")).expect("a process id")
    }

    #[track_caller]
    pub(crate) fn in_flight(&self) -> u64 {
        self.0["in_flight"].as_u64().expect("a number")
    }

    #[track_caller]
    pub(crate) fn work_left(&self) -> f64 {
        self.0["work_left_seconds"].as_f64().expect("a number")
    }

    pub(crate) fn address(&self) -> &str {
        self.0["address"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_ejected(&self) -> bool {
        self.0["ejected"] == true
    }
}
