//! SRPT-k with perfect knowledge (Grosof, Scully and Harchol-Balter, "SRPT for Multiserver
//! Systems", 2018): one central queue before all k cores, and the requests with the least true work
//! left run. No dispatcher over separate hosts can do it: it is the bound that the others are
//! measured by.

use weighbridge_core::host::Discipline;
use weighbridge_core::random::Random;

use super::super::choose;
use super::{Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "srpt_k",
    about: "one queue, all cores, true work: the bound (Grosof et al. 2018)",
    shape: Shape { discipline: Discipline::Srpt, pooled: true, perfect: true, tells_idle: false },
    make: || Box::new(SrptK),
};

/// See the module: the one host of the pooled world does it.
#[derive(Debug)]
struct SrptK;

impl Dispatcher for SrptK {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        choose::any(sight, random)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, host, request};
    use super::*;

    #[test]
    fn all_goes_to_the_one_host_of_a_pooled_world_that_knows_the_work() {
        const { assert!(POLICY.shape.pooled && POLICY.shape.perfect) };
        let hosts = Hosts::of(vec![host(70)]);
        let chosen = SrptK.choose(&request(1.0), &hosts.sight(), &mut Random::new(1));
        assert_eq!(chosen, Some(0));
    }
}
