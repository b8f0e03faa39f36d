//! What is known of the machines of a fleet: which host each machine is, and what happens to it
//! next.
//!
//! Sans-IO: requests for launches, their results and lists of machines go in; steps come out. An
//! entry goes from *launching* (asked for, its id unknown) to *there* to *draining*. It leaves when
//! its machine is ended or no longer listed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use weighbridge_core::host::HostId;

use crate::fleet::machines::Machine;

/// A machine with a known id that is missing from this many lists in a row is gone. One list may
/// lag behind the truth.
const LOOKS_UNSEEN_MAX: u32 = 12;

/// The machines of a fleet.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<HostId, Entry>,
    /// Ids of machines that were ended and are still listed.
    ended: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry {
    /// The token of its launch. `None` where another balancer or a person launched it.
    token: Option<String>,
    /// `None` while it is launching.
    id: Option<String>,
    /// It is launched. A later list will say which machine it is.
    anonymous: bool,
    address: Option<SocketAddr>,
    /// Lists in a row that did not have it. `None` once one had it.
    unseen: Option<u32>,
    draining: bool,
    /// A task of this balancer waits for its last request, or ends it.
    ending: bool,
}

/// What to do after reading a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A machine that this balancer did not launch. It joins, and then [`Ledger::adopt`] is called.
    Adopt(Machine),
    /// The host is this machine.
    Named(HostId, String),
    /// The host is at another address.
    Moved(HostId, SocketAddr),
    /// Another balancer drains the host.
    Drain(HostId),
    /// The host drains, and no task ends it. The leader has to.
    End(HostId),
    /// The host is gone; `expected` where it was draining.
    Gone { host: HostId, id: String, expected: bool },
}

/// The result of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Launched {
    /// It is the host that it was launched for.
    Noted,
    /// It was adopted as another host in the meantime. This host has no machine.
    Adopted,
    /// It is no longer wanted, and has to be ended.
    Unwanted,
}

// === impl Ledger ===

impl Ledger {
    /// A launch is asked for, for `host`.
    pub(super) fn launch(&mut self, host: HostId, token: String) {
        self.entries.insert(host, Entry::new(Some(token), None, None));
    }

    /// The launch for `host` has worked. `machine` where it is known which machine it is.
    pub(super) fn launched(&mut self, host: HostId, machine: Option<&Machine>) -> Launched {
        let Some(entry) = self.entries.get_mut(&host) else { return Launched::Unwanted };
        let Some(machine) = machine else {
            entry.anonymous = entry.id.is_none();
            return Launched::Noted;
        };
        if entry.id.as_ref() == Some(&machine.id) {
            return Launched::Noted;
        }
        if self.entries.values().any(|other| other.id.as_ref() == Some(&machine.id)) {
            self.entries.remove(&host);
            return Launched::Adopted;
        }
        self.ended.remove(&machine.id);
        if let Some(entry) = self.entries.get_mut(&host) {
            entry.id = Some(machine.id.clone());
            entry.address = machine.address;
        }
        Launched::Noted
    }

    /// `host` has joined for `machine`, which was found in a list.
    pub(super) fn adopt(&mut self, host: HostId, machine: &Machine) {
        let mut entry =
            Entry::new(machine.token.clone(), Some(machine.id.clone()), machine.address);
        entry.unseen = None;
        entry.draining = machine.draining;
        self.entries.insert(host, entry);
    }

    /// Reads a list: these machines exist, and no others.
    pub(super) fn look(&mut self, machines: &[Machine]) -> Vec<Step> {
        let mut steps = Vec::new();
        for machine in machines {
            if self.ended.contains(&machine.id) {
                continue;
            }
            match self.host_of(machine) {
                Some(host) => self.see(host, machine, &mut steps),
                None => steps.push(Step::Adopt(machine.clone())),
            }
        }
        let seen: BTreeSet<&str> = machines.iter().map(|machine| machine.id.as_str()).collect();
        self.ended.retain(|id| seen.contains(id.as_str()));
        self.miss(&seen, &mut steps);
        let left = self.entries.iter().filter(|(_, entry)| entry.draining && !entry.ending);
        steps.extend(left.map(|(host, _)| Step::End(*host)));
        steps
    }

    /// `host` gets nothing new. Returns whether its machine has to be ended. A host that is still
    /// launching has no machine, and is forgotten.
    pub(super) fn drain(&mut self, host: HostId) -> bool {
        let Some(entry) = self.entries.get_mut(&host) else { return false };
        entry.draining = true;
        if entry.id.is_none() {
            self.entries.remove(&host);
            return false;
        }
        true
    }

    /// A task begins to end `host`. Returns its machine, unless it has none or a task has begun
    /// before.
    pub(super) fn begin_end(&mut self, host: HostId) -> Option<String> {
        let entry = self.entries.get_mut(&host)?;
        if entry.ending {
            return None;
        }
        entry.ending = entry.id.is_some();
        entry.id.clone()
    }

    /// The task that began to end `host` gives up, so that another one may begin.
    pub(super) fn leave_end(&mut self, host: HostId) {
        if let Some(entry) = self.entries.get_mut(&host) {
            entry.ending = false;
        }
    }

    /// The machine of `host` is ended. Lists may have it for a while.
    pub(super) fn ended(&mut self, host: HostId) {
        if let Some(id) = self.entries.remove(&host).and_then(|entry| entry.id) {
            self.ended.insert(id);
        }
    }

    /// Forgets `host`.
    pub(super) fn remove(&mut self, host: HostId) {
        self.entries.remove(&host);
    }

    /// Whether `host` is one of the machines.
    pub(super) fn has(&self, host: HostId) -> bool {
        self.entries.contains_key(&host)
    }

    /// The machine of `host`, and where it answers, once both are known.
    pub(super) fn whereabouts(&self, host: HostId) -> Option<(String, SocketAddr)> {
        let entry = self.entries.get(&host)?;
        Some((entry.id.clone()?, entry.address?))
    }

    /// Each host whose machine is known.
    pub(super) fn machines(&self) -> Vec<(HostId, String)> {
        let known = |(host, entry): (&HostId, &Entry)| Some((*host, entry.id.clone()?));
        self.entries.iter().filter_map(known).collect()
    }

    /// The host of `machine`: by its id, by the token of its launch, or else the oldest host whose
    /// machine is not known yet.
    fn host_of(&self, machine: &Machine) -> Option<HostId> {
        let by = |is_it: &dyn Fn(&Entry) -> bool| {
            self.entries.iter().find(|(_, entry)| is_it(entry)).map(|(host, _)| *host)
        };
        let launching = |entry: &Entry| entry.id.is_none();
        by(&|entry| entry.id.as_ref() == Some(&machine.id))
            .or_else(|| by(&|e| launching(e) && e.token.is_some() && e.token == machine.token))
            .or_else(|| by(&|entry| launching(entry) && entry.anonymous))
    }

    fn see(&mut self, host: HostId, machine: &Machine, steps: &mut Vec<Step>) {
        let Some(entry) = self.entries.get_mut(&host) else { return };
        entry.unseen = None;
        if entry.id.is_none() {
            entry.id = Some(machine.id.clone());
            steps.push(Step::Named(host, machine.id.clone()));
        }
        if let Some(address) = machine.address.filter(|address| entry.address != Some(*address)) {
            entry.address = Some(address);
            steps.push(Step::Moved(host, address));
        }
        if machine.draining && !entry.draining {
            entry.draining = true;
            steps.push(Step::Drain(host));
        }
    }

    /// Forgets machines that are not among the `seen`.
    fn miss(&mut self, seen: &BTreeSet<&str>, steps: &mut Vec<Step>) {
        let mut gone = Vec::new();
        for (host, entry) in &mut self.entries {
            let Some(id) = entry.id.as_ref().filter(|id| !seen.contains(id.as_str())) else {
                continue;
            };
            if let Some(looks) = entry.unseen.as_mut().filter(|looks| **looks < LOOKS_UNSEEN_MAX) {
                *looks += 1;
                continue;
            }
            gone.push(Step::Gone { host: *host, id: id.clone(), expected: entry.draining });
        }
        for step in gone {
            if let Step::Gone { host, .. } = &step {
                self.entries.remove(host);
            }
            steps.push(step);
        }
    }
}

// === impl Entry ===

impl Entry {
    fn new(token: Option<String>, id: Option<String>, address: Option<SocketAddr>) -> Entry {
        Entry {
            token,
            id,
            anonymous: false,
            address,
            unseen: Some(0),
            draining: false,
            ending: false,
        }
    }
}

#[cfg(test)]
mod tests;
