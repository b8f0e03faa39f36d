//! An oracle that knows what comes: when each request arrives and what it truly takes.
//!
//! Time is cut into slots of [`SLOT_SECS`]. A slot needs `⌈W / (c · u · slot)⌉` hosts: W is the
//! work that arrives in it, c the work that a host does in a second, and u the utilization to plan
//! for. Work that the hosts of a slot cannot finish at full capacity is carried into the next
//! slots. The oracle looks ahead to the instant at which a host that is launched with the next tick
//! would be ready, and wants the most hosts that any slot until then needs. So every host is there
//! when it is needed, and none before. There is one rule for each u. At a given response time the
//! oracle costs what its cheapest rule costs that reaches it.

use super::{Autoscaler, FleetView, Future, Rule};

pub(super) const AT_40: Rule = rule("oracle_40", |future| oracle(future, 0.4));
pub(super) const AT_50: Rule = rule("oracle_50", |future| oracle(future, 0.5));
pub(super) const AT_60: Rule = rule("oracle_60", |future| oracle(future, 0.6));
pub(super) const AT_70: Rule = rule("oracle_70", |future| oracle(future, 0.7));
pub(super) const AT_80: Rule = rule("oracle_80", |future| oracle(future, 0.8));
pub(super) const AT_90: Rule = rule("oracle_90", |future| oracle(future, 0.9));
pub(super) const AT_95: Rule = rule("oracle_95", |future| oracle(future, 0.95));

/// Length of a slot, in seconds: what a machine is billed for at least.
const SLOT_SECS: f64 = 60.0;

/// See the module.
#[derive(Debug)]
struct Oracle {
    /// Hosts that each slot needs.
    needed: Vec<usize>,
    /// Seconds from a decision until its hosts are ready, when there is one with every tick.
    ahead: f64,
}

const fn rule(name: &'static str, make: fn(&Future<'_>) -> Box<dyn Autoscaler>) -> Rule {
    Rule { name, about: "knows the arrivals, plans for that utilization: the bound", make }
}

fn oracle(future: &Future<'_>, utilization: f64) -> Box<dyn Autoscaler> {
    Box::new(Oracle { needed: needed(future, utilization), ahead: future.boot + future.tick })
}

/// Hosts that each slot needs.
fn needed(future: &Future<'_>, utilization: f64) -> Vec<usize> {
    let mut work = Vec::new();
    for (at, size) in future.arrivals {
        let slot = (at / SLOT_SECS) as usize;
        if work.len() <= slot {
            work.resize(slot + 1, 0.0);
        }
        work[slot] += size;
    }
    let one = future.host_capacity * SLOT_SECS;
    let mut left: f64 = 0.0;
    work.iter()
        .map(|arriving| {
            let due = left + arriving;
            let hosts = (due / (one * utilization) - 1e-9).ceil().max(0.0) as usize;
            let hosts = hosts.clamp(future.hosts_min, future.hosts_max);
            left = (due - hosts as f64 * one).max(0.0);
            hosts
        })
        .collect()
}

impl Autoscaler for Oracle {
    fn desired(&mut self, view: &FleetView) -> usize {
        let first = (view.now / SLOT_SECS) as usize;
        let last = ((view.now + self.ahead) / SLOT_SECS) as usize;
        let slots = self.needed.iter().skip(first).take(last - first + 1);
        slots.copied().max().unwrap_or(view.hosts_min)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    /// Hosts of two cores: 120 of work in a slot. Three slots with 120, 600 and 60 of work.
    fn future(arrivals: &[(f64, f64)]) -> Future<'_> {
        Future {
            arrivals,
            boot: 30.0,
            tick: 1.0,
            host_capacity: 2.0,
            hosts: 1,
            hosts_min: 1,
            hosts_max: 8,
        }
    }

    const ARRIVALS: [(f64, f64); 4] = [(0.0, 60.0), (59.0, 60.0), (60.0, 600.0), (130.0, 60.0)];

    #[test]
    fn a_slot_needs_its_work_at_the_utilization() {
        assert_eq!(needed(&future(&ARRIVALS), 1.0), [1, 5, 1]);
        assert_eq!(needed(&future(&ARRIVALS), 0.8), [2, 7, 1]);
    }

    #[test]
    fn what_the_most_hosts_cannot_do_is_carried_on() {
        let future = Future { hosts_max: 4, ..future(&ARRIVALS) };
        assert_eq!(needed(&future, 1.0), [1, 4, 2]);
    }

    #[test]
    fn hosts_are_launched_just_in_time_and_given_up_at_once() {
        let mut oracle = oracle(&future(&ARRIVALS), 1.0);
        let mut desired = |now| oracle.desired(&view(now, 1));
        assert_eq!(desired(0.0), 1);
        assert_eq!(desired(28.0), 1);
        assert_eq!(desired(29.0), 5);
        assert_eq!(desired(119.0), 5);
        assert_eq!(desired(120.0), 1);
        assert_eq!(desired(400.0), 1);
    }
}
