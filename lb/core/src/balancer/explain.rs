//! What would become of a request, and why.

use super::place::{Decision, Start};
use super::{Ask, Balancer};
use crate::admit::ShedReason;
use crate::lambda::Function;
use crate::request::RequestId;
use crate::schedule::Demand;
use crate::schedule::explain::Explanation;
use crate::units::Time;

/// The id of a request that is only asked about: it comes after all that there are.
const NO_ID: RequestId = RequestId(u64::MAX);

// === impl Balancer ===

impl Balancer {
    /// What would become of a request if it came now, and why: the decision that `arrive` would
    /// make, not carried out. Where the pick is random, that is as the next arrival would find it.
    pub fn explain(&mut self, now: Time, ask: &Ask) -> Explanation {
        self.set_now(now);
        self.fleet.advance(self.now);
        let predictor = self.predictor(ask.route);
        let estimate = predictor.estimate(&ask.features, ask.known);
        let quality = predictor.quality();
        let names = predictor.names().to_vec();
        let hosts = &self.policy.hosts;
        let hold = match ask.job {
            None => self.hold(&estimate, false),
            Some(job) => Some(self.hold_job(ask.route, &estimate, job)),
        };
        let demand = Demand { now: self.now, estimate, tried: &[], hosts, hold };
        let account = self.schedule.explain(&demand, &self.fleet);
        let policy = &self.routes[usize::from(ask.route.0).min(self.policy.routes.len())].policy;
        let route = policy.name.clone();
        let decision = self.foresee(ask);
        self.check_invariants();
        Explanation {
            route,
            estimate,
            features: names.into_iter().zip(ask.features.0.iter().copied()).collect(),
            quality,
            filters: account.filters,
            weighers: account.weighers,
            hosts: account.hosts,
            verdict: self.describe(&decision),
        }
    }

    /// What `arrive` would decide.
    fn foresee(&mut self, ask: &Ask) -> Decision {
        let mut request = match self.enter(NO_ID, ask.clone()) {
            Ok(request) => request,
            Err(ShedReason::Quota { .. }) if ask.job.is_some() => return Decision::Later,
            Err(reason) => return Decision::Shed(reason),
        };
        let random = self.random.clone();
        let shares = self.shares.clone();
        self.enter_share(&mut request);
        let decision = self.decide(NO_ID, &request);
        (self.random, self.shares) = (random, shares);
        decision
    }

    fn describe(&self, decision: &Decision) -> String {
        match decision {
            Decision::Start(Start::Host(id)) => {
                let name = self.host(*id).map_or("", |host| &host.spec.name);
                format!("forward to {} ({name})", id.0)
            }
            Decision::Start(Start::Lambda(offer)) => {
                let function = self.lambda.as_ref().and_then(|l| l.function(offer.function));
                let (name, secs) = (function.map_or("", Function::name), offer.response.0);
                format!("lambda ({name}), which would answer in {secs:.6} s")
            }
            Decision::Wait(reason) => format!("queue: {reason}"),
            Decision::Later => "later".to_owned(),
            Decision::Shed(reason) => format!("shed: {reason}"),
        }
    }
}
