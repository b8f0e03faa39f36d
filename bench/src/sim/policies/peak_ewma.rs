//! Peak EWMA: of two hosts drawn at random, the one with the lower latency times load (Finagle's
//! `PeakEwma` on power of two choices, as linkerd uses it).
//!
//! cost = an average of response times that follows a rise at once and forgets with the time
//! constant τ = 10 s: on a response of r after a span d, cost := r where cost < r, else
//! cost·w + r·(1 − w) with w = e^(−d/τ). When it is read, it decays as though 0 had been seen.
//! load = cost · (in flight + 1). A host with no history is taken for free while it has no request,
//! and for the worst while it has.

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Completion, Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "peak_ewma",
    about: "lower peak-sensitive latency x in flight of two drawn hosts (Finagle, linkerd)",
    shape: Shape::ORDINARY,
    make: || Box::new(PeakEwma::default()),
};

/// Time constant of the average, in seconds: the default of Finagle and linkerd.
const DECAY_SECS: f64 = 10.0;

/// What a host costs that has not answered its first request: more than any that has, in seconds.
const PENALTY: f64 = 1e9;

/// See the module.
#[derive(Debug, Default)]
struct PeakEwma {
    costs: Vec<Cost>,
}

/// The average of one host.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    secs: f64,
    as_of: f64,
}

// === impl Cost ===

impl Cost {
    fn observe(&mut self, now: f64, response: f64) {
        let kept = (-(now - self.as_of).max(0.0) / DECAY_SECS).exp();
        let mean = self.secs * kept + response * (1.0 - kept);
        self.secs = if self.secs < response { response } else { mean };
        self.as_of = now;
    }

    fn load(&mut self, now: f64, in_flight: u32) -> f64 {
        self.observe(now, 0.0);
        if self.secs <= 0.0 && in_flight != 0 {
            return PENALTY + f64::from(in_flight);
        }
        self.secs * (f64::from(in_flight) + 1.0)
    }
}

// === impl PeakEwma ===

impl Dispatcher for PeakEwma {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        let [first, second] = choose::two(sight, random)?;
        let mut load = |host: usize| {
            choose::of(&mut self.costs, host).load(sight.now, sight.hosts[host].in_flight)
        };
        Some(if load(second) < load(first) { second } else { first })
    }

    fn completed(&mut self, completion: &Completion) {
        let cost = choose::of(&mut self.costs, completion.host);
        cost.observe(completion.now, completion.response);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, completion, host, request};
    use super::*;

    fn near(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn a_rise_is_followed_at_once_and_a_fall_with_the_time_constant() {
        let mut cost = Cost::default();
        cost.observe(0.0, 2.0);
        near(cost.secs, 2.0);
        cost.observe(10.0, 1.0);
        near(cost.secs, 2.0 / 1_f64.exp() + (1.0 - 1.0 / 1_f64.exp()));
        cost.observe(11.0, 5.0);
        near(cost.secs, 5.0);
    }

    #[test]
    fn load_is_the_decayed_latency_times_requests() {
        let mut cost = Cost { secs: 2.0, as_of: 0.0 };
        near(cost.load(10.0, 3), 2.0 / 1_f64.exp() * 4.0);
        near(Cost::default().load(0.0, 0), 0.0);
        near(Cost::default().load(0.0, 2), PENALTY + 2.0);
    }

    #[test]
    fn the_faster_of_two_equally_busy_hosts_wins() {
        let mut hosts = Hosts::of(vec![host(1), host(1)]);
        let mut policy = PeakEwma::default();
        policy.completed(&completion(1.0, 0, 3.0, 1.0));
        policy.completed(&completion(1.0, 1, 2.0, 1.0));
        hosts.now = 2.0;
        for seed in 0..10 {
            let mut random = Random::new(seed);
            assert_eq!(policy.choose(&request(1.0), &hosts.sight(), &mut random), Some(1));
        }
        hosts.views[1].in_flight = 3;
        assert_eq!(
            policy.choose(&request(1.0), &hosts.sight(), &mut Random::new(1)),
            Some(0),
            "3 s x 2 beats 2 s x 4"
        );
    }
}
