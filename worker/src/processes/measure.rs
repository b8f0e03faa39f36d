//! What a process uses, measured from outside: no code of the server changes.
//!
//! CPU time is that of the whole tree of processes, from when a request is given to a process to
//! when its answer has come, by the CPU clocks of its members (nanoseconds; children that have
//! ended count in ticks of 10 ms once they were waited for). Where a process has several requests
//! at once, each has its share: between two events, all have had the same.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::tree::{self, Tree};

/// For so long what was found of the tree is believed: what a request forks runs longer than this
/// before it counts.
const SCAN_EVERY: Duration = Duration::from_millis(20);

/// Measures one process with what it has forked.
#[derive(Debug)]
pub(super) struct Measure {
    tree: Tree,
    scanned: Instant,
    /// The most that was read.
    last: Duration,
}

impl Measure {
    /// What runs below `guard`.
    pub(super) fn of(guard: Pid) -> Measure {
        let mut measure =
            Measure { tree: Tree::of(guard), scanned: Instant::now(), last: Duration::ZERO };
        measure.last = measure.tree.cpu_time().unwrap_or_default();
        measure
    }

    /// CPU time since it was last asked. Looks for new processes where it has not for a while.
    pub(super) fn advance(&mut self) -> Duration {
        if SCAN_EVERY < self.scanned.elapsed() {
            self.scan();
        }
        let now = self.tree.cpu_time().or_else(|| {
            self.scan();
            self.tree.cpu_time()
        });
        let now = now.unwrap_or(self.last).max(self.last);
        let advanced = now.saturating_sub(self.last);
        self.last = now;
        advanced
    }

    /// The same, and knows all processes for certain.
    pub(super) fn advance_exactly(&mut self) -> Duration {
        self.scan();
        self.advance()
    }

    /// CPU time in all.
    pub(super) fn total(&self) -> Duration {
        self.last
    }

    /// The tree, looked at just now.
    pub(super) fn tree(&mut self) -> &Tree {
        self.scan();
        &self.tree
    }

    /// Forgets the most memory that it had.
    pub(super) fn forget_peak(&self) {
        self.tree.members().iter().for_each(|member| tree::forget_peak(member.pid));
    }

    /// The most memory that its members have had since, in bytes: each one's most, added up.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.bytes("VmHWM")
    }

    /// Resident memory of its members, in bytes. What they share counts for each.
    pub(super) fn resident_bytes(&self) -> u64 {
        self.bytes("VmRSS")
    }

    fn bytes(&self, name: &str) -> u64 {
        let members = self.tree.members().iter();
        members.filter_map(|member| tree::status_bytes(member.pid, name)).sum()
    }

    fn scan(&mut self) {
        self.tree.scan();
        self.scanned = Instant::now();
    }
}
