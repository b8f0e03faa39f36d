//! Least connections: the host with the fewest requests of this proxy for its weight, as nginx's
//! `least_conn` and `HAProxy`'s `leastconn` have it. Ties are drawn.

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "least_connections",
    about: "fewest in flight for its weight (nginx least_conn, HAProxy leastconn)",
    shape: Shape::ORDINARY,
    make: || Box::new(LeastConnections),
};

/// See the module.
#[derive(Debug)]
struct LeastConnections;

impl Dispatcher for LeastConnections {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        choose::least(sight, random, |_, host| f64::from(host.in_flight) / host.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, host, request};
    use super::*;

    fn check(hosts: &Hosts, expected: usize) {
        let chosen = LeastConnections.choose(&request(1.0), &hosts.sight(), &mut Random::new(1));
        assert_eq!(chosen, Some(expected));
    }

    #[test]
    fn the_fewest_in_flight_win() {
        check(&Hosts::of(vec![host(3), host(1), host(2)]), 1);
    }

    #[test]
    fn a_host_of_twice_the_weight_bears_twice_as_many() {
        let mut hosts = Hosts::of(vec![host(3), host(4)]);
        hosts.views[1].weight = 2.0;
        check(&hosts, 1);
    }

    #[test]
    fn a_host_that_is_down_is_not_chosen() {
        let mut hosts = Hosts::of(vec![host(0), host(4)]);
        hosts.views[0].up = false;
        check(&hosts, 1);
    }
}
