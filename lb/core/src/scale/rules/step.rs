//! By steps: one host more while more than 5 requests and jobs wait for a core, one fewer while
//! fewer do, at most every 10 s.
//!
//! So it is done by hand and by simple watchers of queues. One fewer goes only when that has been
//! enough for the stable window, as with every rule.

use super::{Desire, Rule, ScaleReason, View};
use crate::scale::ScalePolicy;
use crate::units::Seconds;

/// So many may wait for nothing to change.
const DEPTH: usize = 5;

/// Between two steps.
const STEP: Seconds = Seconds(10.0);

/// See the module.
#[derive(Debug)]
pub(super) struct Step;

impl Rule for Step {
    fn name(&self) -> &'static str {
        "step"
    }

    fn desired(&self, view: &View, _: &ScalePolicy) -> Desire {
        let waiting = view.waiting();
        let may_step = STEP <= view.since_change;
        let hosts = if DEPTH < waiting && may_step {
            view.kept + 1
        } else if waiting < DEPTH && may_step {
            view.kept.saturating_sub(1)
        } else {
            view.kept
        };
        Desire { hosts, reason: ScaleReason::QueueDepth }
    }
}
