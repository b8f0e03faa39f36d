//! A process that takes requests.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use tokio::sync::{Notify, watch};

use super::address::Address;
use super::guard::Group;
use super::measure::Measure;
use super::park::Way;

/// See the module.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) lease: Lease,
    pub(super) measure: Measure,
    pub(super) place: Option<Group>,
    pub(super) requests: Vec<u64>,
    pub(super) is_parked: bool,
    /// How often it was parked.
    pub(super) n_parked: u64,
    /// When it was given a request last.
    pub(super) used: Duration,
}

/// What a request that has started may use.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) process: usize,
    pub(super) address: Address,
    /// The guard of the process.
    pub(super) guard: Pid,
    /// How the process has ended, once it has.
    pub(super) ended: watch::Receiver<Option<String>>,
    /// Asks for another one in its place.
    pub(super) replace: Arc<Notify>,
}

impl Up {
    /// A process that is free.
    pub(super) fn new(lease: Lease, measure: Measure, place: Option<Group>) -> Up {
        Up {
            lease,
            measure,
            place,
            requests: Vec::new(),
            is_parked: false,
            n_parked: 0,
            used: Duration::ZERO,
        }
    }

    /// Parks it, where it is not.
    pub(super) fn park(&mut self, way: &dyn Way) {
        if !self.is_parked {
            self.is_parked = true;
            self.n_parked += 1;
            warn_of(way.park(self.measure.tree(), self.place.as_ref()), self.lease.process);
        }
    }

    /// Resumes it, where it is parked.
    pub(super) fn resume(&mut self, way: &dyn Way) {
        if self.is_parked {
            self.is_parked = false;
            warn_of(way.resume(self.measure.tree(), self.place.as_ref()), self.lease.process);
        }
    }
}

/// Parking fails where the process is gone, or the system allows less than it did at the start.
pub(super) fn warn_of(done: std::io::Result<()>, process: usize) {
    if let Err(error) = done {
        tracing::warn!(process, %error, "cannot be parked, or resumed");
    }
}
