//! The ways to make a process give its core away, and to give it back.
//!
//! The system decides which of them there are: each is tried on a process of our own before the
//! first request, and read back from the system. The first that works is taken; the log says which,
//! and why not those before it.

mod cgroup;
mod idle;
mod nice;
mod stop;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::Pid;

use super::config::{ParkChoice, RunMistake};
use super::guard::Group;
use super::tree::{Tree, raw};

/// How many more than the worker's own threads processes are nice: a request for a short one is
/// carried while a long one runs.
pub(super) const NICER: i32 = 1;

/// How long the system may take to show that a process is parked.
const SHOWN_TRIES: u32 = 200;
const SHOWN_EVERY: Duration = Duration::from_millis(2);

/// A way to park processes.
pub(super) trait Way: fmt::Debug + Send + Sync {
    /// As it is asked for: `stop`.
    fn name(&self) -> &'static str;

    /// Makes the place that the process `name` is started in, where the way needs one.
    fn place(&self, name: &str) -> io::Result<Option<Group>>;

    /// Lets the processes of `tree` run only where nothing else would.
    fn park(&self, tree: &Tree, place: Option<&Group>) -> io::Result<()>;

    /// Takes [`Way::park`] back.
    fn resume(&self, tree: &Tree, place: Option<&Group>) -> io::Result<()>;

    /// Whether the system shows the process `pid` as parked.
    fn is_parked(&self, pid: Pid, place: Option<&Group>) -> bool;

    /// After so long what is parked has to run for a moment, where it does not run at all.
    fn longest(&self) -> Option<Duration>;
}

/// Says how a way would be, or why there is no such way here.
type Prepare = fn() -> Result<Box<dyn Way>, String>;

/// Every way there is, the best first. To add one: a file beside these, and a line here.
const ALL: &[(&str, &str, Prepare)] = &[
    (cgroup::NAME, "a control group that gets a core only where it is idle", cgroup::prepare),
    (idle::NAME, "the scheduling policy SCHED_IDLE", idle::prepare),
    (nice::NAME, "the niceness 19", nice::prepare),
    (stop::NAME, "SIGSTOP; after a second at a time it runs for a moment", stop::prepare),
];

/// The ways to park processes, each with what it is in a few words.
pub fn park_ways() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|(name, about, _)| (*name, *about))
}

/// The way of `choice` that works here. Takes up to some tenths of a second.
pub(super) fn choose(choice: ParkChoice) -> Result<Box<dyn Way>, RunMistake> {
    let mut refused = Vec::new();
    for (name, _, prepare) in ALL {
        if choice != ParkChoice::Auto && choice != ParkChoice::Only(name) {
            continue;
        }
        match prepare().and_then(|way| try_out(way.as_ref()).map(|()| way)) {
            Ok(way) => {
                let refused = if refused.is_empty() { None } else { Some(refused.join("; ")) };
                tracing::info!(way = way.name(), refused, "parks processes");
                return Ok(way);
            }
            Err(why) => refused.push(format!("{name}: {why}")),
        }
    }
    let (way, why) = match choice {
        ParkChoice::Only(way) => (way, refused.first().and_then(|it| it.split_once(": "))),
        ParkChoice::Auto => ("auto", None),
    };
    let why = why.map_or_else(|| refused.join("; "), |(_, why)| why.to_owned());
    Err(RunMistake::CannotPark { way, why })
}

/// Does `set` to every thread of `tree`, twice: what a thread starts is as the thread is, and a
/// second look finds what those have started that the first look came to last.
fn for_all_threads(tree: &Tree, set: impl Fn(Pid) -> io::Result<()>) -> io::Result<()> {
    let mut done = BTreeSet::new();
    for _ in 0..2 {
        for thread in tree.threads() {
            let set = if done.insert(raw(thread)) { set(thread) } else { Ok(()) };
            match set {
                // One that has ended meanwhile.
                Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// Parks and resumes a process of our own.
fn try_out(way: &dyn Way) -> Result<(), String> {
    let place = way.place("probe").map_err(|error| format!("no place for a process: {error}"))?;
    let tried = start_probe(place.as_ref()).map_err(|error| error.to_string()).and_then(|child| {
        let mut probe = Probe(child);
        let tried = probe.try_out(way, place.as_ref());
        probe.end();
        tried
    });
    if let Some(place) = place {
        cgroup::remove(&place);
    }
    tried
}

/// A process that does nothing.
struct Probe(Child);

fn start_probe(place: Option<&Group>) -> io::Result<Child> {
    let script = "if [ -n \"$1\" ]; then echo 0 > \"$1\" || exit 1; fi; echo; read line";
    let procs = place.map(|place| place.folder.join("cgroup.procs")).unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(procs);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

impl Probe {
    fn try_out(&mut self, way: &dyn Way, place: Option<&Group>) -> Result<(), String> {
        let mut begun = [0];
        let stdout = self.0.stdout.as_mut();
        let began = stdout.is_some_and(|it| io::Read::read(it, &mut begun).unwrap_or(0) == 1);
        if !began {
            return Err("a process cannot be put there".to_owned());
        }
        let pid = Pid::from_child(&self.0);
        let tree = Tree::only(pid);
        for _ in 0..2 {
            let step = |what: &str, done: io::Result<()>, parked: bool| {
                done.map_err(|error| format!("cannot {what}: {error}"))?;
                let is_shown = (0..SHOWN_TRIES).any(|_| {
                    let is_shown = way.is_parked(pid, place) == parked;
                    if !is_shown {
                        thread::sleep(SHOWN_EVERY);
                    }
                    is_shown
                });
                is_shown.then_some(()).ok_or_else(|| format!("cannot {what}: it has no effect"))
            };
            step("park a process", way.park(&tree, place), true)?;
            step("take it back", way.resume(&tree, place), false)?;
        }
        Ok(())
    }

    /// Ends it, parked or not.
    fn end(mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests;
