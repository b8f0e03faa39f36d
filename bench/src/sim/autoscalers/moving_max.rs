//! By the most requests of the last minute: a host for each, 20 at most. A queue that tells its
//! depth about right, and now and then none, is no reason to end what runs.

use std::collections::VecDeque;

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "moving_max",
    about: "min(the most requests of the last minute, 20)",
    make: |_| Box::new(MovingMax::default()),
};

/// How far it looks back, in seconds.
const WINDOW_SECS: f64 = 60.0;

/// The most hosts that it asks for.
const HOSTS_MAX: usize = 20;

/// See the module.
#[derive(Debug, Default)]
struct MovingMax {
    /// When there were how many, each fewer than those before it.
    seen: VecDeque<(f64, usize)>,
}

impl Autoscaler for MovingMax {
    fn desired(&mut self, view: &FleetView) -> usize {
        while self.seen.back().is_some_and(|(_, requests)| *requests <= view.requests) {
            self.seen.pop_back();
        }
        self.seen.push_back((view.now, view.requests));
        self.seen.retain(|(at, _)| view.now - at < WINDOW_SECS);
        self.seen.front().map_or(0, |(_, requests)| *requests).min(HOSTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    #[test]
    fn it_is_the_most_of_the_last_minute() {
        let mut rule = MovingMax::default();
        let mut desired = |now, requests| rule.desired(&FleetView { requests, ..view(now, 1) });
        assert_eq!([desired(0.0, 3), desired(10.0, 9), desired(20.0, 0)], [3, 9, 9]);
        assert_eq!([desired(65.0, 4), desired(70.0, 2), desired(125.0, 0)], [9, 4, 2]);
        assert_eq!(desired(126.0, 500), 20);
    }
}
