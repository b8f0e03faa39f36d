//! Another policy for the waiting room, while requests wait.

use std::mem;

use super::{Place, Queue, Waiting};
use crate::policy::QueuePolicy;
use crate::units::Work;

// === impl Queue ===

impl Queue {
    /// Goes on by `policy`. What waits keeps its place, its age and its deadline, and is put into
    /// the order of the new discipline; where there is more of it than may wait now, it stays.
    pub fn reconfigure(&mut self, policy: QueuePolicy) {
        self.before = (self.places.len(), self.bytes);
        self.policy = policy;
        self.order.clear();
        self.guard.clear();
        self.expiry.clear();
        (self.bytes, self.work) = (0, 0);
        for (id, old) in mem::take(&mut self.places) {
            let work = Work::saturating(old.work as f64 * 1e-9);
            let waiting = Waiting { id, arrived: old.arrived, work, bytes: old.bytes };
            let place = self.place(old.arrived, &waiting);
            self.insert(id, Place { until: old.until, ..place });
        }
        self.check_invariants();
    }
}
