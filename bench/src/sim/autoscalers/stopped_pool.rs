//! By a pool of stopped hosts: every 2.5 s as many are started as more requests wait than hosts
//! run; all are stopped when nothing has waited at two looks in a row. So a web tier for face
//! recognition did it, of which `faces` has the contract.

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "stopped_pool",
    about: "starts as many as wait beyond hosts, stops all after two empty looks, every 2.5 s",
    make: |future| Box::new(StoppedPool { desired: future.hosts, looked: 0.0, empty: 0 }),
};

/// Between two looks, in seconds.
const LOOK_SECS: f64 = 2.5;

/// Looks at an empty queue in a row after which all hosts are stopped.
const EMPTY_LOOKS: u32 = 2;

/// See the module.
#[derive(Debug)]
struct StoppedPool {
    desired: usize,
    looked: f64,
    /// Looks in a row at which nothing waited.
    empty: u32,
}

impl Autoscaler for StoppedPool {
    fn desired(&mut self, view: &FleetView) -> usize {
        if view.now - self.looked < LOOK_SECS {
            return self.desired;
        }
        self.looked = view.now;
        let waiting = view.waiting();
        self.empty = if waiting == 0 { self.empty + 1 } else { 0 };
        let running = view.active + view.starting;
        let stopped = view.hosts_max.saturating_sub(running);
        self.desired = if EMPTY_LOOKS <= self.empty {
            0
        } else {
            running + waiting.saturating_sub(running).min(stopped)
        };
        self.desired
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    #[test]
    fn it_starts_what_is_missing_and_stops_all_after_two_empty_looks() {
        let mut rule = StoppedPool { desired: 1, looked: 0.0, empty: 0 };
        // Two of the requests of each active host run.
        let mut desired =
            |now, active, requests| rule.desired(&FleetView { requests, ..view(now, active) });
        assert_eq!(desired(1.0, 1, 50), 1, "it does not look yet");
        assert_eq!([desired(2.5, 1, 9), desired(5.0, 7, 500)], [7, 20]);
        assert_eq!([desired(7.5, 20, 40), desired(10.0, 20, 41)], [20, 20]);
        assert_eq!([desired(12.5, 20, 10), desired(15.0, 20, 0), desired(17.5, 0, 1)], [20, 0, 1]);
    }
}
