//! By predicted backlog.
//!
//! The backlog B drains in time while B ≤ C · `backlog_max`, with C the work that the active hosts do
//! in a second. Where it does not, hosts are wanted for what is left when they have booted:
//! `⌈(B − C · boot) / (c · backlog_max)⌉` of capacity c, and at least one more than there are. Where
//! nothing will be left by then, a new host would come too late. Few enough that the backlog still
//! drains in half the time are desired otherwise.

use super::ScaleReason;
use super::rules::{Desire, Rule, View};
use crate::policy::ScalePolicy;

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog;

impl Rule for Backlog {
    fn name(&self) -> &'static str {
        "backlog"
    }

    fn desired(&self, view: &View, policy: &ScalePolicy) -> Desire {
        let backlog = view.backlog.as_cpu_secs();
        let one = view.host_capacity.as_cpu_secs().max(f64::MIN_POSITIVE);
        let all = one * view.active as f64;
        let in_time = policy.backlog_max.as_secs_f64().max(1e-3);
        let hosts =
            |work: f64, secs: f64| (work / (one * secs) - 1e-9).ceil().clamp(0.0, 1e6) as usize;
        if backlog <= all * in_time {
            let fewest = hosts(backlog, in_time / 2.0).min(view.kept);
            return Desire { hosts: fewest, reason: ScaleReason::BacklogLow };
        }
        let left = backlog - all * view.boot_time.0;
        if left <= 0.0 {
            return Desire { hosts: view.kept, reason: ScaleReason::Steady };
        }
        let wanted = hosts(left, in_time).max(view.active + 1);
        Desire { hosts: wanted, reason: ScaleReason::Backlog }
    }
}
