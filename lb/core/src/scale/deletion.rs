//! Which pods an autoscaler of Kubernetes is to end first: the annotation `pod-deletion-cost`.
//!
//! A `ReplicaSet` that has too many pods ends those with the lowest cost first. The cost of a pod
//! is the predicted work that its hosts have left, in thousandths of a CPU-second of the reference
//! core, at most 2³¹ − 1; that of a pod whose hosts get nothing more, or do not answer, is −1.

use crate::host::{HostState, Phase};
use crate::units::Work;

/// Of hosts that are of no use.
pub const USELESS: i32 = -1;

/// A cost is told anew when it is so many times what was told, or was so many times what it is:
/// each time is a write to the API server.
const NEWS_FACTOR: i32 = 2;

/// Costs below this are not told apart.
const COST_MIN: i32 = 100;

/// What it costs to end a host.
pub fn cost(host: &HostState) -> i32 {
    match host.phase {
        Phase::Starting | Phase::Active if !host.is_down() => millis(host.work_left),
        Phase::Starting | Phase::Active | Phase::Draining | Phase::Gone => USELESS,
    }
}

/// What it costs to end a pod with these costs of hosts.
pub fn sum(costs: impl IntoIterator<Item = i32>) -> i32 {
    let useful = costs.into_iter().filter(|cost| *cost != USELESS);
    useful
        .fold(None, |sum: Option<i32>, cost| Some(sum.unwrap_or(0).saturating_add(cost)))
        .unwrap_or(USELESS)
}

/// Whether a cost is worth telling of a pod of which `told` is known.
pub fn is_news(told: Option<i32>, cost: i32) -> bool {
    let Some(told) = told else { return true };
    let (least, most) = (told.min(cost), told.max(cost));
    let is_other = (told < 0) != (cost < 0);
    is_other || COST_MIN < most && least.max(0).saturating_mul(NEWS_FACTOR) < most
}

fn millis(work: Work) -> i32 {
    // It saturates.
    (work.as_cpu_secs() * 1000.0).ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_changes_are_told() {
        for (told, cost, expected) in [
            (None, 0, true),
            (Some(0), 0, false),
            (Some(0), 100, false),
            (Some(0), 101, true),
            (Some(1000), 1999, false),
            (Some(1000), 2001, true),
            (Some(1000), 400, true),
            (Some(0), USELESS, true),
            (Some(USELESS), 0, true),
            (Some(USELESS), USELESS, false),
            (Some(i32::MAX), 1, true),
            (Some(i32::MAX), i32::MAX, false),
        ] {
            assert_eq!(is_news(told, cost), expected, "{told:?} {cost}");
        }
    }

    #[test]
    fn a_pod_costs_what_its_useful_hosts_cost() {
        assert_eq!(sum([]), USELESS);
        assert_eq!(sum([USELESS, USELESS]), USELESS);
        assert_eq!(sum([USELESS, 0]), 0);
        assert_eq!(sum([3, 4, USELESS]), 7);
        assert_eq!(sum([i32::MAX, 1]), i32::MAX);
    }

    #[test]
    fn work_is_told_in_thousandths_of_a_second() {
        assert_eq!(millis(Work::ZERO), 0);
        assert_eq!(millis(Work::saturating(1.5)), 1500);
        assert_eq!(millis(Work::saturating(1e-9)), 1);
        assert_eq!(millis(Work::saturating(1e12)), i32::MAX);
    }
}
