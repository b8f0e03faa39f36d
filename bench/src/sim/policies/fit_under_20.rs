//! The rule of the system that Weighbridge began as: of the hosts with a load under 20, one at
//! random, weighted by 20 - load.
//!
//! A host's load is the sum of the predicted costs of its requests. Two things are assumed here.
//! The costs of that system were numbers of its own; here a mean request costs 1, by the mean of
//! the predictions so far. Where no host was under 20, that system asked for another host; here the
//! request goes to the least loaded one meanwhile.

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Completion, Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "fit_under_20",
    about: "random by 20 - predicted load, of hosts under 20 (the system before)",
    shape: Shape::ORDINARY,
    make: || Box::new(FitUnder20::default()),
};

/// The load at which a host is full, in mean requests.
const FULL: f64 = 20.0;

/// See the module.
#[derive(Debug, Default)]
struct FitUnder20 {
    loads: Vec<Load>,
    predicted: f64,
    requests: f64,
}

/// What one host has.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    requests: u32,
    predicted: f64,
}

// === impl FitUnder20 ===

impl FitUnder20 {
    /// The load of a host, in mean requests.
    fn load(&self, host: usize) -> f64 {
        let predicted = self.loads.get(host).map_or(0.0, |load| load.predicted);
        predicted * self.requests / self.predicted.max(f64::MIN_POSITIVE)
    }

    fn remove(&mut self, host: usize, predicted: f64) {
        let load = choose::of(&mut self.loads, host);
        load.requests = load.requests.saturating_sub(1);
        // Sums of floats do not come back to zero by themselves.
        load.predicted = if load.requests == 0 { 0.0 } else { load.predicted - predicted };
    }
}

impl Dispatcher for FitUnder20 {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        let room = |host: usize| (FULL - self.load(host)).max(0.0);
        let all: f64 = sight.up().map(|(host, _)| room(host)).sum();
        if all <= 0.0 {
            return choose::least(sight, random, |host, _| self.load(host));
        }
        let mut drawn = random.unit() * all;
        let mut last = None;
        for (host, room) in sight.up().map(|(host, _)| (host, room(host))) {
            if room <= 0.0 {
                continue;
            }
            last = Some(host);
            drawn -= room;
            if drawn < 0.0 {
                break;
            }
        }
        last
    }

    fn sent(&mut self, _: f64, host: usize, request: &RequestView) {
        let load = choose::of(&mut self.loads, host);
        load.requests += 1;
        load.predicted += request.predicted;
        self.predicted += request.predicted;
        self.requests += 1.0;
    }

    fn completed(&mut self, completion: &Completion) {
        self.remove(completion.host, completion.request.predicted);
    }

    fn failed(&mut self, _: f64, host: usize, request: &RequestView) {
        self.remove(host, request.predicted);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, completion, host, request};
    use super::*;

    /// A policy that has sent so many requests of a unit to each host.
    fn policy(sent: &[u32]) -> FitUnder20 {
        let mut policy = FitUnder20::default();
        for (host, n) in sent.iter().enumerate() {
            for _ in 0..*n {
                policy.sent(0.0, host, &request(0.5));
            }
        }
        policy
    }

    fn shares(policy: &mut FitUnder20, n_hosts: usize) -> Vec<usize> {
        let hosts = Hosts::of(vec![host(0); n_hosts]);
        let mut random = Random::new(1);
        let mut counts = vec![0; n_hosts];
        for _ in 0..1000 {
            let chosen = policy.choose(&request(0.5), &hosts.sight(), &mut random);
            counts[chosen.unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn hosts_are_drawn_by_what_they_have_left_of_20() {
        // 20, 15 and 5 are left of 40; the last is full.
        let counts = shares(&mut policy(&[0, 5, 15, 20]), 4);
        assert!((450..550).contains(&counts[0]), "{counts:?}");
        assert!((325..425).contains(&counts[1]), "{counts:?}");
        assert_eq!(counts[3], 0);
    }

    #[test]
    fn the_least_loaded_bears_what_fits_nowhere() {
        assert_eq!(shares(&mut policy(&[30, 21, 40]), 3), [0, 1000, 0]);
    }

    #[test]
    fn what_has_ended_makes_room() {
        let mut policy = policy(&[21, 21]);
        policy.completed(&completion(1.0, 0, 1.0, 0.5));
        policy.failed(1.0, 0, &request(0.5));
        assert_eq!(shares(&mut policy, 2), [1000, 0]);
    }
}
