//! Control groups: what a process forks is in its group, whatever it does.
//!
//! A parked group has `cpu.idle` 1 (Linux 5.15): it runs only while no other group wants the core.
//! Before, it has the least weight. Needs a folder of control groups that the worker may write to,
//! with the controller `cpu`: in version 2 one that systemd has delegated (`Delegate=cpu`) and that
//! has no other processes; version 1 only as root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getpid};

use super::Way;
use crate::processes::guard::Group;
use crate::processes::tree::{Tree, raw};

pub(super) const NAME: &str = "cgroup";

/// Where the system mounts them, by convention.
const MOUNT: &str = "/sys/fs/cgroup";
/// The group that the worker itself moves to: in version 2, a group has either processes or groups.
const OWN: &str = "weighbridge-worker";

/// See the module.
#[derive(Debug)]
struct Cgroup {
    /// Groups are made in this one.
    parent: PathBuf,
    knob: Knob,
}

/// A file of a group, with what it holds while the group is parked and while it is not.
#[derive(Debug, Clone, Copy)]
struct Knob {
    file: &'static str,
    parked: &'static str,
    normal: &'static str,
}

/// Those that do, the best first: of both versions, of version 2, of version 1.
const KNOBS: [Knob; 3] = [
    Knob { file: "cpu.idle", parked: "1", normal: "0" },
    Knob { file: "cpu.weight", parked: "1", normal: "100" },
    Knob { file: "cpu.shares", parked: "2", normal: "1024" },
];

pub(super) fn prepare() -> Result<Box<dyn Way>, String> {
    let groups = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
    let mount = Path::new(MOUNT);
    let parent = version_2(mount, &groups).or_else(|why| version_1(mount, &groups).ok_or(why))?;
    let probe = make(&parent, "knob")
        .map_err(|error| format!("cannot make a group in `{}`: {error}", parent.display()))?;
    let knob = KNOBS.into_iter().find(|knob| probe.folder.join(knob.file).exists());
    remove(&probe);
    let knob = knob.ok_or_else(|| format!("no controller `cpu` in `{}`", parent.display()))?;
    Ok(Box::new(Cgroup { parent, knob }))
}

/// The folder of the worker's own group in version 2, made ready to have groups in it.
fn version_2(mount: &Path, groups: &str) -> Result<PathBuf, String> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = own.ok_or("the system has no version 2 of control groups")?;
    let own = mount.join(own);
    let controllers = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    if !controllers.split_whitespace().any(|name| name == "cpu") {
        return Err(format!("the group `{}` has no controller `cpu`", own.display()));
    }
    // A worker that has moved there before.
    let parent = match own.file_name() {
        Some(name) if name == OWN => own.parent().map(Path::to_owned).unwrap_or(own),
        _ => own,
    };
    let subtree = parent.join("cgroup.subtree_control");
    let has_cpu = |text: String| text.split_whitespace().any(|name| name == "cpu");
    if fs::read_to_string(&subtree).is_ok_and(has_cpu) {
        return Ok(parent);
    }
    move_out(&parent)?;
    let refused = |error| format!("cannot pass `cpu` on in `{}`: {error}", parent.display());
    fs::write(&subtree, "+cpu").map_err(refused)?;
    Ok(parent)
}

/// Moves the worker from `parent` into a group of its own there.
fn move_out(parent: &Path) -> Result<(), String> {
    let procs = fs::read_to_string(parent.join("cgroup.procs")).unwrap_or_default();
    let own = raw(getpid()).to_string();
    if procs.split_whitespace().any(|pid| pid != own) {
        return Err(format!(
            "the group `{}` has other processes: expected one of the worker's own",
            parent.display()
        ));
    }
    let folder = parent.join(OWN);
    let moved =
        fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("cgroup.procs"), own));
    moved.map_err(|error| format!("cannot move to `{}`: {error}", folder.display()))
}

/// The folder of the worker's own group in version 1, where that is there.
fn version_1(mount: &Path, groups: &str) -> Option<PathBuf> {
    let own = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|name| name == "cpu").then_some(path)
    })?;
    let folder = mount.join("cpu").join(own.trim_start_matches('/'));
    folder.join("cpu.shares").exists().then_some(folder)
}

/// A group of the process `name`. What an earlier worker of this id has left goes first.
fn make(parent: &Path, name: &str) -> io::Result<Group> {
    let folder = parent.join(format!("weighbridge-{}-{name}", raw(getpid())));
    match fs::create_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    Ok(Group { folder })
}

/// Removes a group that has no processes any more, as soon as the system agrees.
pub(super) fn remove(group: &Group) {
    for _ in 0..20 {
        if fs::remove_dir(&group.folder).is_ok() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    tracing::warn!(folder = %group.folder.display(), "cannot remove a control group");
}

impl Cgroup {
    fn set(&self, place: Option<&Group>, value: &str) -> io::Result<()> {
        let Some(place) = place else { return Err(io::ErrorKind::NotFound.into()) };
        fs::write(place.folder.join(self.knob.file), value)
    }
}

impl Way for Cgroup {
    fn name(&self) -> &'static str {
        NAME
    }

    fn place(&self, name: &str) -> io::Result<Option<Group>> {
        let group = make(&self.parent, name)?;
        self.set(Some(&group), self.knob.normal)?;
        Ok(Some(group))
    }

    fn park(&self, _: &Tree, place: Option<&Group>) -> io::Result<()> {
        self.set(place, self.knob.parked)
    }

    fn resume(&self, _: &Tree, place: Option<&Group>) -> io::Result<()> {
        self.set(place, self.knob.normal)
    }

    fn is_parked(&self, pid: Pid, place: Option<&Group>) -> bool {
        let Some(place) = place else { return false };
        let read = |file: &str| fs::read_to_string(place.folder.join(file)).unwrap_or_default();
        let pid = raw(pid).to_string();
        read("cgroup.procs").lines().any(|line| line == pid)
            && read(self.knob.file).trim() == self.knob.parked
    }

    fn longest(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests;
