//! Random: each host as likely (Envoy's `RANDOM`, nginx's `random`).

use weighbridge_core::random::Random as Generator;

use super::super::choose;
use super::{Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "random",
    about: "any host, each as likely",
    shape: Shape::ORDINARY,
    make: || Box::new(Random),
};

/// See the module.
#[derive(Debug)]
struct Random;

impl Dispatcher for Random {
    fn choose(
        &mut self,
        _: &RequestView,
        sight: &Sight<'_>,
        random: &mut Generator,
    ) -> Option<usize> {
        choose::any(sight, random)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, host, request};
    use super::*;

    #[test]
    fn only_hosts_that_are_up_are_drawn_and_all_of_them() {
        let mut hosts = Hosts::of(vec![host(0), host(9), host(0)]);
        hosts.views[0].up = false;
        let mut random = Generator::new(7);
        let drawn: Vec<usize> = (0..20)
            .filter_map(|_| Random.choose(&request(1.0), &hosts.sight(), &mut random))
            .collect();
        assert!(drawn.iter().all(|host| *host != 0));
        assert!(drawn.contains(&1) && drawn.contains(&2));
    }
}
