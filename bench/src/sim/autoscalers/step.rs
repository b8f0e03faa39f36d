//! By steps: one host more where more than 5 requests wait, one fewer where fewer do, every 10 s,
//! between 1 and 10 hosts. So the watcher of a queue of films did it, of which `animato` has the
//! contract.

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "step",
    about: "one more above 5 waiting, one fewer below, every 10 s, 1 to 10 hosts",
    make: |future| Box::new(Step { desired: future.hosts, looked: 0.0 }),
};

/// The depth of the queue at which nothing changes.
const DEPTH: usize = 5;

/// Between two looks, in seconds.
const LOOK_SECS: f64 = 10.0;

/// The least and the most hosts that it asks for.
const HOSTS: (usize, usize) = (1, 10);

/// See the module.
#[derive(Debug)]
struct Step {
    desired: usize,
    looked: f64,
}

impl Autoscaler for Step {
    fn desired(&mut self, view: &FleetView) -> usize {
        if view.now - self.looked < LOOK_SECS {
            return self.desired;
        }
        self.looked = view.now;
        let (least, most) = HOSTS;
        let waiting = view.waiting();
        self.desired = match self.desired {
            hosts if hosts < least => hosts + 1,
            hosts if most < hosts => hosts - 1,
            hosts if DEPTH < waiting => (hosts + 1).min(most),
            hosts if waiting < DEPTH => hosts.saturating_sub(1).max(least),
            hosts => hosts,
        };
        self.desired
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    #[test]
    fn it_goes_by_one_every_ten_seconds_within_its_bounds() {
        let mut rule = Step { desired: 9, looked: 0.0 };
        let mut desired = |now, requests| rule.desired(&FleetView { requests, ..view(now, 0) });
        assert_eq!([desired(5.0, 99), desired(10.0, 99), desired(19.0, 99)], [9, 10, 10]);
        assert_eq!([desired(20.0, 99), desired(30.0, 5), desired(40.0, 4)], [10, 10, 9]);
        let last: Vec<usize> = (5..20).map(|nth| desired(f64::from(nth) * 10.0, 0)).collect();
        assert_eq!(last.last(), Some(&1));
    }
}
