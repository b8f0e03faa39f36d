//! Join the idle queue (Lu, Xie, Kliot, Geller, Larus and Greenberg, "Join-Idle-Queue: A novel load
//! balancing algorithm for dynamically scalable web services", 2011), JIQ-Random.
//!
//! A host that has run out of requests tells one proxy, chosen at random, which lists it. A request
//! goes to the host that has been listed longest, and to any host where none is listed. A listed
//! host stays so when it gets a request otherwise, as in the paper.

use std::collections::VecDeque;

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "join_idle_queue",
    about: "a host that said it is idle, else any (JIQ-Random, Lu et al. 2011)",
    shape: Shape { tells_idle: true, ..Shape::ORDINARY },
    make: || Box::new(JoinIdleQueue::default()),
};

/// See the module.
#[derive(Debug, Default)]
struct JoinIdleQueue {
    idle: VecDeque<usize>,
}

impl Dispatcher for JoinIdleQueue {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        while let Some(host) = self.idle.pop_front() {
            if sight.hosts[host].up {
                return Some(host);
            }
        }
        choose::any(sight, random)
    }

    fn idle(&mut self, _: f64, host: usize) {
        if !self.idle.contains(&host) {
            self.idle.push_back(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, host, request};
    use super::*;

    #[test]
    fn idle_hosts_are_used_in_the_order_in_which_they_became_so() {
        let mut hosts = Hosts::of(vec![host(3), host(3), host(3), host(3)]);
        hosts.views[0].up = false;
        let mut policy = JoinIdleQueue::default();
        for host in [2, 0, 1, 2] {
            policy.idle(0.0, host);
        }
        let mut random = Random::new(1);
        assert_eq!(policy.choose(&request(1.0), &hosts.sight(), &mut random), Some(2));
        assert_eq!(policy.choose(&request(1.0), &hosts.sight(), &mut random), Some(1));
        let rest: std::collections::BTreeSet<usize> = (0..50)
            .filter_map(|_| policy.choose(&request(1.0), &hosts.sight(), &mut random))
            .collect();
        assert_eq!(rest, [1, 2, 3].into());
    }
}
