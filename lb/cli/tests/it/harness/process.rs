//! Processes by their id: those that the balancer starts are not the test's own children.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use super::eventually;

/// A program of ours that runs. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

/// Sends `signal` to the process `pid`. One that is to stop has stopped then: until a thread of it
/// has seen to the signal, the others go on.
#[track_caller]
pub(crate) fn send(pid: u32, signal: Signal) {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, signal).expect("the process is there");
    if signal == Signal::STOP {
        eventually("it has stopped", || has_stopped(pid).then_some(()));
    }
}

/// Whether every thread of the process `pid` has stopped.
fn has_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it is there");
    let mut paths = threads.map(|thread| thread.expect("it is readable").path().join("stat"));
    paths.all(|path| state(&path).is_none_or(|state| state == 'T'))
}

/// Whether the process `pid` has ended. One that nobody has waited for yet has.
pub(crate) fn is_gone(pid: u32) -> bool {
    let state = state(Path::new(&format!("/proc/{pid}/stat")));
    state.is_none_or(|state| matches!(state, 'Z' | 'X'))
}

/// The state of a process or thread, by its file in `/proc`; `None` where it is no more.
fn state(stat: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(stat).ok()?;
    // `PID (NAME) STATE ...`, where the name may hold anything.
    stat.rsplit(')').next()?.trim_start().chars().next()
}

// === impl Process ===

impl Process {
    /// Watches over `child`, whose output is piped.
    pub(crate) fn new(mut child: Child) -> Process {
        let said = Arc::default();
        listen(child.stdout.take().expect("it is piped"), &said);
        listen(child.stderr.take().expect("it is piped"), &said);
        Process { child, said }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it `signal`.
    #[track_caller]
    pub(crate) fn send(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// What follows `mark` in the first line that has it, up to white space.
    #[track_caller]
    pub(crate) fn says(&mut self, mark: &str) -> String {
        eventually(mark, || {
            let found = self.said(mark);
            let ended = self.child.try_wait().expect("it is ours");
            assert!(found.is_some() || ended.is_none(), "ended: {:#?}", self.all_said());
            found
        })
    }

    /// The same, if it has been said by now.
    pub(crate) fn said(&self, mark: &str) -> Option<String> {
        let said = self.said.lock();
        let rest = said.iter().find_map(|line| line.split_once(mark))?.1;
        Some(rest.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// All that it has said by now, on both outputs.
    pub(crate) fn all_said(&self) -> Vec<String> {
        self.said.lock().clone()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> ExitStatus {
        eventually("the end of the process", || self.child.try_wait().expect("it is ours"))
    }

    /// Ends it as a crash would, and waits until it is gone.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.send(Signal::KILL);
        self.ends();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("process {}: {:#?}", self.pid(), self.all_said());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
