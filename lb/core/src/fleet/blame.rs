//! Whom a failure is blamed on: the host, or what was asked of it.
//!
//! A path that fails at one host after the other is to blame itself, and counts against none of
//! them: else whoever asks for it again and again would have half of a healthy fleet ejected. It is
//! forgiven those hosts again as soon as one serves it well: then they are to blame after all, and
//! what was not counted is counted.
//!
//! A host that cannot be reached has seen nothing of the request: that counts always, as a failure
//! of [`Path::UNKNOWN`].

use std::collections::BTreeMap;
use std::time::Duration;

use smallvec::SmallVec;

use super::Fleet;
use crate::host::HostId;
use crate::units::Time;

/// The most paths that are remembered for their failures.
const PATHS_MAX: usize = 1024;

/// The most hosts that are remembered for one of them.
const HOSTS_MAX: usize = 8;

/// A failure is remembered for so long.
const MEMORY: Duration = Duration::from_mins(1);

/// What was asked for, as a number: that of a path, whatever its query. [`Path::UNKNOWN`] is to
/// blame for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Path(pub u64);

/// Paths that have failed, and have been served well nowhere since.
#[derive(Debug, Clone, Default)]
pub(super) struct Blame {
    paths: BTreeMap<Path, Failed>,
}

/// Where a path has failed.
#[derive(Debug, Clone)]
struct Failed {
    last: Time,
    hosts: Hosts,
}

type Hosts = SmallVec<[(HostId, Counted); 4]>;

/// How failures of a path count against a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    /// So many do.
    n: u32,
    /// It is ejected for one of them.
    ejected: bool,
}

// === impl Path ===

impl Path {
    /// Nothing is known of what was asked for.
    pub const UNKNOWN: Path = Path(0);
}

// === impl Fleet ===

impl Fleet {
    /// A host has failed a request for `path`. Returns whether it is ejected for that.
    pub fn fail(&mut self, now: Time, id: HostId, path: Path) -> bool {
        if path == Path::UNKNOWN {
            return self.count_failure(now, id);
        }
        let (own, elsewhere) = self.blame.of(now, id, path);
        if elsewhere.is_empty() {
            let ejected = self.count_failure(now, id);
            let counted = Counted { n: own.n.saturating_add(1), ejected: own.ejected || ejected };
            self.blame.note(now, path, (id, counted));
            return ejected;
        }
        for (host, counted) in elsewhere {
            self.forgive(now, host, (counted.n, counted.ejected));
            self.blame.note(now, path, (host, Counted::NOT));
        }
        self.blame.note(now, path, (id, Counted::NOT));
        false
    }

    /// A host has served `path` well: those that have failed it lately are to blame. Returns how
    /// many of them are ejected for that.
    pub(super) fn works(&mut self, now: Time, id: HostId, path: Path) -> u64 {
        if self.blame.paths.is_empty() {
            return 0;
        }
        let Some(failed) = self.blame.paths.remove(&path) else { return 0 };
        if MEMORY < now.since(failed.last) {
            return 0;
        }
        let uncounted =
            failed.hosts.iter().filter(|(host, counted)| *host != id && *counted == Counted::NOT);
        let uncounted: SmallVec<[HostId; 4]> = uncounted.map(|(host, _)| *host).collect();
        uncounted.into_iter().map(|host| u64::from(self.count_failure(now, host))).sum()
    }
}

// === impl Counted ===

impl Counted {
    const NOT: Counted = Counted { n: 0, ejected: false };
}

// === impl Blame ===

impl Blame {
    /// How what `path` has failed of late counts against `id`, and against others.
    fn of(&mut self, now: Time, id: HostId, path: Path) -> (Counted, Hosts) {
        if self.paths.get(&path).is_some_and(|failed| MEMORY < now.since(failed.last)) {
            self.paths.remove(&path);
        }
        let hosts = self.paths.get(&path).map(|failed| failed.hosts.clone()).unwrap_or_default();
        let own = hosts.iter().find(|(host, _)| *host == id).map_or(Counted::NOT, |(_, own)| *own);
        (own, hosts.into_iter().filter(|(host, _)| *host != id).collect())
    }

    fn note(&mut self, now: Time, path: Path, (id, counted): (HostId, Counted)) {
        if !self.paths.contains_key(&path) && PATHS_MAX <= self.paths.len() {
            let oldest = self.paths.iter().min_by_key(|(_, failed)| failed.last);
            let oldest = oldest.map(|(path, _)| *path);
            oldest.and_then(|oldest| self.paths.remove(&oldest));
        }
        let new = Failed { last: now, hosts: SmallVec::new() };
        let failed = self.paths.entry(path).or_insert(new);
        failed.last = now;
        failed.hosts.retain(|(host, _)| *host != id);
        if failed.hosts.len() < HOSTS_MAX {
            failed.hosts.push((id, counted));
        }
    }
}
