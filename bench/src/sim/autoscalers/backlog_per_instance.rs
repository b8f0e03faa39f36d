//! By the backlog of each instance, as AWS documents it for Amazon EC2 Auto Scaling with Amazon
//! SQS: a latency target of 10 s by the mean time that a request takes is the backlog that one host
//! may have; the fleet is sized for that, looked at every minute.
//!
//! The mean is of the last quarter of an hour: busy core seconds by requests that came. A host that
//! has several cores takes several requests at once, as AWS's example has no need to say.

use std::collections::VecDeque;

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "backlog_per_instance",
    about: "requests by what one host does in 10 s at the mean (AWS, target tracking of SQS)",
    make: |future| Box::new(BacklogPerInstance::new(future.hosts, future.tick)),
};

/// How long a request may wait, in seconds.
const LATENCY_SECS: f64 = 10.0;

/// Between two looks, in seconds.
const LOOK_SECS: f64 = 60.0;

/// The mean is of so many looks.
const LOOKS: usize = 15;

/// See the module.
#[derive(Debug)]
struct BacklogPerInstance {
    desired: usize,
    tick: f64,
    looked: f64,
    /// Busy core seconds and requests since the last look.
    since: (f64, f64),
    /// The same of the last looks.
    seen: VecDeque<(f64, f64)>,
}

// === impl BacklogPerInstance ===

impl BacklogPerInstance {
    fn new(hosts: usize, tick: f64) -> BacklogPerInstance {
        let (since, seen) = ((0.0, 0.0), VecDeque::new());
        BacklogPerInstance { desired: hosts, tick, looked: 0.0, since, seen }
    }

    /// The mean time of a request, in core seconds; `None` while none has come.
    fn mean(&self) -> Option<f64> {
        let sum = |of: fn(&(f64, f64)) -> f64| self.seen.iter().map(of).sum::<f64>();
        let (busy, requests) = (sum(|(busy, _)| *busy), sum(|(_, requests)| *requests));
        (0.0 < requests && 0.0 < busy).then(|| busy / requests)
    }
}

impl Autoscaler for BacklogPerInstance {
    fn desired(&mut self, view: &FleetView) -> usize {
        let cores = f64::from(view.cores);
        self.since.0 += view.utilization * view.active as f64 * cores * self.tick;
        self.since.1 += view.arrivals as f64;
        if view.now - self.looked < LOOK_SECS {
            return self.desired;
        }
        self.looked = view.now;
        self.seen.push_back(std::mem::take(&mut self.since));
        if LOOKS < self.seen.len() {
            self.seen.pop_front();
        }
        if let Some(mean) = self.mean() {
            let acceptable = (LATENCY_SECS * cores / mean).max(1.0);
            self.desired = (view.requests as f64 / acceptable - 1e-9).ceil() as usize;
        }
        self.desired
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    #[test]
    fn it_is_the_backlog_by_what_a_host_may_have() {
        let mut rule = BacklogPerInstance::new(3, 60.0);
        let mut desired = |now, utilization, arrivals, requests| {
            rule.desired(&FleetView { utilization, requests, arrivals, ..view(now, 10) })
        };
        assert_eq!(desired(30.0, 0.0, 0, 999), 3, "nothing has come");
        // 10 hosts of two cores were busy for a minute with 2,400 requests: half a second each.
        assert_eq!(desired(60.0, 1.0, 2400, 1500), 38, "40 for each host");
        assert_eq!(desired(90.0, 0.0, 0, 0), 38, "it does not look yet");
        assert_eq!(desired(120.0, 0.0, 0, 0), 0);
    }
}
