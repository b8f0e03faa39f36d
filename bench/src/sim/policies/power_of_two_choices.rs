//! Power of two choices: of two hosts drawn at random, the one with fewer requests of this proxy
//! for its weight (Mitzenmacher, "The power of two choices in randomized load balancing", 2001;
//! Envoy's `LEAST_REQUEST`, nginx's `random two least_conn`). The first one drawn wins a tie.

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "power_of_two_choices",
    about: "fewer in flight of two drawn hosts (Mitzenmacher 2001, Envoy LEAST_REQUEST)",
    shape: Shape::ORDINARY,
    make: || Box::new(PowerOfTwoChoices),
};

/// See the module.
#[derive(Debug)]
struct PowerOfTwoChoices;

impl Dispatcher for PowerOfTwoChoices {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        let [first, second] = choose::two(sight, random)?;
        let busy = |host: usize| {
            let host = &sight.hosts[host];
            f64::from(host.in_flight) / host.weight
        };
        Some(if busy(second) < busy(first) { second } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, host, request};
    use super::*;

    #[test]
    fn the_busiest_of_three_is_never_chosen_and_each_other_one_is() {
        let hosts = Hosts::of(vec![host(2), host(9), host(1)]);
        let mut random = Random::new(7);
        let mut counts = [0; 3];
        for _ in 0..300 {
            let chosen = PowerOfTwoChoices.choose(&request(1.0), &hosts.sight(), &mut random);
            counts[chosen.unwrap()] += 1;
        }
        // Host 0 wins where it meets host 1: one pair of three.
        assert_eq!(counts[1], 0);
        assert!((70..130).contains(&counts[0]), "{counts:?}");
    }
}
