//! Another policy for the waiting room, while requests wait.

use std::mem;

use super::lines::Lines;
use super::{Place, Queue, Waiting};
use crate::policy::QueuePolicy;
use crate::request::RequestId;
use crate::share::{Rule, Standing};
use crate::units::Work;

// === impl Queue ===

impl Queue {
    /// Goes on by `policy`, and with a `rule` as a room for several clients, where each request
    /// stands, and has a size, as `stands` says. What waits keeps its place, its age and its
    /// deadline, and is put into the order of the new discipline; where there is more of it than
    /// may wait now, it stays.
    pub fn reconfigure(
        &mut self,
        policy: QueuePolicy,
        rule: Option<&'static dyn Rule>,
        stands: impl Fn(RequestId) -> Option<(Standing, f64)>,
    ) {
        self.before = (self.places.len(), self.bytes);
        self.policy = policy;
        self.order.clear();
        self.lines = rule.map(Lines::new);
        self.guard.clear();
        self.expiry.clear();
        (self.bytes, self.work) = (0, 0);
        for (id, old) in mem::take(&mut self.places) {
            let (standing, size) = stands(id).unwrap_or((Standing::ALONE, 0.0));
            let waiting = Waiting {
                id,
                arrived: old.arrived,
                work: Work::saturating(old.work as f64 * 1e-9),
                bytes: old.bytes,
                standing,
                excess_secs: old.excess_secs,
                size,
                start_by: old.start_by,
            };
            let place = self.place(old.arrived, &waiting);
            self.insert(id, Place { until: old.until, ..place });
            self.stand(standing.account, standing.excess);
        }
        self.check_invariants();
    }
}
