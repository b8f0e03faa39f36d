//! C3's replica ranking (Suresh, Canini, Schmid and Feldmann, "C3: Cutting Tail Latency in Cloud
//! Data Stores via Adaptive Replica Selection", NSDI 2015), without its rate control, which
//! protects servers of a key-value store from being flooded by their clients.
//!
//! The host with the least ψ = R − 1/μ + q̂³ / μ, in seconds, with moving averages of the responses
//! R, of the service time 1/μ and of the requests q that a host says it has, and q̂ = 1 + os · w +
//! q for os outstanding requests of this client. Averages take the new value for 0.9, as in the
//! authors' implementation. w, the number of clients, is 1: a proxy knows of no other. The paper
//! does not say what a host without an answer is worth: here it is tried once, and then is the
//! worst until it has answered. Ties are drawn.

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Completion, Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "c3",
    about: "C3's cubic replica ranking, without rate control (Suresh et al., NSDI'15)",
    shape: Shape::ORDINARY,
    make: || Box::new(C3::default()),
};

/// Weight of the new value in the averages.
const GAIN: f64 = 0.9;

/// 1/μ of a host that has not answered its first request: more than any that has, in seconds.
const PENALTY: f64 = 1e9;

/// Number of clients.
const CLIENTS: f64 = 1.0;

/// See the module.
#[derive(Debug, Default)]
struct C3 {
    scores: Vec<Score>,
}

/// The averages of one host.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    response: f64,
    service: f64,
    queue: f64,
}

// === impl Score ===

impl Score {
    fn observe(&mut self, completion: &Completion) {
        let mix = |kept: f64, new: f64| GAIN * new + (1.0 - GAIN) * kept;
        self.response = mix(self.response, completion.response);
        self.service = mix(self.service, completion.work);
        if let Some(report) = completion.report {
            self.queue = mix(self.queue, f64::from(report.in_flight));
        }
    }

    /// ψ, for a host with so many requests of this client.
    fn psi(self, outstanding: u32) -> f64 {
        let queue = 1.0 + f64::from(outstanding) * CLIENTS + self.queue;
        self.response - self.service + queue.powi(3) * self.service
    }

    /// ψ of a host that has not answered.
    fn unknown(outstanding: u32) -> f64 {
        if outstanding == 0 { 0.0 } else { PENALTY * f64::from(outstanding) }
    }
}

// === impl C3 ===

impl Dispatcher for C3 {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        choose::least(sight, random, |host, view| match self.scores.get(host) {
            Some(score) if score.service != 0.0 => score.psi(view.in_flight),
            Some(_) | None => Score::unknown(view.in_flight),
        })
    }

    fn completed(&mut self, completion: &Completion) {
        choose::of(&mut self.scores, completion.host).observe(completion);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, completion, host, request};
    use super::super::super::host::LoadReport;
    use super::*;

    #[test]
    fn the_score_is_cubic_in_the_queue() {
        let mut score = Score::default();
        let report = LoadReport { in_flight: 2, ..LoadReport::default() };
        score.observe(&Completion { report: Some(report), ..completion(1.0, 0, 2.0, 1.0) });
        // R = 1.8, 1/μ = 0.9, q = 1.8; with one outstanding q̂ = 3.8.
        let expected = 1.8 - 0.9 + 3.8_f64.powi(3) * 0.9;
        assert!((score.psi(1) - expected).abs() < 1e-9);
    }

    #[test]
    fn a_host_that_is_not_known_is_tried_first_but_once() {
        let mut hosts = Hosts::of(vec![host(0), host(0)]);
        let mut policy = C3::default();
        policy.completed(&completion(1.0, 0, 0.1, 0.1));
        let mut choose =
            |hosts: &Hosts| policy.choose(&request(1.0), &hosts.sight(), &mut Random::new(1));
        assert_eq!(choose(&hosts), Some(1));
        hosts.views[1].in_flight = 1;
        assert_eq!(choose(&hosts), Some(0));
    }

    #[test]
    fn a_longer_queue_outweighs_a_faster_host() {
        let hosts = Hosts::of(vec![host(3), host(1)]);
        let mut policy = C3::default();
        policy.completed(&completion(1.0, 0, 0.1, 0.1));
        policy.completed(&completion(1.0, 1, 0.4, 0.4));
        // 4³ · 0.09 = 5.76 against 2³ · 0.36 = 2.88.
        let chosen = policy.choose(&request(1.0), &hosts.sight(), &mut Random::new(1));
        assert_eq!(chosen, Some(1));
    }
}
