//! By predicted backlog.
//!
//! What counts is what can be done until T = `boot + backlog_max`, which is as long as hosts that
//! are launched now may take: the backlog B is the sum of min(what a request has left, what one
//! core does in T). A giant that runs counts for the core that it has and for no further host,
//! which could take nothing of it. B drains in time while B ≤ C · T, with C the work that the
//! active hosts do in a second. Where it does not, hosts are wanted for what is left when they have
//! booted: `⌈(B − C · boot) / (c · backlog_max)⌉` of capacity c. Few enough that the backlog still
//! drains in half the time are desired otherwise.
//!
//! Jobs that wait in the line have longer: hosts are wanted that do, within each horizon, what is
//! due by then ([`LineWork`](crate::jobs::LineWork)).

use super::{Desire, Rule, ScaleReason, View};
use crate::scale::ScalePolicy;

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog;

impl Rule for Backlog {
    fn name(&self) -> &'static str {
        "backlog"
    }

    fn desired(&self, view: &View, policy: &ScalePolicy) -> Desire {
        let of_requests = of_requests(view, policy);
        let of_jobs = view.hosts_for_jobs(policy);
        if of_jobs <= of_requests.hosts {
            return of_requests;
        }
        let reason =
            if view.kept < of_jobs { ScaleReason::Backlog } else { ScaleReason::BacklogLow };
        Desire { hosts: of_jobs, reason }
    }
}

/// What the backlog wants of hosts and waiting room.
fn of_requests(view: &View, policy: &ScalePolicy) -> Desire {
    let backlog = view.backlog.as_cpu_secs();
    let one = view.host_capacity.as_cpu_secs().max(f64::MIN_POSITIVE);
    let all = one * view.active as f64;
    let in_time = policy.backlog_max.as_secs_f64().max(1e-3);
    let horizon = view.boot_time.0 + in_time;
    let hosts = |work: f64, secs: f64| (work / (one * secs) - 1e-9).ceil().clamp(0.0, 1e6) as usize;
    if backlog <= all * horizon {
        let fewest = hosts(backlog, horizon / 2.0).min(view.kept);
        return Desire { hosts: fewest, reason: ScaleReason::BacklogLow };
    }
    let left = backlog - all * view.boot_time.0;
    let wanted = hosts(left, in_time).max(view.active + 1);
    Desire { hosts: wanted, reason: ScaleReason::Backlog }
}
