//! A process and all that it has forked, as the system shows them below `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;
use weighbridge_instrument::ProcessClock;

/// The most processes of one tree that are looked at.
const MEMBERS_MAX: usize = 512;

/// The descendants of a guard: the command that it runs, and what that has forked.
#[derive(Debug)]
pub(super) struct Tree {
    guard: Pid,
    members: Vec<Member>,
    /// CPU time of processes that have ended and were waited for.
    reaped: Duration,
}

/// One process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) pid: Pid,
    clock: Option<ProcessClock>,
}

impl Tree {
    /// What runs below `guard` now.
    pub(super) fn of(guard: Pid) -> Tree {
        let mut tree = Tree { guard, members: Vec::new(), reaped: Duration::ZERO };
        tree.scan();
        tree
    }

    /// The process `pid` alone.
    pub(super) fn only(pid: Pid) -> Tree {
        let member = Member { pid, clock: ProcessClock::of(raw(pid)) };
        Tree { guard: pid, members: vec![member], reaped: Duration::ZERO }
    }

    /// Looks again. Costs some ten microseconds for each process.
    pub(super) fn scan(&mut self) {
        self.members.clear();
        self.reaped = reaped(self.guard);
        let mut found = children(self.guard);
        while let Some(pid) = found.pop()
            && self.members.len() < MEMBERS_MAX
        {
            found.extend(children(pid));
            self.reaped += reaped(pid);
            self.members.push(Member { pid, clock: ProcessClock::of(raw(pid)) });
        }
    }

    /// Those that were there when it last looked.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// CPU time of all of them, and of what they have waited for: a sum that does not fall when a
    /// process ends. `None` where one has ended since it last looked. Costs a system call for each.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let times = self.members.iter().map(|member| member.clock?.cpu_time());
        times.sum::<Option<Duration>>().map(|time| time + self.reaped)
    }

    /// The threads of all of them.
    pub(super) fn threads(&self) -> Vec<Pid> {
        self.members.iter().flat_map(|member| threads(member.pid)).collect()
    }
}

// === below /proc ===

/// What `pid` has forked and not waited for. Children stay with the thread that forked them.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    let of_thread = |thread: Pid| {
        let file = format!("/proc/{}/task/{}/children", raw(pid), raw(thread));
        fs::read_to_string(file).unwrap_or_default()
    };
    let lists = threads(pid).into_iter().map(of_thread);
    lists.flat_map(|list| list.split_whitespace().filter_map(id).collect::<Vec<_>>()).collect()
}

/// All descendants of `pid`, those first that are nearer to it.
pub(super) fn descendants(pid: Pid) -> Vec<Pid> {
    let mut all = children(pid);
    let mut next = 0;
    while let Some(&pid) = all.get(next) {
        next += 1;
        if all.len() < MEMBERS_MAX {
            all.extend(children(pid));
        }
    }
    all
}

/// The processes whose environment has the variable `name` with this value: a process passes it on
/// to what it forks. Only those of this user can be seen.
pub(super) fn with_variable(name: &str, value: &str) -> Vec<Pid> {
    let entry = format!("{name}={value}");
    let has_it = |pid: &Pid| {
        let environment = fs::read(format!("/proc/{}/environ", raw(*pid))).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let all = entries.filter_map(|entry| id(entry.ok()?.file_name().to_str()?));
    all.filter(has_it).collect()
}

fn threads(pid: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir(format!("/proc/{}/task", raw(pid))) else { return Vec::new() };
    entries.filter_map(|entry| id(entry.ok()?.file_name().to_str()?)).collect()
}

/// A field of `/proc/PID/stat`, counted from 1 as proc(5) does; from 3 on.
pub(super) fn stat(pid: Pid, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", raw(pid))).ok()?;
    field_of(&stat, field).map(str::to_owned)
}

/// `PID (NAME) STATE ...`, where the name may hold anything.
fn field_of(stat: &str, field: usize) -> Option<&str> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(field.checked_sub(3)?)
}

/// CPU time of the children of `pid` that it has waited for, in the ticks of the system.
fn reaped(pid: Pid) -> Duration {
    let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", raw(pid))) else {
        return Duration::ZERO;
    };
    let ticks = |field| field_of(&stat, field)?.parse::<u64>().ok();
    let ticks = ticks(16).unwrap_or(0) + ticks(17).unwrap_or(0);
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// A line `NAME: N kB` of `/proc/PID/status`, in bytes.
pub(super) fn status_bytes(pid: Pid, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", raw(pid))).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Lets the system forget the most memory that `pid` had.
pub(super) fn forget_peak(pid: Pid) {
    const PEAK: &str = "5";
    // Fails where the process is gone, or is another user's: then its peak is from before.
    let _ = fs::write(Path::new("/proc").join(raw(pid).to_string()).join("clear_refs"), PEAK);
}

pub(super) fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

fn id(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}

#[cfg(test)]
mod tests;
