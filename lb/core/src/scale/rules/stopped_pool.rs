//! By a pool of stopped hosts: as many are started as requests and jobs wait beyond the hosts there
//! are, and all are stopped when nothing waits any more.
//!
//! It is meant for a fleet that keeps drained hosts stopped (`fleet.ec2.warm`), which start soon.
//! What runs when they are stopped is finished first; and they go only when nothing has waited for
//! the stable window, as with every rule.

use super::{Desire, Rule, ScaleReason, View};
use crate::scale::ScalePolicy;

/// See the module.
#[derive(Debug)]
pub(super) struct StoppedPool;

impl Rule for StoppedPool {
    fn name(&self) -> &'static str {
        "stopped_pool"
    }

    fn desired(&self, view: &View, _: &ScalePolicy) -> Desire {
        let waiting = view.waiting();
        let hosts = if waiting == 0 { 0 } else { view.kept.max(waiting) };
        Desire { hosts, reason: ScaleReason::QueueDepth }
    }
}
