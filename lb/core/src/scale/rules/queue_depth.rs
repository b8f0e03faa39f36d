//! By the requests that run or wait: a host for each, `hosts_max` at most.
//!
//! Jobs that wait in the line are among them.

use super::{Desire, Rule, ScaleReason, View};
use crate::scale::ScalePolicy;

/// See the module.
#[derive(Debug)]
pub(super) struct QueueDepth;

impl Rule for QueueDepth {
    fn name(&self) -> &'static str {
        "queue_depth"
    }

    fn desired(&self, view: &View, policy: &ScalePolicy) -> Desire {
        let hosts = (view.requests + view.line.jobs).min(policy.hosts_max);
        Desire { hosts, reason: ScaleReason::QueueDepth }
    }
}
