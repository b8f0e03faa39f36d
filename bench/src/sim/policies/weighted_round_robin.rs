//! Client-side weighted round robin by load reports (gRFC A58, and Envoy's
//! `client_side_weighted_round_robin`).
//!
//! weight = qps / (utilization + eps / qps · penalty), with the ORCA application utilization where
//! it is reported, else that of the CPU. A weight is used once a host has reported for the blackout
//! period, and until it has not reported for the expiration period; hosts without one get the mean
//! of the others, and all are equal while fewer than two have one. Every update period the weights
//! are taken over into an earliest-deadline-first order with periods of 1 / weight and first
//! deadlines drawn from [0, period). Defaults: penalty 1, blackout 10 s, expiration 3 min, update 1
//! s, reports with every response.

mod weight;

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use weighbridge_core::random::Random;

use super::super::choose;
use super::super::host::LoadReport;
use super::{Dispatcher, Policy, RequestView, Shape, Sight};
use weight::Weight;

pub(super) const POLICY: Policy = Policy {
    name: "weighted_round_robin",
    about: "round robin weighted by ORCA reports (gRFC A58, Envoy client-side WRR)",
    shape: Shape::ORDINARY,
    make: || Box::new(WeightedRoundRobin::default()),
};

/// How often weights are taken over, in seconds.
const UPDATE_SECS: f64 = 1.0;

/// See the module.
#[derive(Debug, Default)]
struct WeightedRoundRobin {
    weights: Vec<Weight>,
    order: BinaryHeap<Reverse<Turn>>,
    /// When the order was made, and of how many hosts.
    made: Option<(f64, usize)>,
}

/// When a host's turn is.
#[derive(Debug, Clone, Copy)]
struct Turn {
    deadline: f64,
    period: f64,
    host: usize,
}

// === impl Turn ===

impl Ord for Turn {
    fn cmp(&self, other: &Turn) -> Ordering {
        self.deadline.total_cmp(&other.deadline).then(self.host.cmp(&other.host))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Turn) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Turn) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Turn {}

// === impl WeightedRoundRobin ===

impl WeightedRoundRobin {
    fn is_stale(&self, sight: &Sight<'_>) -> bool {
        self.made.is_none_or(|(at, n_hosts)| {
            UPDATE_SECS <= sight.now - at || n_hosts != sight.hosts.len()
        })
    }

    fn make_order(&mut self, sight: &Sight<'_>, random: &mut Random) {
        let weights: Vec<(usize, Option<f64>)> = sight
            .up()
            .map(|(host, view)| {
                let weight = choose::of(&mut self.weights, host);
                (host, weight.usable(sight.now, view.up_since))
            })
            .collect();
        let known: Vec<f64> = weights.iter().filter_map(|(_, weight)| *weight).collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        self.order.clear();
        for (host, weight) in weights {
            let weight = if known.len() < 2 { 1.0 } else { weight.unwrap_or(mean) };
            let period = 1.0 / weight;
            self.order.push(Reverse(Turn { deadline: random.unit() * period, period, host }));
        }
        self.made = Some((sight.now, sight.hosts.len()));
    }
}

impl Dispatcher for WeightedRoundRobin {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        if self.is_stale(sight) {
            self.make_order(sight, random);
        }
        while let Some(Reverse(turn)) = self.order.pop() {
            if sight.hosts[turn.host].up {
                self.order.push(Reverse(Turn { deadline: turn.deadline + turn.period, ..turn }));
                return Some(turn.host);
            }
        }
        // All have gone since; one that has come meanwhile is not in the order yet.
        choose::any(sight, random)
    }

    fn reported(&mut self, now: f64, host: usize, report: &LoadReport) {
        choose::of(&mut self.weights, host).observe(now, report);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, host, report, request};
    use super::*;

    /// How often each of two hosts is chosen of 40 times, once they have reported until `now`.
    fn shares(reports: [LoadReport; 2], now: f64) -> [usize; 2] {
        let mut policy = WeightedRoundRobin::default();
        for at in 0..=12 {
            for (host, report) in reports.iter().enumerate() {
                policy.reported(f64::from(at), host, report);
            }
        }
        let mut hosts = Hosts::of(vec![host(0), host(0)]);
        hosts.now = now;
        let mut counts = [0; 2];
        let mut random = Random::new(1);
        for _ in 0..40 {
            let chosen = policy.choose(&request(1.0), &hosts.sight(), &mut random);
            counts[chosen.unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn a_host_with_thrice_the_weight_has_three_turns_to_one() {
        // 10 / 0.5 = 20 against 30 / 0.5 = 60.
        let reports = [report(10.0, 0.0, 0.5), report(30.0, 0.0, 0.5)];
        assert_eq!(shares(reports, 12.0), [10, 30]);
    }

    #[test]
    fn expired_weights_count_as_equal() {
        let reports = [report(10.0, 0.0, 0.5), report(30.0, 0.0, 0.5)];
        assert_eq!(shares(reports, 12.0 + 181.0), [20, 20]);
    }

    #[test]
    fn a_host_that_went_down_has_no_turn() {
        let mut policy = WeightedRoundRobin::default();
        let mut hosts = Hosts::of(vec![host(0), host(0)]);
        let mut random = Random::new(1);
        policy.choose(&request(1.0), &hosts.sight(), &mut random);
        hosts.views[0].up = false;
        for _ in 0..10 {
            let chosen = policy.choose(&request(1.0), &hosts.sight(), &mut random);
            assert_eq!(chosen, Some(1));
        }
    }
}
