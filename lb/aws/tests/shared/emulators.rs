//! Servers that speak AWS's protocols, each a process of its own on a free port of loopback, ended
//! when dropped. `.ci/emulators` installs them, here too where it has not run before.

// Every test program that includes this file uses a part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::Pid;

/// Longer than any of them takes to start on a busy machine.
const START_MAX: Duration = Duration::from_mins(1);

/// Between two looks at whether one answers.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The lines shown of what one said, where a test fails.
const LINES_SHOWN: usize = 30;

/// Turns Nagle's algorithm off in ministack's Runtime API, which else delays each answer by 40 ms.
const MINISTACK: &str = "\
import socketserver, sys
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
from importlib.metadata import entry_points
sys.exit(next(iter(entry_points(group='console_scripts', name='ministack'))).load()())
";

/// A running emulator.
pub(crate) struct Emulator {
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl Emulator {
    /// moto: EC2, Auto Scaling, IAM, CloudFormation.
    pub(crate) fn moto() -> Emulator {
        Emulator::start(|address| {
            let mut command = program("moto_server");
            command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
            command
        })
    }

    /// ministack: Lambda that runs the function's own program. It listens on every interface.
    pub(crate) fn ministack() -> Emulator {
        Emulator::start(|address| {
            let mut command = program("python");
            command.args(["-c", MINISTACK]).env("GATEWAY_PORT", address.port().to_string());
            command
        })
    }

    /// roto: DynamoDB, SQS and S3, in memory, or in `folder` where it survives a restart.
    pub(crate) fn roto(folder: Option<&Path>) -> Emulator {
        Emulator::start(|address| {
            let mut command = program("roto-server");
            command.args(["--port", &address.port().to_string()]);
            match folder {
                Some(folder) => command.arg("--data-dir").arg(folder),
                None => command.arg("--ephemeral"),
            };
            command
        })
    }

    /// microburst in front of `upstream`: passes everything on until it has rules.
    pub(crate) fn microburst(upstream: &Emulator) -> Emulator {
        let upstream = upstream.url();
        Emulator::start(|address| {
            let mut command = program("microburst");
            command.args(["--upstream", &upstream, "--port", &address.port().to_string()]);
            command
        })
    }

    /// Its endpoint, as `AWS_ENDPOINT_URL` wants it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ends it as a crash would. Its port stays free for another.
    pub(crate) fn kill(mut self) -> SocketAddr {
        self.end();
        self.address
    }

    /// Gives a microburst `rules`, a JSON list, in place of those that it had.
    #[track_caller]
    pub(crate) fn rules(&self, rules: &str) {
        let said = self.ask("POST", "/_microburst/rules", rules);
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }

    /// How many requests a microburst has answered by its rules.
    #[track_caller]
    pub(crate) fn fired(&self) -> usize {
        let said = self.ask("GET", "/_microburst/fired", "");
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        said.matches("\"rule_id\"").count()
    }

    /// Makes a bucket for objects.
    #[track_caller]
    pub(crate) fn make_bucket(&self, name: &str) {
        let said = self.ask_signed("PUT", &format!("/{name}"), "");
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }

    /// Sends it a request over a connection of its own; the whole answer, head and all.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        self.send(method, path, ("", body))
    }

    /// The same of S3, signed as no emulator checks.
    #[track_caller]
    pub(crate) fn ask_signed(&self, method: &str, path: &str, body: &str) -> String {
        let signed = "Authorization: AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0, \
                      Credential=test/20260101/us-east-1/s3/aws4_request\r\n";
        self.send(method, path, (signed, body))
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, (fields, body): (&str, &str)) -> String {
        let mut connection = TcpStream::connect(self.address).expect("it listens");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             {fields}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            self.address
        );
        connection.write_all(head.as_bytes()).expect("it reads");
        connection.write_all(body.as_bytes()).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Starts what `command` gives for a free port, and waits until it answers.
    #[track_caller]
    fn start(command: impl FnOnce(SocketAddr) -> Command) -> Emulator {
        let address = free_address();
        let mut command = command(address);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let said = Arc::default();
        listen(child.stdout.take().expect("it is piped"), &said);
        listen(child.stderr.take().expect("it is piped"), &said);
        let mut emulator = Emulator { child, address, said };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = emulator.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "{ended:?}: {:#?}", emulator.last_said());
            assert!(started.elapsed() < START_MAX, "{:#?}", emulator.last_said());
            thread::park_timeout(LOOK_INTERVAL);
        }
        emulator
    }

    /// What it said last, which may be a line for each request.
    fn last_said(&self) -> Vec<String> {
        let said = self.said.lock();
        said[said.len().saturating_sub(LINES_SHOWN)..].to_vec()
    }

    fn end(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{:?}: {:#?}", self.address, self.last_said());
        }
        self.end();
    }
}

/// What every client of an emulator is told: keys that mean nothing, and a region.
pub(crate) const CREDENTIALS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// One of the installed programs.
pub(crate) fn program(name: &str) -> Command {
    Command::new(folder().join(name))
}

/// The top of the repository.
pub(crate) fn repository() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.find(|folder| folder.join(".ci").exists()).expect("within the repository")
}

/// Where they are installed, after that if need be.
fn folder() -> PathBuf {
    let output = Command::new(repository().join(".ci/emulators"))
        .stderr(Stdio::inherit())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "the emulators cannot be installed");
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}

/// An address that was free a moment ago: the emulators cannot take port 0 and say which it was.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound")
}

/// Reads to the end, so that nothing that is said waits for a reader.
fn listen(output: impl Read + Send + 'static, said: &Arc<Mutex<Vec<String>>>) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            said.lock().push(line);
        }
    });
}
