//! The programs that the tests run.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A worker of one core. Killed when dropped.
pub(crate) struct Worker {
    child: Child,
    pub(crate) url: String,
}

/// The program `name`. Its place is not asked of cargo, for a name with a dash does not get through
/// the shell script that compilers are started by.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.ancestors().nth(2).expect("tests lie in `deps`").join(name);
    assert!(program.is_file(), "build it first: cargo build -p {name}");
    program
}

/// Runs `weighbridge-bench` to its end and returns what it prints, or what it says where it fails.
fn try_bench(line: &str) -> Result<String, String> {
    let output = bench_command(line).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{line}: {said}"));
    }
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// `weighbridge-bench` with these arguments, to be started.
pub(crate) fn bench_command(line: &str) -> Command {
    program("weighbridge");
    let mut command = Command::new(program("weighbridge-bench"));
    command.args(line.split(' ')).stdin(Stdio::null());
    command
}

/// Runs `weighbridge-bench` to its end and returns what it prints.
#[track_caller]
pub(crate) fn bench(line: &str) -> String {
    try_bench(line).unwrap_or_else(|said| panic!("{said}"))
}

/// The same, as one JSON object a line.
#[track_caller]
pub(crate) fn bench_json(line: &str) -> Vec<Value> {
    objects(&bench(&format!("{line} --json")))
}

/// The same of `weighbridge-bench services`, where there is a Python for it.
#[track_caller]
pub(crate) fn bench_services(line: &str) -> Option<Vec<Value>> {
    match try_bench(&format!("services {line} --json")) {
        Ok(printed) => Some(objects(&printed)),
        Err(said) if said.contains("the services need Python") => {
            eprintln!("skipped: {said}");
            None
        }
        Err(said) => panic!("{said}"),
    }
}

fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

// === impl Worker ===

impl Worker {
    pub(crate) fn start() -> Worker {
        let mut child = Command::new(program("weighbridge"))
            .args(["worker", "--listen", "127.0.0.1:0", "--cores", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("it says where");
        Worker { url: format!("http://{address}"), child }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
