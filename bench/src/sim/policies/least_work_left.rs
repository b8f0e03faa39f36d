//! Least work left, predicted: the host whose requests have the least predicted work left for its
//! weight (LWL: Harchol-Balter, "Performance Modeling and Design of Computer Systems", chapter 24).
//!
//! Work left V grows by the prediction of each request that is sent, falls by what as many cores do
//! as there are requests, and is never more than what the requests in flight were predicted to
//! take. With true predictions it is the truth. Ties are drawn.

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Completion, Dispatcher, HostView, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "least_work_left",
    about: "least predicted work left for its weight (LWL, Harchol-Balter)",
    shape: Shape::ORDINARY,
    make: || Box::new(LeastWorkLeft::default()),
};

/// See the module.
#[derive(Debug, Default)]
struct LeastWorkLeft {
    backlogs: Vec<Backlog>,
}

/// What is believed of one host.
#[derive(Debug, Clone, Copy, Default)]
struct Backlog {
    left: f64,
    /// What the requests in flight were predicted to take.
    claimed: f64,
    /// What it does while this holds, in work per second.
    pace: f64,
    in_flight: u32,
    as_of: f64,
}

// === impl Backlog ===

impl Backlog {
    /// Brings it to `now`, for a host as it looks.
    fn at(&mut self, now: f64, host: &HostView) -> f64 {
        self.advance(now);
        let core = host.weight / f64::from(host.cores.max(1));
        self.pace = core * f64::from(host.cores.min(host.in_flight));
        self.left
    }

    fn advance(&mut self, now: f64) {
        self.left = (self.left - self.pace * (now - self.as_of).max(0.0)).max(0.0);
        self.as_of = now;
    }

    fn add(&mut self, now: f64, predicted: f64) {
        self.advance(now);
        self.in_flight += 1;
        self.left += predicted;
        self.claimed += predicted;
    }

    fn remove(&mut self, now: f64, predicted: f64) {
        self.advance(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        // Sums of floats do not come back to zero by themselves.
        self.claimed = if self.in_flight == 0 { 0.0 } else { self.claimed - predicted };
        self.left = self.left.min(self.claimed);
    }
}

// === impl LeastWorkLeft ===

impl Dispatcher for LeastWorkLeft {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        choose::least(sight, random, |host, view| {
            choose::of(&mut self.backlogs, host).at(sight.now, view) / view.weight
        })
    }

    fn sent(&mut self, now: f64, host: usize, request: &RequestView) {
        choose::of(&mut self.backlogs, host).add(now, request.predicted);
    }

    fn completed(&mut self, completion: &Completion) {
        let backlog = choose::of(&mut self.backlogs, completion.host);
        backlog.remove(completion.now, completion.request.predicted);
    }

    fn failed(&mut self, now: f64, host: usize, request: &RequestView) {
        choose::of(&mut self.backlogs, host).remove(now, request.predicted);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, completion, host, request};
    use super::*;

    /// Two hosts: the first with a request of 5, the second with two of 1.
    fn policy() -> LeastWorkLeft {
        let mut policy = LeastWorkLeft::default();
        policy.sent(0.0, 0, &request(5.0));
        policy.sent(0.0, 1, &request(1.0));
        policy.sent(0.0, 1, &request(1.0));
        policy
    }

    fn check(policy: &mut LeastWorkLeft, hosts: &Hosts, expected: usize) {
        let chosen = policy.choose(&request(1.0), &hosts.sight(), &mut Random::new(1));
        assert_eq!(chosen, Some(expected));
    }

    #[test]
    fn less_work_beats_fewer_requests() {
        check(&mut policy(), &Hosts::of(vec![host(1), host(2)]), 1);
    }

    #[test]
    fn work_is_done_as_time_passes_by_the_cores_that_are_busy() {
        let mut hosts = Hosts::of(vec![host(1), host(2)]);
        hosts.views[1].cores = 2;
        hosts.views[1].weight = 2.0;
        let mut policy = policy();
        check(&mut policy, &hosts, 1);
        hosts.now = 0.5;
        check(&mut policy, &hosts, 1);
        assert!((policy.backlogs[0].left - 4.5).abs() < 1e-9);
        assert!((policy.backlogs[1].left - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_has_ended_early_is_not_left() {
        let mut policy = policy();
        policy.completed(&completion(0.1, 0, 0.1, 5.0));
        check(&mut policy, &Hosts::of(vec![host(0), host(2)]), 0);
        policy.failed(0.2, 1, &request(1.0));
        assert!((policy.backlogs[1].left - 1.0).abs() < 1e-9);
    }
}
