//! By the depth of the queue: a host for each request that runs or waits, 20 at most.

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "queue_depth",
    about: "min(requests that run or wait, 20)",
    make: |_| Box::new(QueueDepth),
};

/// The most hosts that it asks for.
const HOSTS_MAX: usize = 20;

/// See the module.
#[derive(Debug)]
struct QueueDepth;

impl Autoscaler for QueueDepth {
    fn desired(&mut self, view: &FleetView) -> usize {
        view.requests.min(HOSTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    #[test]
    fn it_is_a_host_for_each_request_but_20_at_most() {
        let desired = |requests| QueueDepth.desired(&FleetView { requests, ..view(0.0, 2) });
        assert_eq!([0, 7, 20, 300].map(desired), [0, 7, 20, 20]);
    }
}
